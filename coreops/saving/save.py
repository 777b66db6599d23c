"""`save_model` and `save_weights`: the two ways out into a Keras file.

Every file is made whole in memory, or beside its target, and then takes the target's place at once.
"""

from __future__ import annotations

import datetime
import io
import json
import os
import zipfile
from collections.abc import Iterable, Set
from pathlib import Path
from typing import Any

from .._warnings import warn
from ..models import Model, Sequential
from .atomic import replacing
from .hdf5 import need_h5py
from .legacy_h5 import legacy_file
from .paths import refuse_assets, stored_arrays, walk, within
from .serialize import map_layers, serialize_keras_object
from .tensors import write_tensors

KERAS_VERSION = "3.15.1"  # whose form of the formats is written
_NOT_BUILT = (
    "Model '{}' is not built and has no weights to save: build it first, by calling it on data."
)


def save_model(
    model: Model,
    filepath: str | os.PathLike[str],
    overwrite: bool = True,
    zipped: bool | None = None,
    *,
    include_optimizer: bool = True,
    save_format: str | None = None,
    **kwargs: Any,
) -> None:
    """Save a model as a `.keras` file: configuration, weights and the optimizer's state.

    Keras 3 and `load_model` read it. Under a name that ends in ".h5" or ".hdf5" the file is of
    Keras' legacy format, which both read too. Under one that ends in ".safetensors" it is for
    deployment: configuration and weights alone, which `load_model` maps into memory without h5py.
    A process that is killed at any moment leaves the old or the new file, whole. The code of
    functions is not saved: who loads a `Lambda` or a custom layer brings it along as
    `custom_objects`.

    Args:
        model: the model. One that is not built is saved without weights, with a warning.
        filepath: path of the file, ending in ".keras" (or ".h5", ".hdf5", ".safetensors").
        overwrite: whether an existing file may be replaced.
        zipped: must not be false: what is written is one file, which changes at once.
        include_optimizer: whether the optimizer, its state, the loss and the metrics of a compiled
            model are saved.
        save_format: "keras", "h5" or "safetensors", of which the extension tells already.
        **kwargs: there are no others.

    Raises:
        ImportError: h5py is missing (`pip install 'coreops[keras]'`).
        ValueError: another extension, an existing file with `overwrite=False`, a layer that occurs
            twice in a Sequential, a model that is not built as ".safetensors", `zipped=False`, a
            `save_format` that is not the extension's, an unknown argument.
        TypeError: something in a layer's config cannot be written as JSON.
        NotImplementedError: a custom layer or model without `get_config()`, or a layer with
            `save_assets()`.
        OSError: the file cannot be written, as `replacing` says.

    Example:

        coreops.saving.save_model(model, "classifier.keras")
    """
    if kwargs:
        raise ValueError(f"save_model has no such arguments. Received: {sorted(kwargs)}")
    if zipped is not None and not zipped:
        raise ValueError(
            "A model is saved as one file, which changes at once: unzip a `.keras` file to have "
            f"its parts in a directory. Received: zipped={zipped}"
        )
    path = _path(filepath, (".keras", ".h5", ".hdf5", ".safetensors"), overwrite)
    if save_format is not None and path.suffix[1:] != {"hdf5": "h5"}.get(save_format, save_format):
        raise ValueError(
            "The extension tells the format of a file: leave `save_format` out. "
            f"Received: filepath={str(path)!r}, save_format={save_format!r}"
        )
    if path.name.endswith(".weights.h5"):
        raise ValueError(
            "A file that ends in '.weights.h5' holds weights alone: call `save_weights`. "
            f"Received: filepath={str(path)!r}"
        )
    tensors = path.suffix == ".safetensors"
    if tensors and not model.built:
        raise ValueError(_NOT_BUILT.format(model.name))
    if not tensors:
        need_h5py("Writing")
    if not model.built:
        warn(
            f"Model '{model.name}' is not built: it is saved without weights. Build it first, by "
            "calling it on data."
        )
    _refuse_shared_layers(model)
    refuse_assets(model)
    config = serialize_keras_object(model)
    if tensors or not include_optimizer:
        config = _uncompiled(config)
    if tensors:
        with replacing(path) as file:
            write_tensors(file, model, config)
        return
    if path.suffix != ".keras":
        _write(path, legacy_file(model, config, KERAS_VERSION))
        return
    metadata = {
        "keras_version": KERAS_VERSION,
        "date_saved": datetime.datetime.now().strftime("%Y-%m-%d@%H:%M:%S"),
    }
    members: dict[str, bytes | memoryview] = {
        "metadata.json": json.dumps(metadata).encode(),
        "config.json": json.dumps(config).encode(),
        "model.weights.h5": weights_file(model, include_optimizer),
    }
    with replacing(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, member in members.items():
            archive.writestr(zipfile.ZipInfo(name), member)  # stored, dated 1980-01-01


def save_weights(
    model: Model,
    filepath: str | os.PathLike[str],
    overwrite: bool = True,
    *,
    objects_to_skip: Iterable[Any] | None = None,
) -> None:
    """Save the weights of a model, and the state of its optimizer, as a `.weights.h5` file.

    Args:
        model: a built model.
        filepath: path of the file, ending in ".weights.h5".
        overwrite: whether an existing file may be replaced.
        objects_to_skip: layers that are left out, with what is in them, or the optimizer.

    Raises:
        ImportError: h5py is missing (`pip install 'coreops[keras]'`).
        ValueError: a model that is not built, another extension, or an existing file with
            `overwrite=False`.
        OSError: the file cannot be written, as `replacing` says.
    """
    path = _path(filepath, (".weights.h5",), overwrite)
    need_h5py("Writing")
    if not model.built:
        raise ValueError(_NOT_BUILT.format(model.name))
    _write(path, weights_file(model, skipped=within(objects_to_skip)))


def _write(path: Path, data: memoryview) -> None:
    with replacing(path) as file:
        file.write(data)


def weights_file(
    model: Model, include_optimizer: bool = True, skipped: Set[int] = frozenset()
) -> memoryview:
    """Return an HDF5 file with the variables of a model, its layers and its optimizers.

    Args:
        model: the model.
        include_optimizer: whether the variables of the optimizer, and of those that models inside
            were compiled with, are among them.
        skipped: the `id` of what is left out.
    """
    buffer = io.BytesIO()
    with need_h5py("Writing").File(buffer, "w") as file:
        for path, layer in walk(model):
            if id(layer) in skipped:
                continue
            _add_group(file, path, layer.name, stored_arrays(layer))
            optimizer = getattr(layer, "optimizer", None) if include_optimizer else None
            if isinstance(layer, Model) and optimizer is not None and id(optimizer) not in skipped:
                state: dict[str, Any] = {}
                optimizer.save_own_variables(state)
                _add_group(file, f"{path}/optimizer".lstrip("/"), optimizer.name, state)
    return buffer.getbuffer()


def _add_group(file: Any, path: str, name: str, values: dict[str, Any]) -> None:
    """Write one object: the group "<path>/vars" with its variables and the object's name."""
    group = file.create_group(f"{path}/vars" if path else "vars")
    group.attrs["name"] = name
    for key, value in values.items():
        group[key] = value


def _path(filepath: Any, endings: tuple[str, ...], overwrite: bool) -> Path:
    """Check the arguments that say where to write."""
    try:
        path = Path(os.fsdecode(filepath))
    except TypeError:
        raise TypeError(f"`filepath` must be a path. Received: {filepath!r}") from None
    if not path.name.endswith(endings) or path.name in endings:
        wanted = " or ".join(f"'{ending}'" for ending in endings)
        raise ValueError(
            f"`filepath` must be a file name that ends in {wanted}. Received: {str(path)!r}"
        )
    if not overwrite and path.exists():
        raise ValueError(
            f"The file exists already: filepath={str(path)!r}. Pass overwrite=True to replace it."
        )
    return path


def _uncompiled(entry: dict[str, Any]) -> dict[str, Any]:
    """Return a serialised model without what it, and models inside, were compiled with."""
    entry = {key: value for key, value in entry.items() if key != "compile_config"}
    return map_layers(entry, _uncompiled)


def _refuse_shared_layers(model: Any) -> None:
    """Refuse a layer that occurs twice in a Sequential, of which a file could keep only one."""
    seen: set[int] = set()
    pending = [model]
    while pending:
        layer = pending.pop()
        if id(layer) in seen:
            raise ValueError(
                f"Layer '{layer.name}' occurs twice in model '{model.name}': Keras' file formats "
                "have no Sequential with a shared layer."
            )
        seen.add(id(layer))
        pending += layer.layers if isinstance(layer, Sequential) else []
