"""Trainings that Keras and coreops must go through alike: each returns what can be seen of it.

Run as a program under KERAS_BACKEND=jax, it prints what real Keras does, as JSON.
"""

import contextlib
import io
import json
import os
import re
import tempfile

import numpy as np

X = np.sin(np.arange(33.0)).reshape(11, 3).astype("float32")
Y = (X @ np.array([[1.0], [-2.0], [0.5]]) + 0.25).astype("float32")
LABELS = (Y > 0).astype("int32")
WEIGHTS = np.linspace(0.5, 2.0, 11).astype("float32")


def linear(keras, rate=0.1, **kwargs):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    model.set_weights([np.array([[0.1], [0.2], [0.3]], "float32"), np.zeros(1, "float32")])
    kwargs = {"loss": "mse", **kwargs}
    model.compile(optimizer=keras.optimizers.SGD(rate), **kwargs)
    return model


def recorder(keras):
    """A callback that writes down every hook, its number and the keys of its logs."""
    calls = []

    def hook(name):
        def counted(self, number, logs=None):
            calls.append([name, number, list(logs or {})])

        def plain(self, logs=None):
            calls.append([name, None, list(logs or {})])

        return counted if "batch" in name or "epoch" in name else plain

    names = [
        f"on_{what}_{when}"
        for what in ("train", "epoch", "test", "predict", "train_batch", "test_batch")
        for when in ("begin", "end")
    ] + ["on_predict_batch_begin", "on_predict_batch_end"]
    cls = type("Recorder", (keras.callbacks.Callback,), {name: hook(name) for name in names})
    callback = cls()
    callback.calls = calls
    return callback


def seen(history):
    return {"history": history.history, "epoch": history.epoch, "params": history.params}


def fitted(keras, model, *args, callbacks=(), **kwargs):
    record = recorder(keras)
    kwargs = {"verbose": 0, "shuffle": False, **kwargs}
    history = model.fit(*args, callbacks=[*callbacks, record], **kwargs)
    weights = [w.tolist() for w in model.get_weights()]
    return {**seen(history), "calls": record.calls, "weights": weights}


def arrays(keras):
    return fitted(keras, linear(keras), X, Y, batch_size=4, epochs=3)


def split_and_metrics(keras):
    model = linear(keras, metrics=["mae", "accuracy"], weighted_metrics=["mse"])
    return fitted(
        keras, model, X, Y, batch_size=3, epochs=2, validation_split=0.3, sample_weight=WEIGHTS
    )


def class_weights(keras):
    model = linear(keras, metrics=["mae"], weighted_metrics=["mae"])
    return fitted(keras, model, X, LABELS, epochs=2, class_weight={0: 0.5, 1: 3.0})


def reductions(keras):
    found = {}
    for name in ("sum", "mean_with_sample_weight", "sum_over_batch_size"):
        loss = keras.losses.MeanSquaredError(reduction=name)
        model = linear(keras, rate=0.01, loss=loss, loss_weights=0.5)
        values = model.evaluate(X, Y, batch_size=4, sample_weight=WEIGHTS, verbose=0)
        found[name] = [values, model.test_on_batch(X, Y, sample_weight=WEIGHTS)]
    return found


def validation_frequency(keras):
    def run(frequency):
        return fitted(
            keras, linear(keras), X, Y, epochs=5, initial_epoch=1,
            validation_data=(X[:5], Y[:5]), validation_batch_size=2, validation_steps=2,
            validation_freq=frequency,
        )  # fmt: skip

    return [run(2), run([3, 5])]


def steps_go_on(keras):
    return fitted(keras, linear(keras), X, Y, batch_size=2, steps_per_epoch=3, epochs=4)


def size_from_steps(keras):
    return fitted(keras, linear(keras), X, Y, steps_per_epoch=2, epochs=2)


def generator(keras):
    def batches():
        while True:
            yield X[:4], Y[:4]
            yield X[4:8], Y[4:8], WEIGHTS[4:8]

    model = linear(keras)
    result = fitted(keras, model, batches(), steps_per_epoch=4, epochs=2)
    return [result, model.evaluate(batches(), steps=3, verbose=0)]


