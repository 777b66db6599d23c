"""Keras' core layers as compiled CPU kernels.

    import coreops as keras

    model = keras.saving.load_model("classifier.keras")  # needs coreops[keras]
    probabilities = model(x)

The names, arguments and defaults are Keras 3's. NumPy is all that is needed to run.
"""

import os
import sys

try:
    from . import _kernels
except ImportError as error:  # the working directory is a checkout: the installed package serves
    from ._checkout import installed_package

    __path__ = [installed_package(error)]
    from . import _kernels
from ._threads import default_threads, get_num_threads, set_num_threads

try:
    _kernels.use_isa(os.environ.get("COREOPS_ISA") or None)
except ValueError as error:
    if sys.argv[0] == "-m" or sys.argv[0].endswith("coreops"):  # the command line
        sys.exit(f"coreops: {error}")
    raise
set_num_threads(default_threads())

from . import (  # noqa: E402 - the tier is chosen before anything can make a plan
    activations,
    backend,
    callbacks,
    config,
    constraints,
    dtype_policies,
    initializers,
    layers,
    losses,
    metrics,
    mixed_precision,
    models,
    ops,
    optimizers,
    preprocessing,
    quantizers,
    random,
    regularizers,
    saving,
    utils,
    wrappers,
)
from ._dtypes import DTypePolicy  # noqa: E402
from ._runtime import runtime_info, show_runtime  # noqa: E402
from ._symbolic import KerasTensor  # noqa: E402
from ._variables import Variable  # noqa: E402
from .constraints import Constraint  # noqa: E402
from .initializers import Initializer  # noqa: E402
from .layers import Input, InputSpec, Layer  # noqa: E402
from .losses import Loss  # noqa: E402
from .metrics import Metric  # noqa: E402
from .models import Model, Sequential  # noqa: E402
from .optimizers import Optimizer  # noqa: E402
from .quantizers import Quantizer  # noqa: E402
from .regularizers import Regularizer  # noqa: E402
from .saving import from_keras  # noqa: E402

__version__ = "0.1.0"


def version() -> str:
    """The version of coreops."""
    return __version__


__all__ = [
    "Constraint",
    "DTypePolicy",
    "Initializer",
    "Input",
    "InputSpec",
    "KerasTensor",
    "Layer",
    "Loss",
    "Metric",
    "Model",
    "Optimizer",
    "Quantizer",
    "Regularizer",
    "Sequential",
    "Variable",
    "activations",
    "backend",
    "callbacks",
    "config",
    "constraints",
    "dtype_policies",
    "from_keras",
    "get_num_threads",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "mixed_precision",
    "models",
    "ops",
    "optimizers",
    "preprocessing",
    "quantizers",
    "random",
    "regularizers",
    "runtime_info",
    "saving",
    "set_num_threads",
    "show_runtime",
    "utils",
    "version",
    "wrappers",
]
