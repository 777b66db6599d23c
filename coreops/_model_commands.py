"""The commands on model files: `coreops info MODEL` and `coreops convert A B`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ._exit import BAD_INPUT, BAD_MODEL, CANNOT_WRITE, NEEDS_PACKAGE, NO_FILE, USAGE, CommandError

if TYPE_CHECKING:
    from ._plan.program import Segment

FORMATS = (".keras", ".weights.h5", ".h5", ".hdf5", ".safetensors")
_UNKNOWN = 16  # what an open size of the input is taken for


def load(path: str, *, compile: bool = False) -> Any:
    """Load a model file; whatever is wrong with it is a CommandError."""
    from .saving import load_model
    from .saving.errors import ModelFileError, ModelFileNotFoundError

    try:
        return load_model(path, compile=compile)
    except ModelFileNotFoundError:
        raise CommandError(f"no such model file: {path}", NO_FILE) from None
    except ModelFileError as error:
        raise CommandError(str(error), BAD_MODEL) from None
    except ImportError as error:
        raise CommandError(str(error), NEEDS_PACKAGE) from None
    except OSError as error:
        raise CommandError(f"cannot read {path}: {error.strerror}", NO_FILE) from None


def convert(source: str, target: str) -> None:
    """Write a model file in the format that another name stands for."""
    if not target.endswith(FORMATS):
        raise CommandError(f"{target}: the name must end in one of {', '.join(FORMATS)}", USAGE)
    model = load(source, compile=True)
    try:
        if target.endswith(".weights.h5"):
            model.save_weights(target)
        else:
            model.save(target)
    except ImportError as error:
        raise CommandError(str(error), NEEDS_PACKAGE) from None
    except OSError as error:
        raise CommandError(f"cannot write {target}: {error}", CANNOT_WRITE) from None
    except (ValueError, TypeError, NotImplementedError) as error:
        raise CommandError(f"cannot write {target}: {error}", BAD_INPUT) from None


def describe(path: str) -> None:
    """Print a model's layers, and the steps, the scratch and the estimated cost of its plans."""
    model = load(path)
    model.summary()
    try:
        inputs = model.inputs
    except AttributeError:
        print("\nno plan: the shape of the input is not known")
        return
    arrays = [_blank(tensor.shape, tensor.dtype) for tensor in inputs]
    model.predict_on_batch(arrays[0] if len(arrays) == 1 else arrays)
    samples = " and ".join(f"{x.shape[1:]} {x.dtype}" for x in arrays)
    print(f"\nOne sample, {samples}, on one thread, as estimated:")
    segments = model._program(training=False, observe=False).segments()
    for number, segment in enumerate(segments, 1):
        print("\n".join(_plan_table(segment, number, len(segments))))


def _blank(shape: tuple[int | None, ...], dtype: str) -> np.ndarray:
    sizes = (_UNKNOWN if size is None else size for size in shape[1:])
    return np.zeros((shape[0] or 1, *sizes), dtype)


def _plan_table(segment: Segment, number: int, of: int) -> list[str]:
    """Return the lines that describe one plan."""
    plan = segment.plan
    title = "plan" if of == 1 else f"plan {number} of {of}"
    whole = 0.0 if plan is None else plan.cost_ns
    scratch = 0 if plan is None else plan.arena_bytes(1)
    lines = [f"{title}: {_time(whole)}, {scratch:,} bytes of scratch"]
    rows = segment.steps()
    widest = max((len(kind) for kind, _, _ in rows), default=0)
    for kind, layers, ns in rows:
        share = ns / whole if whole else 0.0
        names = ", ".join(layers) or "-"
        lines.append(f"  {kind:<{widest}}  {_time(ns):>8}  {share:>4.0%}  {names}")
    if segment.seam is not None:
        lines.append(f"then Python, in layer '{segment.flow.layer}'")
    return lines


def _time(ns: float) -> str:
    for unit, size in (("s", 1e9), ("ms", 1e6), ("us", 1e3)):
        if ns >= size:
            return f"{ns / size:.3g} {unit}"
    return f"{ns:.3g} ns"
