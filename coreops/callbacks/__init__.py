"""Callbacks, under Keras' names."""

from .averages import SwapEMAWeights
from .callback import Callback, CallbackList
from .checkpoint import BackupAndRestore, ModelCheckpoint
from .history import CSVLogger, History, LambdaCallback, TerminateOnNaN
from .monitor import EarlyStopping, LearningRateScheduler, MonitorCallback, ReduceLROnPlateau
from .progress import ProgbarLogger

__all__ = [
    "BackupAndRestore",
    "CSVLogger",
    "Callback",
    "CallbackList",
    "EarlyStopping",
    "History",
    "LambdaCallback",
    "LearningRateScheduler",
    "ModelCheckpoint",
    "MonitorCallback",
    "ProgbarLogger",
    "ReduceLROnPlateau",
    "SwapEMAWeights",
    "TerminateOnNaN",
]
