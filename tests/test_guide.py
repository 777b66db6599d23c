"""What the user guide shows runs as it is printed."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from coreops import Sequential, config, layers

GUIDE = Path(__file__).parents[1] / "docs" / "guide.md"


def run_chapter(title, names):
    """Run its blocks in one namespace; a traceback names the guide's own lines."""
    text = GUIDE.read_text()
    start = text.index(f"\n## {title}\n")
    end = text.index("\n## ", start + 1)
    for block in re.finditer(r"```python\n(.*?)```", text[start:end], re.S):
        above = text.count("\n", 0, start + block.start(1))
        exec(compile("\n" * above + block[1], str(GUIDE), "exec"), names)


@pytest.mark.filterwarnings("ignore:Layer InputLayer")  # which has nothing to quantize
def test_the_chapters_on_models_and_files(tmp_path, monkeypatch, rng):
    """In which some things are the reader's."""
    pytest.importorskip("h5py")
    monkeypatch.chdir(tmp_path)
    model = Sequential([layers.Input((64,)), layers.Dense(128), layers.Dense(10)])
    model.save("model.keras")
    names = {"x": rng.normal(size=(6, 64)).astype("f4"), "z": rng.normal(size=(6, 8)).astype("f4")}
    names |= {"json": json, "state": {"epoch": 3}, "weights": model.get_weights()}
    for title in ("Load and predict", "Save", "Build a model", "Masks"):
        run_chapter(title, names)
    assert names["y"]._keras_mask.sum() == 8
    for title in ("Lambda and layers of your own", "How exact products are", "Weights of 8 bits"):
        run_chapter(title, names)
    config.set_matmul_precision("highest")
    assert names["model"].layers[0].kernel.dtype == "int8"
    assert json.loads((tmp_path / "state.json").read_text()) == {"epoch": 3}


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
