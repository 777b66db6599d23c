"""What the user guide shows runs as it is printed."""

import re
from pathlib import Path

import numpy as np
import pytest

GUIDE = Path(__file__).parents[1] / "docs" / "guide.md"


def run_chapter(title, names):
    """Run its blocks in one namespace; a traceback names the guide's own lines."""
    text = GUIDE.read_text()
    start = text.index(f"\n## {title}\n")
    end = text.index("\n## ", start + 1)
    for block in re.finditer(r"```python\n(.*?)```", text[start:end], re.S):
        above = text.count("\n", 0, start + block.start(1))
        exec(compile("\n" * above + block[1], str(GUIDE), "exec"), names)


def test_the_chapters_on_sequences_and_images():
    names = {"__name__": "guide"}
    run_chapter("Sequences", names)
    assert (names["y"].shape, names["both"].shape) == ((2, 1), (2, 20, 32))
    assert np.array_equal(names["h"], names["outputs"])
    assert len(names["answers"]) == 20
    run_chapter("Images", names)
    np.testing.assert_allclose(names["probabilities"].sum(-1), 1, rtol=1e-5)


def test_the_chapter_on_training(tmp_path, monkeypatch):
    pytest.importorskip("h5py")
    pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "guide"}
    run_chapter("Training", names)
    assert names["accuracy"] > 0.6
    assert names["search"].score(names["x"], np.array(["low", "middle", "high"])[names["y"]]) > 0.6
    assert {path.name for path in tmp_path.iterdir()} == {"best.keras", "log.csv", "model.keras"}
