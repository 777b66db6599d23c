"""Wrappers, under Keras' names: models as estimators of scikit-learn.

scikit-learn is imported when a wrapper is first looked up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .estimators import SKLearnClassifier as SKLearnClassifier
    from .estimators import SKLearnRegressor as SKLearnRegressor
    from .estimators import SKLearnTransformer as SKLearnTransformer

__all__ = ["SKLearnClassifier", "SKLearnRegressor", "SKLearnTransformer"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        from . import estimators
    except ImportError as error:
        if (error.name or "").split(".")[0] != "sklearn":
            raise
        raise ImportError(
            f"{name} needs scikit-learn, 1.6 or newer: pip install 'coreops[sklearn]'",
            name=error.name,
        ) from error
    return getattr(estimators, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