def dataset(keras):
    events = []

    class Data(keras.utils.PyDataset):
        def __len__(self):
            return 3

        def __getitem__(self, index):
            return X[index * 4 : index * 4 + 4], Y[index * 4 : index * 4 + 4]

    model = linear(keras)
    result = fitted(keras, model, Data(), epochs=2, validation_data=Data(), class_weight={0: 2.0})
    return [result, model.predict(Data(), verbose=0).shape, events]


def execution(keras):
    model = linear(keras, steps_per_execution=3)
    return fitted(keras, model, X, Y, batch_size=2, epochs=2, validation_split=0.5)


def evaluation(keras):
    model = linear(keras, metrics=["mae", "mse"], weighted_metrics=["mae"])
    record = recorder(keras)
    kwargs = {"batch_size": 4, "verbose": 0}
    return [
        model.evaluate(X, Y, callbacks=[record], return_dict=True, **kwargs),
        model.evaluate(X, Y, steps=2, sample_weight=WEIGHTS, return_dict=True, **kwargs),
        model.predict(X, callbacks=[record], **kwargs).tolist(),
        model.train_on_batch(X, Y, sample_weight=WEIGHTS, return_dict=True),
        model.train_on_batch(X, LABELS, class_weight={1: 2.0}, return_dict=True),
        model.test_on_batch(X, Y, return_dict=True),
        linear(keras).evaluate(X, Y, verbose=0),
        linear(keras, metrics=["mae"]).evaluate(X, Y, verbose=0),
        linear(keras).train_on_batch(X, Y),
        record.calls,
    ]


def stopping(keras):
    class Stop(keras.callbacks.Callback):
        def __init__(self, batch=None, epoch=None):
            super().__init__()
            self.at = batch, epoch

        def on_train_batch_end(self, batch, logs=None):
            if batch == self.at[0]:
                self.model.stop_training = True

        def on_epoch_end(self, epoch, logs=None):
            if epoch == self.at[1]:
                self.model.stop_training = True

    def run(**kwargs):
        return fitted(
            keras, linear(keras), X, Y, batch_size=4, epochs=4, callbacks=[Stop(**kwargs)],
            validation_split=0.2,
        )  # fmt: skip

    return [run(batch=1), run(epoch=1)]


def early_stopping(keras):
    def run(rate=0.1, **kwargs):
        callback = keras.callbacks.EarlyStopping(**kwargs)
        result = fitted(keras, linear(keras, rate), X, Y, epochs=12, callbacks=[callback],
                        validation_split=0.3)  # fmt: skip
        return [result, callback.wait, callback.stopped_epoch, callback.best_epoch]

    return [
        run(),
        run(min_delta=0.05, patience=2),
        run(rate=1.4, monitor="loss", patience=1, restore_best_weights=True),
        run(rate=1.4, monitor="loss", patience=3, restore_best_weights=True, start_from_epoch=2),
        run(monitor="loss", baseline=0.001, patience=4, restore_best_weights=True),
        run(monitor="val_loss", mode="max", patience=2),
    ]


def learning_rates(keras):
    def schedule(epoch, rate):
        return rate * 0.5 if epoch else rate

    def plateau(**kwargs):
        callback = keras.callbacks.ReduceLROnPlateau(**kwargs)
        return fitted(keras, linear(keras, 0.9), X, Y, epochs=10, callbacks=[callback])

    by_epoch = [
        fitted(keras, linear(keras), X, Y, epochs=3,
               callbacks=[keras.callbacks.LearningRateScheduler(function)])
        for function in (schedule, lambda epoch: 0.1 / (epoch + 1))
    ]  # fmt: skip
    return [
        *by_epoch,
        plateau(monitor="loss", factor=0.5, patience=1, min_delta=0.1),
        plateau(monitor="loss", factor=0.1, patience=2, min_delta=1.0, cooldown=2, min_lr=0.05),
    ]


def not_a_number(keras):
    model = linear(keras, rate=1e30)
    callback = keras.callbacks.TerminateOnNaN()
    with contextlib.redirect_stdout(io.StringIO()), np.errstate(all="ignore"):
        result = fitted(keras, model, X, Y, batch_size=2, epochs=3, callbacks=[callback])
    return [result["epoch"], result["calls"]]


