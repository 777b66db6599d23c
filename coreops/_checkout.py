"""Importing coreops where its source lies, which holds no compiled kernels."""

from __future__ import annotations

import os
import sys


def installed_package(cause: ImportError) -> str:
    """The folder of the installed package, for `__path__` of the one in the checkout.

    Raises ImportError, saying what to do, if none is installed.
    """
    for entry in sys.path:
        folder = os.path.join(entry, "coreops")
        if os.path.isdir(folder) and any(
            name.startswith("_kernels.") and name.endswith((".so", ".pyd"))
            for name in os.listdir(folder)
        ):
            return folder
    raise ImportError(
        f"coreops has no compiled kernels here ({cause}). Install it: pip install ."
    ) from cause
