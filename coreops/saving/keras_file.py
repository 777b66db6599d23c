"""`load_model` and `load_weights`: the two ways into a Keras file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from .archive import HDF5_MAGIC, read_archive, regular_file
from .errors import ModelFileError
from .hdf5 import damage, need_h5py
from .legacy_config import modern_model
from .legacy_read import open_legacy
from .legacy_training import modern_compile
from .paths import within
from .rebuild import rebuild
from .tensors import read_tensors
from .training import compile_as_saved, restore_optimizer
from .weights import fill, open_weights

_LEGACY = (".h5", ".hdf5")
_TENSORS = ".safetensors"
_BY_LISTS = b"layer_names"  # an attribute that only legacy files have
_READ = (".keras", *_LEGACY, _TENSORS)


def load_model(
    filepath: str | os.PathLike[str],
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
) -> Any:
    """Load a model that Keras saved, a `.keras` file of Keras 2 or 3 or a whole-model `.h5` file of
    any version; or a `.safetensors` file that `save_model` wrote, whose weights stay in the file
    until they are used, mapped into memory.

    What files older than Keras 3 say is understood as it was meant then: their `hard_sigmoid` is
    `activations.legacy_hard_sigmoid`. Loading executes, imports and opens nothing that the file
    names. A file that needs a layer, option or function that is neither ours nor in
    `custom_objects` is refused, in one message that lists all of them. Masks behave as in Keras:
    one that reaches a layer which cannot take it is dropped with a warning.

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
        ImportError: h5py is missing (`pip install 'coreops[keras]'`); `.safetensors` does without.
        ModelFileNotFoundError: no such file (a ValueError and a FileNotFoundError).
        ModelFileError: not a file of Keras, damaged, or unsupported parts (a ValueError).

    Example:

        model = coreops.saving.load_model("classifier.keras")
        probabilities = model.predict(x)
    """
    path = regular_file(filepath)
    _refuse_other_formats(path)
    custom = custom_objects or {}
    if path.suffix == _TENSORS:
        tensors = read_tensors(path)
        if tensors.config is None:
            raise ModelFileError(
                f"{path} holds weights alone: build the model and call `model.load_weights(path)`."
            )
        return _finish(tensors.config, tensors.weights, custom, compile, path)
    if _is_legacy(path):
        with open_legacy(path.read_bytes(), str(path)) as file:
            return _finish(file.entry, file.weights, custom, compile, path)
    archive = read_archive(path)
    need_h5py()
    if archive.weights is None:
        raise ModelFileError(f"{path} holds no model.weights.h5.")
    entry = archive.config
    if archive.version < 3:
        with damage(f"{path}, config.json"):
            training = modern_compile(entry.get("compile_config"))
            entry = {**modern_model(entry), "compile_config": training}
    with open_weights(archive.weights, f"{path}, model.weights.h5") as groups:
        return _finish(entry, groups, custom, compile, path)


def _finish(entry: Any, weights: Any, custom: Mapping[str, Any], compile: bool, path: Path) -> Any:
    model = rebuild(entry, weights, custom, str(path))
    if compile:
        compile_as_saved(model, entry, custom, str(path))
        restore_optimizer(model, weights, str(path))
    return model


def _is_legacy(path: Path) -> bool:
    """Whether a file is a whole-model HDF5 file; before 2.12, Keras wrote such as `.keras` too."""
    if path.suffix in _LEGACY:
        return True
    with path.open("rb") as file:
        return file.read(len(HDF5_MAGIC)) == HDF5_MAGIC


def load_weights(
    model: Any,
    filepath: str | os.PathLike[str],
    skip_mismatch: bool = False,
    *,
    by_name: bool = False,
    objects_to_skip: Iterable[Any] | None = None,
) -> None:
    """Read the weights of a `.weights.h5`, `.keras`, `.safetensors` or legacy `.h5` file into a
    built model.

    Objects are matched as in Keras 3: by class and by their order within it, not by name; those of
    a legacy file by the order of the layers that have weights. Nothing is changed unless every
    variable fits. The optimizer of a compiled model gets the state that the file has, if it is
    built and the file has one.

    Args:
        model: the model.
        filepath: path of the file.
        skip_mismatch: leave layers that do not fit as they are, with a warning.
        by_name: of a legacy file, take the weights of layers whose names the model has.
        objects_to_skip: of a `.weights.h5` file, layers that stay as they are, with what is in
            them, or the optimizer.

    Raises:
        ImportError: h5py is missing (`pip install 'coreops[keras]'`).
        ModelFileNotFoundError: no such file.
        ModelFileError: damaged or foreign file, or weights that do not fit: one message that lists
            all layers concerned.
        ValueError: `by_name` for a file that is not legacy, `objects_to_skip` for one that is not
            `.weights.h5`.
    """
    path = regular_file(filepath)
    data: bytes | None = None
    if path.name.endswith(".weights.h5"):
        data = path.read_bytes()
        by_lists = _BY_LISTS in data  # as Keras before 2.13 wrote under this name too
    else:
        _refuse_other_formats(path)
        by_lists = _is_legacy(path)
    if objects_to_skip is not None and (by_lists or not path.name.endswith(".weights.h5")):
        raise ValueError(f"objects_to_skip goes with .weights.h5 files. Received: {str(path)!r}")
    if by_lists:
        with open_legacy(data or path.read_bytes(), str(path), weights_only=True) as file:
            file.weights.fill(model, str(path), skip_mismatch=skip_mismatch, by_name=by_name)
            restore_optimizer(model, file.weights, str(path))
        return
    if by_name:
        raise ValueError(f"by_name=True goes with legacy .h5 files only. Received: {str(path)!r}")
    if path.suffix == _TENSORS:
        fill(model, read_tensors(path).weights, str(path), skip_mismatch=skip_mismatch)
        return
    data = data or read_archive(path).weights
    if data is None:
        raise ModelFileError(f"{path} holds no model.weights.h5.")
    skipped = within(objects_to_skip)
    with open_weights(data, str(path)) as groups:
        fill(model, groups, str(path), skip_mismatch=skip_mismatch, skipped=skipped)
        if id(getattr(model, "optimizer", None)) not in skipped:
            restore_optimizer(model, groups, str(path))


def _refuse_other_formats(path: Path) -> None:
    if path.name.endswith(".weights.h5"):
        raise ModelFileError(
            f"{path} holds weights alone: build the model and call `model.load_weights(path)`."
        )
    if path.suffix not in _READ:
        raise ModelFileError(
            f"{path} has the extension {path.suffix!r}; a model file ends in one of "
            f"{list(_READ)}, a weights file in '.weights.h5'."
        )
