"""Preparing data, under the names that Keras has had since its first version; see `utils`."""

from ..utils import timeseries_dataset_from_array
from . import sequence

__all__ = ["sequence", "timeseries_dataset_from_array"]
