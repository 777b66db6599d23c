"""Recurrent layers, and the wrappers around layers for sequences."""

from .bidirectional import Bidirectional
from .gru import GRU
from .lstm import LSTM
from .simple_rnn import SimpleRNN
from .time_distributed import TimeDistributed

__all__ = ["GRU", "LSTM", "Bidirectional", "SimpleRNN", "TimeDistributed"]
