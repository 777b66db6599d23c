"""The command line: `coreops demo`, `info`, `convert`, `bench` and `predict`."""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from collections.abc import Sequence
from typing import Any

from . import __version__
from ._exit import (
    BAD_INPUT,
    CANNOT_WRITE,
    FAILED,
    INTERRUPTED,
    NEEDS_PACKAGE,
    OK,
    USAGE,
    CommandError,
)
from .bench import command as bench_command

_EXIT_CODES = """\
exit codes:
  0    done
  1    failed for another reason, such as too little memory
  2    wrong usage
  3    a file is missing or cannot be read
  4    the model file is damaged, hostile, or needs what coreops does not have
  5    the input does not suit the model
  6    the output cannot be written (disk full, no such folder, no permission)
  7    an optional package is missing
  130  interrupted
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        argv: the arguments; by default the process's.

    Returns:
        The exit code.
    """
    arguments = _parser().parse_args(argv)
    arguments.own_process = argv is None
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            arguments.run(arguments)
        sys.stdout.flush()
    except CommandError as error:
        return _complain(str(error), error.code)
    except KeyboardInterrupt:
        return _complain("interrupted", INTERRUPTED)
    except MemoryError:
        return _complain("not enough memory; try a smaller --batch-size", FAILED)
    except BrokenPipeError:  # the reader of our output went away: nobody is left to tell
        sys.stdout = None
        return FAILED
    except OSError as error:
        if error.filename is not None:
            raise
        sys.stdout = None  # or its rest would fail once more at the exit
        reason = error.strerror or error
        return _complain(f"cannot write to the standard output: {reason}", CANNOT_WRITE)
    return OK


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="coreops", description="Keras models on compiled CPU kernels, without Keras."
    )
    parser.add_argument("--version", action="version", version=f"coreops {__version__}")
    commands = parser.add_subparsers(required=True, metavar="command")

    demo = commands.add_parser("demo", help="classify the shipped handwritten digits")
    demo.add_argument("--train", action="store_true", help="train the network here, beside Keras")
    demo.add_argument(
        "--picture", metavar="FILE", help="of the training, .svg or .png (needs matplotlib)"
    )
    demo.set_defaults(run=_demo)

    info = commands.add_parser("info", help="print what runs here, or how a model runs")
    info.add_argument(
        "model",
        metavar="MODEL",
        nargs="?",
        help="a model file: its layers, the steps of its plan, their scratch and estimated cost; "
        "without one, the CPU tier, threads and versions",
    )
    info.set_defaults(run=_info)

    convert = commands.add_parser(
        "convert",
        help="write a model file in another format",
        description="Load a model file and write it in the format that the other name stands for.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    readable = "a .keras (Keras 2 or 3), .h5 (any Keras) or .safetensors file"
    writable = ".keras, .h5, .safetensors or .weights.h5; replaced if it exists"
    convert.add_argument("source", metavar="A", help=readable)
    convert.add_argument("target", metavar="B", help=writable)
    convert.set_defaults(run=_convert)

    bench_command.add_to(commands)

    predict = commands.add_parser(
        "predict",
        help="predict with a model file",
        description="Load a Keras model, predict for an array file, write the result.",
        epilog=_EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    predict.add_argument("model", metavar="MODEL", help="a .keras, .h5 or .safetensors file")
    predict.add_argument("input", metavar="IN", help=".npy, .npz or .csv, one sample per row")
    predict.add_argument("output", metavar="OUT", help=".npy, .npz or .csv; replaced if it exists")
    predict.add_argument("--key", help="name of the input array inside an .npz file")
    predict.add_argument(
        "--batch-size", type=_positive, default=256, metavar="N", help="samples at once (256)"
    )
    predict.add_argument("--quiet", action="store_true", help="no progress, no closing line")
    predict.set_defaults(run=_predict)
    return parser


def _positive(text: str) -> int:
    if not text.isascii() or not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, not {text!r}")
    return int(text)


def _demo(arguments: argparse.Namespace) -> None:
    if arguments.picture and not arguments.train:
        raise CommandError(
            "--picture is of the training: coreops demo --train --picture FILE", USAGE
        )
    if arguments.picture:
        bench_command.need_matplotlib(arguments.picture)
    if not arguments.train:
        _need_h5py()  # which reads the classifier that is shipped
    if arguments.own_process and "OMP_NUM_THREADS" not in os.environ:
        # One thread each, as in bench/: the two libraries' threads would take the cores from each
        # other. NumPy's BLAS reads the variable when it is loaded, so the process starts anew.
        os.environ["OMP_NUM_THREADS"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    if not arguments.train:
        from ._demo import classify

        classify.run()
        return
    from ._demo import train

    try:
        train.run(arguments.picture)
    except OSError as error:
        if error.filename is None:
            raise
        message = f"cannot write {error.filename}: {error.strerror}"
        raise CommandError(message, CANNOT_WRITE) from None


def _info(arguments: argparse.Namespace) -> None:
    from . import _model_commands, show_runtime

    if arguments.model is None:
        show_runtime()
    else:
        _model_commands.describe(arguments.model)


def _convert(arguments: argparse.Namespace) -> None:
    from . import _model_commands

    _model_commands.convert(arguments.source, arguments.target)


def _predict(arguments: argparse.Namespace) -> None:
    from ._arrayfile import read_array, write_array, writer_for
    from ._model_commands import load

    writer_for(arguments.output)  # a wrong name is told before any work
    model = load(arguments.model)
    x = read_array(arguments.input, arguments.key)
    _check_shape(arguments, x, model)
    started = time.perf_counter()
    try:
        y = model.predict(x, arguments.batch_size, 0 if arguments.quiet else "auto")
    except (ValueError, TypeError) as error:
        raise CommandError(
            f"the model does not take {arguments.input}: {error}", BAD_INPUT
        ) from None
    seconds = time.perf_counter() - started
    if isinstance(y, (list, dict)):
        raise CommandError(f"{arguments.model} gives {len(y)} arrays, not one", BAD_INPUT)
    write_array(arguments.output, y)
    if not arguments.quiet:
        noun = "sample" if len(x) == 1 else "samples"
        print(f"{len(x):,} {noun} in {seconds:.3g} s -> {arguments.output} {y.shape}")


def _need_h5py() -> None:
    from .saving.hdf5 import need_h5py

    try:
        need_h5py()
    except ImportError as error:
        raise CommandError(str(error), NEEDS_PACKAGE) from None


def _check_shape(arguments: argparse.Namespace, x: Any, model: Any) -> None:
    """Compare an array with the model's input shape, before any work."""
    wanted = getattr(model, "input_shape", None)
    if wanted is None:  # a model without an Input takes its shape from the data
        return
    if isinstance(wanted, (list, dict)):
        raise CommandError(f"{arguments.model} takes {len(wanted)} arrays, not one", BAD_INPUT)
    sample = ", ".join("any" if size is None else str(size) for size in wanted[1:])
    if not _fits(x.shape[1:], wanted[1:]):
        hint = ""
        if _fits(x.shape, wanted[1:]):
            hint = " For a single sample, add a leading axis of 1."
        raise CommandError(
            f"{arguments.input} has shape {x.shape}, but the model takes (samples, {sample})."
            f"{hint}",
            BAD_INPUT,
        )


def _fits(shape: Sequence[int], wanted: Sequence[int | None]) -> bool:
    return len(shape) == len(wanted) and all(
        size is None or size == got for size, got in zip(wanted, shape, strict=True)
    )


def _complain(message: str, code: int) -> int:
    print(f"coreops: {message}", file=sys.stderr)
    return code


def _show_warning(message: Any, *_: Any, **__: Any) -> None:
    print(f"coreops: warning: {message}", file=sys.stderr)
