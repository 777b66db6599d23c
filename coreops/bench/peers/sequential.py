"""A case as a Sequential: the same lines for Keras and for coreops, which has Keras' names."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..cases import ADAM, LSTM, Activation, Case, Dense, Dropout, Masking, Permute, Weights
from ..images import Conv, Depthwise, Flatten, Normalize, Pool
from . import Built


def sequential(keras: Any, case: Case, weights: Weights, **options: Any) -> Any:
    """Build the case's model from `keras`, which is Keras 3 or coreops, and set its weights."""
    layers = keras.layers
    model = keras.Sequential([layers.Input(case.shape[1:])], **options)
    for step in case.steps:
        if isinstance(step, Dense):
            model.add(layers.Dense(step.units, activation=step.activation))
        elif isinstance(step, Conv):
            how = {"strides": step.strides, "padding": "same", "activation": step.activation}
            model.add(layers.Conv2D(step.filters, step.size, **how))
        elif isinstance(step, Depthwise):
            how = {"strides": step.strides, "padding": "same", "activation": step.activation}
            model.add(layers.DepthwiseConv2D(step.size, **how))
        elif isinstance(step, Normalize):
            model.add(layers.BatchNormalization())
            model.add(layers.Activation(step.activation))
        elif isinstance(step, Pool):
            pool = layers.AveragePooling2D if step.average else layers.MaxPooling2D
            model.add(pool(step.size))
        elif isinstance(step, Flatten):
            model.add(layers.Flatten())
        elif isinstance(step, Permute):
            model.add(layers.Permute(step.dims))
        elif isinstance(step, Masking):
            model.add(layers.Masking())
        elif isinstance(step, LSTM):
            model.add(layers.LSTM(step.units))
        elif isinstance(step, Dropout):
            model.add(layers.Dropout(step.rate))
        elif isinstance(step, Activation) and step.name == "gelu_tanh":
            model.add(layers.Activation(keras.ops.gelu))  # which approximates, unless told not to
        elif isinstance(step, Activation):
            model.add(layers.Activation(step.name))
    if not case.steps:
        model.add(layers.Identity())
    arrays = [array for pair in weights for array in pair]
    for variable, array in zip(model.trainable_weights, arrays, strict=True):
        variable.assign(array.reshape(variable.shape))  # moving averages stay
    return model


def learning(keras: Any, case: Case, x: np.ndarray, weights: Weights, **options: Any) -> Built:
    """Build what trains the case's model by `train_on_batch`."""
    model = sequential(keras, case, weights, **options)
    arrays = model.get_weights()
    optimizer = keras.optimizers.Adam(*ADAM)
    model.compile(optimizer, "sparse_categorical_crossentropy")
    labels = case.labels()
    optimizer.build(model.trainable_variables)
    fresh = [(variable, np.array(variable)) for variable in optimizer.variables]

    def reset() -> None:
        model.set_weights(arrays)
        for variable, value in fresh:
            variable.assign(value)

    return Built(lambda: model.train_on_batch(x, labels), reset=reset, how="train_on_batch")
