"""`load_model` and `load_weights`: the two ways into a Keras file."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .archive import read_archive, regular_file
from .errors import ModelFileError
from .hdf5 import need_h5py
from .rebuild import rebuild
from .training import compile_as_saved, restore_optimizer
from .weights import fill, open_weights

_LEGACY = (".h5", ".hdf5")


def load_model(
    filepath: str | os.PathLike[str],
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
) -> Any:
    """Load a model that Keras 3 saved as a `.keras` file.

    Loading executes, imports and opens nothing that the file names. A file that needs a layer,
    option or function that is neither ours nor in `custom_objects` is refused, in one message that
    lists all of them. Masks behave as in Keras: one that reaches a layer which cannot take it is
    dropped with a warning.

    Args:
        filepath: path of the file.
        custom_objects: dictionary name -> class or function of what is not ours. The function of a
            `Lambda` is found under its own name or under the name of its layer; its `mask` and
            `output_shape` under "<layer>_mask" and "<layer>_output_shape".
        compile: whether the model is compiled as the file says, and its optimizer takes up where
            it was. Where a loss, metric or optimizer is not known, the model is left uncompiled,
            with a warning.
        safe_mode: accepted as in Keras. Code in a file is refused in either mode.

    Returns:
        A `Sequential`, or a model of the class in `custom_objects`, with the weights of the file.

    Raises:
        ImportError: h5py is missing (`pip install 'coreops[keras]'`).
        ModelFileNotFoundError: no such file (a ValueError and a FileNotFoundError).
        ModelFileError: not a Keras 3 file, damaged, or unsupported parts (a ValueError).

    Example:

        model = coreops.saving.load_model("classifier.keras")
        probabilities = model.predict(x)
    """
    path = regular_file(filepath)
    _refuse_other_formats(path)
    archive = read_archive(path)
    need_h5py()
    if archive.weights is None:
        raise ModelFileError(f"{path} holds no model.weights.h5.")
    custom = custom_objects or {}
    with open_weights(archive.weights, f"{path}, model.weights.h5") as groups:
        model = rebuild(archive.config, groups, custom, str(path))
        if compile:
            compile_as_saved(model, archive.config, custom, str(path))
            restore_optimizer(model, groups, str(path))
    return model


def load_weights(model: Any, filepath: str | os.PathLike[str], skip_mismatch: bool = False) -> None:
    """Read the weights of a `.weights.h5` or `.keras` file into a built model.

    Objects are matched as in Keras 3: by class and by their order within it, not by name. Nothing
    is changed unless every variable fits. The optimizer of a compiled model gets the state that
    the file has, if it is built and the file has one.

    Args:
        model: the model.
        filepath: path of the file.
        skip_mismatch: leave layers that do not fit as they are, with a warning.

    Raises:
        ImportError: h5py is missing (`pip install 'coreops[keras]'`).
        ModelFileNotFoundError: no such file.
        ModelFileError: damaged or foreign file, or weights that do not fit: one message that lists
            all layers concerned.
    """
    path = regular_file(filepath)
    if path.name.endswith(".weights.h5"):
        data: bytes | None = path.read_bytes()
    else:
        _refuse_other_formats(path)
        data = read_archive(path).weights
    if data is None:
        raise ModelFileError(f"{path} holds no model.weights.h5.")
    with open_weights(data, str(path)) as groups:
        fill(model, groups, str(path), skip_mismatch=skip_mismatch)
        restore_optimizer(model, groups, str(path))


def _refuse_other_formats(path: Path) -> None:
    if path.name.endswith(".weights.h5"):
        raise ModelFileError(
            f"{path} holds weights alone: build the model and call `model.load_weights(path)`."
        )
    if path.suffix in _LEGACY:
        raise ModelFileError(
            f"{path} is in Keras' legacy HDF5 format, which coreops does not read yet. Load it "
            "with Keras 3 and save it again: `model.save('name.keras')`."
        )
    if path.suffix != ".keras":
        raise ModelFileError(
            f"{path} has the extension {path.suffix!r}; a Keras 3 model file ends in '.keras', a "
            "weights file in '.weights.h5'."
        )