def csv(keras):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "log.csv")
        heads = []
        for append in (False, True):
            log = keras.callbacks.CSVLogger(path, separator=";", append=append)
            linear(keras, metrics=["mae"]).fit(
                X, Y, epochs=2, verbose=0, callbacks=[log], validation_split=0.3 * (not append)
            )
            with open(path, newline="") as file:
                rows = [line.split(";") for line in file.read().splitlines()]
            heads.append([rows[0], [row[0] for row in rows], [len(row) for row in rows]])
    return heads


def lambdas(keras):
    calls = []
    callback = keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: calls.append("train"),
        on_epoch_end=lambda epoch, logs: calls.append([epoch, sorted(logs)]),
        on_train_batch_end=lambda batch, logs: calls.append([batch, sorted(logs)]),
        on_test_begin=lambda logs: calls.append("test"),
    )
    linear(keras).fit(X, Y, batch_size=6, verbose=0, callbacks=[callback], validation_split=0.5)
    return calls


def printed(keras):
    """What verbose=2 prints, without the times."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        model = linear(keras, metrics=["mae"])
        model.fit(X, Y, batch_size=4, epochs=2, verbose=2, validation_split=0.2, shuffle=False)
        model.fit(X, Y, batch_size=1, verbose=2, shuffle=False)
        model.evaluate(X, Y, verbose=2)
    return re.sub(r"- \d+s - \d+[mu]?s/step", "TIME", out.getvalue()).splitlines()


def own_class(keras, **parts):
    """A model of a class with such methods, whose layer has penalties."""

    class Own(keras.Model):
        def __init__(self):
            super().__init__()
            self.dense = keras.layers.Dense(1, kernel_regularizer="l2", activity_regularizer="l1")

        def call(self, x):
            return self.dense(x)

    model = type("Parts", (Own,), parts)()
    model(X)
    model.set_weights([np.array([[0.1], [0.2], [0.3]], "float32"), np.zeros(1, "float32")])
    return model


def trained(keras, model, y, **kwargs):
    model.compile(keras.optimizers.SGD(0.1), **kwargs)
    options = {"batch_size": 4, "epochs": 2, "verbose": 0, "shuffle": False}
    history = model.fit(X, y, sample_weight=WEIGHTS, validation_split=0.3, **options).history
    found = model.evaluate(X, y, sample_weight=WEIGHTS, verbose=0, return_dict=True)
    return [history, found, model.get_weights()[0].tolist()]


def own_losses(keras):
    ops = keras.ops

    def alone(self, x, y, y_pred, sample_weight, training=True):
        errors = ops.abs(y - y_pred) * ops.reshape(sample_weight, (-1, 1))
        return ops.mean(errors if training else ops.square(errors))

    def with_penalties(self, x, y, y_pred, sample_weight):
        return ops.mean(ops.abs(y - y_pred)) + 3 * sum(self.losses)

    def beside(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        loss = keras.Model.compute_loss(self, x, y, y_pred, sample_weight)
        return 2 * loss + ops.mean(ops.square(y_pred - x[:, :1]))

    def of_two(self, x, y, y_pred, sample_weight, training=True):
        return ops.mean(ops.maximum(y["near"] - y_pred + ops.square(y["far"]), 0.0))

    two = {"near": Y, "far": Y + 1}
    return [
        trained(keras, own_class(keras, compute_loss=alone), Y, metrics=["mae"]),
        trained(keras, own_class(keras, compute_loss=with_penalties), Y),
        trained(keras, own_class(keras, compute_loss=beside), Y, loss="mse", metrics=["mae"]),
        trained(keras, own_class(keras, compute_loss=of_two), two),
    ]


def own_metrics(keras):
    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        found = keras.Model.compute_metrics(self, x, y, y_pred, sample_weight)
        return {**found, "twice": 2 * found["loss"] + keras.ops.cast(y.shape[0], "float32")}

    model = own_class(keras, compute_metrics=compute_metrics)
    return trained(keras, model, Y, loss="mse", weighted_metrics=["mae"])


SCENARIOS = [
    arrays, split_and_metrics, class_weights, reductions, validation_frequency, steps_go_on,
    size_from_steps, generator, dataset, execution, evaluation, stopping, early_stopping,
    learning_rates, not_a_number, csv, lambdas, printed, own_losses, own_metrics,
]  # fmt: skip

if __name__ == "__main__":
    import warnings

    warnings.simplefilter("ignore")
    import keras

    found = {}
    for scenario in SCENARIOS:
        found[scenario.__name__] = scenario(keras)
    print(json.dumps(found))
