"""Networks of layers of all kinds, trained with penalties, bounds and options of optimizers.

Run as a program under KERAS_BACKEND=jax, it records what real Keras learns in data/networks.json.
"""

import json
from pathlib import Path

import numpy as np

RECORD = Path(__file__).parent / "data" / "networks.json"


def images(keras):
    layers = keras.layers
    bound = keras.constraints.MaxNorm(1.0, axis=[0, 1, 2])
    stack = [
        layers.Conv2D(4, 3, activation="elu", kernel_regularizer="l2", kernel_constraint=bound),
        layers.BatchNormalization(momentum=0.5, gamma_regularizer="l2"),
        layers.SeparableConv2D(3, 2, activation="tanh", pointwise_regularizer="l2"),
        layers.AveragePooling2D(2, strides=1),
        layers.DepthwiseConv2D(2, depthwise_constraint="non_neg"),
        layers.LayerNormalization(),
        layers.Flatten(),
    ]
    options = {"clipnorm": 0.5, "use_ema": True, "ema_overwrite_frequency": 3}
    return (6, 6, 2), stack, keras.optimizers.AdamW(0.01, **options)


def sequences(keras):
    layers = keras.layers
    forward = layers.LSTM(3, return_sequences=True, kernel_constraint="max_norm")
    stack = [
        layers.Embedding(9, 4, mask_zero=True, embeddings_constraint="unit_norm"),
        layers.Bidirectional(forward),
        layers.PReLU(shared_axes=[1], alpha_regularizer="l2"),
        layers.GRU(4, recurrent_regularizer="l2", activity_regularizer="l2"),
    ]
    rate = keras.optimizers.schedules.ExponentialDecay(0.02, 3, 0.9)
    options = {"centered": True, "momentum": 0.5, "global_clipnorm": 0.3}
    return (5,), stack, keras.optimizers.RMSprop(rate, **options)


def trained(keras, make):
    """The history of 21 steps, and the weights after them."""
    shape, stack, optimizer = make(keras)
    last = keras.layers.Dense(3, activation="softmax")
    model = keras.Sequential([keras.Input(shape), *stack, last])
    rng = np.random.default_rng(4)
    for weight in model.trainable_weights:
        size, sign = rng.uniform(0.1, 0.6, weight.shape), rng.choice([-1, 1], weight.shape)
        weight.assign(size * sign)
    x = rng.integers(0, 9, (12, *shape)) if make is sequences else rng.normal(size=(12, *shape))
    model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
    options = {"batch_size": 5, "epochs": 7, "verbose": 0, "shuffle": False}
    history = model.fit(x, rng.integers(0, 3, 12), **options).history
    return [history, *(np.asarray(weight).tolist() for weight in model.get_weights())]


NETWORKS = (images, sequences)

if __name__ == "__main__":
    import keras

    found = {make.__name__: trained(keras, make) for make in NETWORKS}
    RECORD.write_text(json.dumps(found) + "\n")
