"""What the user guide shows of training runs as it is printed."""

import re
from pathlib import Path

import numpy as np
import pytest

GUIDE = Path(__file__).parents[1] / "docs" / "guide.md"


def test_the_chapter_on_training(tmp_path, monkeypatch):
    """Its blocks, one after the other in one namespace; a traceback names the guide's own lines."""
    pytest.importorskip("h5py")
    pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    text = GUIDE.read_text()
    start = text.index("\n## Training\n")
    end = text.index("\n## ", start + 1)
    names = {"__name__": "guide"}
    for block in re.finditer(r"```python\n(.*?)```", text[start:end], re.S):
        above = text.count("\n", 0, start + block.start(1))
        exec(compile("\n" * above + block[1], str(GUIDE), "exec"), names)
    assert names["accuracy"] > 0.6
    assert names["search"].score(names["x"], np.array(["low", "middle", "high"])[names["y"]]) > 0.6
    assert {path.name for path in tmp_path.iterdir()} == {"best.keras", "log.csv", "model.keras"}
