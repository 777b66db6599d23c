"""Random models of real Keras: layers of all kinds with random arguments, in chains and graphs.

A seed is a model: the same in every real type, and with the same weights.
"""

import numpy as np

ACTIVATIONS = ["relu", "tanh", "sigmoid", "gelu", "elu", "softplus", "silu", "softmax",
               "hard_sigmoid", "leaky_relu", "selu", "softsign", "mish", "relu6"]  # fmt: skip
MERGES = ["Add", "Subtract", "Multiply", "Average", "Maximum", "Minimum"]
LARGEST = 3000  # elements of a sample


class Maker:
    """Makes layers, tensors and arrays by the numbers of one seed.

    package: with `layers`, `ops`, `Input`, `Model` and `Sequential` as Keras has them. noisy:
    whether there are layers of noise, which training would not repeat.
    """

    def __init__(self, package, seed, *, noisy=True):
        self.noisy = noisy
        self.rng = np.random.default_rng(seed)
        self.package, self.layers = package, package.layers
        self.inside = 0  # models that we are in

    # --- choices --------------------------------------------------------------------------------

    def one_of(self, *options):
        return options[self.rng.integers(len(options))]

    def flag(self, chance=0.5):
        return bool(self.rng.random() < chance)

    def size(self, most=6):
        """A size, now and then one beyond the width of a vector."""
        return (
            int(self.rng.choice([17, 33]))
            if self.flag(0.06)
            else int(self.rng.integers(1, most + 1))
        )

    def activation(self):
        return self.one_of(None, *ACTIVATIONS)

    def pair(self, shape):
        """Two axes of a sample, or one."""
        axes = [int(a) + 1 for a in self.rng.permutation(len(shape))]
        return axes[0] if self.flag() else sorted(axes[:2])

    # --- layers ---------------------------------------------------------------------------------

    def layer(self, shape):
        """A layer for samples of a shape, of any kind that there is for its rank."""
        names = ["dense", "dense", "activation", "batch_norm", "layer_norm", "simple", "noise",
                 "reshape", "permute", "flatten", "prelu", "softmax", "einsum"]  # fmt: skip
        names += {
            1: ["repeat", "normalization"],
            2: ["conv", "conv", "separable", "depthwise", "pool", "pool_all", "pad", "crop",
                "enlarge", "recurrent", "recurrent", "recurrent", "bidirectional", "masking",
                "masking", "distributed", "spatial"],
            3: ["conv", "conv", "separable", "depthwise", "pool", "pool_all", "pad", "crop",
                "enlarge", "distributed", "spatial"],
            4: ["distributed", "distributed", "flatten"],
        }[len(shape)]  # fmt: skip
        return getattr(self, self.one_of(*names))(shape)

    def dense(self, shape):
        return self.layers.Dense(self.size(9), self.activation(), use_bias=self.flag(0.8))

    def activation_layer(self):
        layers = self.layers
        return self.one_of(
            lambda: layers.Activation(self.one_of(*ACTIVATIONS)),
            lambda: layers.LeakyReLU(negative_slope=0.2),
            lambda: layers.ELU(alpha=0.7),
            lambda: layers.ReLU(max_value=self.one_of(None, 1.5), threshold=0.1),
        )()

    def simple(self, shape):
        layers = self.layers
        return self.one_of(
            lambda: layers.Rescaling(1.5, offset=-0.25),
            lambda: layers.ActivityRegularization(l1=0.01),
            lambda: layers.Identity(),
            lambda: self.activation_layer(),
        )()

    def noise(self, shape):
        layers = self.layers
        if not self.noisy:
            return layers.Identity()
        return self.one_of(
            lambda: layers.Dropout(0.3),
            lambda: layers.GaussianNoise(0.5),
            lambda: layers.GaussianDropout(0.3),
            lambda: layers.AlphaDropout(0.2),
        )()

    def spatial(self, shape):
        return getattr(self.layers, f"SpatialDropout{len(shape) - 1}D")(0.4 * self.noisy)

    def softmax(self, shape):
        return self.layers.Softmax(axis=int(self.rng.integers(1, len(shape) + 1)))

    def prelu(self, shape):
        shared = self.one_of(None, [1], [len(shape)])
        return self.layers.PReLU(shared_axes=shared)

    def batch_norm(self, shape):
        axis = int(self.rng.integers(1, len(shape) + 1))
        return self.layers.BatchNormalization(
            axis=axis if self.flag(0.3) else -1,
            center=self.flag(0.8), scale=self.flag(0.8), epsilon=0.01,
        )  # fmt: skip

    def layer_norm(self, shape):
        axis = self.pair(shape) if self.flag(0.4) else -1
        return self.layers.LayerNormalization(
            axis=axis, center=self.flag(0.8), scale=self.flag(0.8), epsilon=0.05
        )

    def normalization(self, shape):
        return self.layers.Normalization(
            axis=-1, mean=[0.5] * shape[-1], variance=[2.0] * shape[-1], invert=self.flag(0.3)
        )

    def einsum(self, shape):
        letters = "bcde"[: len(shape) - 1]
        last = self.size()
        if self.flag(0.5) or len(shape) < 2:
            units, given = [last], "z"
        else:
            units, given = [self.size(4), last], "yz"
        out = self.one_of(given, given[::-1])
        sizes = dict(zip(given, units, strict=True))
        kernel = self.one_of("k" + given, given + "k", given[:1] + "k" + given[1:])
        made = tuple(shape[:-1]) + tuple(sizes[c] for c in out)
        return self.layers.EinsumDense(
            f"a{letters}k,{kernel}->a{letters}{out}", output_shape=made,
            bias_axes=self.one_of(None, out, out[-1]), activation=self.activation(),
        )  # fmt: skip

    def flatten(self, shape):
        return self.layers.Flatten()

    def reshape(self, shape):
        size = int(np.prod(shape))
        divisors = [d for d in range(1, size + 1) if size % d == 0]
        first = int(self.rng.choice(divisors))
        if self.flag():
            return self.layers.Reshape((first, size // first))
        second = int(self.rng.choice([d for d in divisors if size // first % d == 0]))
        return self.layers.Reshape((first, second, -1))

    def permute(self, shape):
        return self.layers.Permute([int(a) + 1 for a in self.rng.permutation(len(shape))])

    def repeat(self, shape):
        return self.layers.RepeatVector(int(self.rng.integers(1, 5)))

    def masking(self, shape):
        return self.layers.Masking(0.0)

    def window(self, shape):
        """The arguments that all layers with windows have."""
        d = len(shape) - 1
        first = self.flag(0.25)
        sizes = shape[1:] if first else shape[:-1]
        fits = [int(self.rng.integers(1, min(n, 4) + 1)) for n in sizes]
        options = {"padding": self.one_of("valid", "same")}
        if first:
            options["data_format"] = "channels_first"
        return d, fits, options

    def strides(self, options):
        """Strides, or dilation."""
        if self.flag(0.4):
            options["strides"] = int(self.rng.integers(1, 4))
        elif self.flag(0.3):
            options["dilation_rate"] = 2
        return options

    def conv(self, shape):
        d, size, options = self.window(shape)
        channels = shape[0] if "data_format" in options else shape[-1]
        groups = self.one_of(1, 1, *(g for g in (2, 3) if channels % g == 0))
        if d == 1 and self.flag(0.2):
            options["padding"] = "causal"
        return getattr(self.layers, f"Conv{d}D")(
            groups * self.size(), size, groups=groups, activation=self.activation(),
            use_bias=self.flag(0.8), **self.strides(options),
        )  # fmt: skip

    def separable(self, shape):
        d, size, options = self.window(shape)
        return getattr(self.layers, f"SeparableConv{d}D")(
            self.size(), size, depth_multiplier=self.one_of(1, 1, 2), activation=self.activation(),
            use_bias=self.flag(0.8), **self.strides(options),
        )  # fmt: skip

    def depthwise(self, shape):
        d, size, options = self.window(shape)
        return getattr(self.layers, f"DepthwiseConv{d}D")(
            size, depth_multiplier=self.one_of(1, 1, 2), activation=self.activation(),
            use_bias=self.flag(0.8), **self.strides(options),
        )  # fmt: skip

    def pool(self, shape):
        d, size, options = self.window(shape)
        if self.flag(0.4):
            options["strides"] = int(self.rng.integers(1, 4))
        kind = self.one_of("Max", "Average")
        return getattr(self.layers, f"{kind}Pooling{d}D")(size, **options)

    def pool_all(self, shape):
        kind, d = self.one_of("Max", "Average"), len(shape) - 1
        order = self.one_of("channels_last", "channels_first") if d > 1 else "channels_last"
        cls = getattr(self.layers, f"Global{kind}Pooling{d}D")
        return cls(data_format=order, keepdims=self.flag(0.3))

    def pad(self, shape):
        d = len(shape) - 1
        amounts = [[int(n) for n in self.rng.integers(0, 3, 2)] for _ in range(d)]
        return getattr(self.layers, f"ZeroPadding{d}D")(amounts if d > 1 else tuple(amounts[0]))

    def crop(self, shape):
        sides = [[int(self.rng.integers(0, (n + 1) // 2)) for _ in "ab"] for n in shape[:-1]]
        return getattr(self.layers, f"Cropping{len(sides)}D")(sides if len(sides) > 1 else sides[0])

    def enlarge(self, shape):
        d = len(shape) - 1
        times = [int(n) for n in self.rng.integers(1, 4, d)]
        return getattr(self.layers, f"UpSampling{d}D")(times if d > 1 else times[0])

    def cell_layer(self, shape, **options):
        kind = self.one_of("LSTM", "GRU", "SimpleRNN")
        if kind != "SimpleRNN" and self.flag(0.3):
            options["recurrent_activation"] = self.one_of("hard_sigmoid", "tanh")
        if kind == "GRU":
            options["reset_after"] = self.flag(0.7)
        if self.flag(0.3):
            options["activation"] = self.one_of("relu", "softsign", "linear")
        return getattr(self.layers, kind)(
            self.size(),
            use_bias=self.flag(0.8),
            dropout=0.2 * self.flag(0.2) * self.noisy,
            **options,
        )

    def recurrent(self, shape):
        sequences = self.flag(0.6)
        return self.cell_layer(
            shape, return_sequences=sequences, go_backwards=self.flag(0.25),
            zero_output_for_mask=sequences and self.flag(0.3),
        )  # fmt: skip

    def bidirectional(self, shape):
        layer = self.cell_layer(shape, return_sequences=self.flag(0.6))
        return self.layers.Bidirectional(
            layer, merge_mode=self.one_of("concat", "sum", "mul", "ave")
        )

    def distributed(self, shape):
        """A layer on steps of time: now and then a model."""
        inner = tuple(shape[1:])
        if self.inside == 0 and self.flag(0.25):
            layer = self.model(inner, "chain", 3)
        else:
            layer = self.layer(inner)
        return self.layers.TimeDistributed(layer)

    # --- graphs ---------------------------------------------------------------------------------

    def called(self, x):
        """What some layer makes of x: of a few tries, the first that Keras takes."""
        for _ in range(8):
            try:
                layer = self.layer(tuple(x.shape[1:]))
                masked = getattr(x, "_keras_mask", None) is not None
                if masked and isinstance(layer, self.layers.Softmax):
                    continue  # it takes masks of another shape
                made = layer(x)
            except (ValueError, TypeError, NotImplementedError):
                continue
            shape = made.shape[1:]
            if 0 < np.prod(shape, dtype=int) <= LARGEST and 1 <= len(shape) <= 4:
                return made
        return self.layers.Identity()(x)

    def merged(self, x, others):
        """x with others of its shape, or some that it broadcasts to or is concatenated with."""
        layers, ops, rank = self.layers, self.package.ops, len(x.shape)
        alike = [y for y in others if tuple(y.shape) == tuple(x.shape)]
        alike = alike or [self.fitted(x)]
        some = [x, *(alike[int(i)] for i in self.rng.integers(len(alike), size=2))]
        how = self.one_of("merge", "merge", "join", "operator", "dot", "stretch")
        if how == "merge":
            name = self.one_of(*MERGES)
            return getattr(layers, name)()(some[: 2 if name == "Subtract" else 3])
        if how == "join":
            joined = [y for y in others if tuple(y.shape[:-1]) == tuple(x.shape[:-1])]
            axis = -1 if joined else int(self.rng.integers(1, rank))
            return layers.Concatenate(axis=axis)([*some[:2], *joined[:1]])
        if how == "operator":
            y = some[1]
            return self.one_of(
                lambda: x + y,
                lambda: x * y,
                lambda: x - 2 * y,
                lambda: x / (2 + y * y),
                lambda: ops.maximum(x, y),
                lambda: ops.sqrt(x * x + 1),
                lambda: ops.log(1 + ops.abs(y)),
                lambda: ops.mean(x, axis=1, keepdims=True) + y,
                lambda: x[:, : max(1, x.shape[1] // 2)],
                lambda: ops.split(ops.concatenate([x, y], axis=-1), 2, axis=-1)[1],
                lambda: ops.exp(-ops.square(x)),
                lambda: ops.where(x > y, x, 0.5 * y),
            )()
        if how == "dot" and rank == 3:
            return layers.Dot(axes=2, normalize=self.flag())([x, some[1]])
        if how == "stretch" and rank > 2:
            scale = layers.Dense(x.shape[-1], "sigmoid")(layers.Flatten()(x))
            scale = layers.Reshape((*(1,) * (rank - 2), x.shape[-1]))(scale)
            return getattr(layers, self.one_of("Multiply", "Add"))()([x, scale])
        return layers.Add()(some)

    def fitted(self, x):
        """Another tensor of x's shape."""
        if self.flag(0.3):
            return self.layers.Activation("tanh")(x)
        return self.layers.Dense(x.shape[-1], self.activation())(x)

    def entered(self, shape=None):
        """A symbolic input, and the first of what becomes of it."""
        if shape is None and self.flag(0.15):
            x = self.package.Input((self.size(),), dtype="int32")
            y = self.layers.Embedding(7, self.size(), mask_zero=self.flag(0.6))(x)
            return x, y
        if shape is None:
            shape = tuple(self.size() for _ in range(self.one_of(1, 2, 2, 2, 3, 3, 4)))
        x = self.package.Input(shape)
        if len(shape) == 2 and self.flag(0.4):
            return x, self.layers.Masking(0.0)(x)
        return x, x

    def model(self, shape=None, form=None, most=8):
        """A model of layers; of samples of a shape, or any. form: "chain" or "graph"."""
        self.inside += 1
        form = form or self.one_of("chain", "graph", "graph")
        count = int(self.rng.integers(1, most + 1))
        if form == "chain":
            x, y = self.entered(shape)
            stack = [] if y is x else [y]
            for _ in range(count):
                y = self.called(y)
                stack.append(y)
            stack = [y._keras_history.operation for y in stack]
            made = self.package.Sequential([self.package.Input(x.shape[1:], dtype=x.dtype), *stack])
        else:
            inputs, known = zip(
                *(self.entered(shape) for _ in range(self.one_of(1, 1, 2) if shape is None else 1)),
                strict=True,
            )
            known = list(known)
            for _ in range(count):
                x = known[-1] if self.flag(0.6) else self.one_of(*known)
                known.append(self.extended(x, known))
            outputs = [known[-1]]
            if shape is None:
                outputs += [x for x in known[len(inputs) : -1] if self.flag(0.15)]
            if len(inputs) > 1:  # each of them leads somewhere
                outputs += [self.called(y) for y in known[: len(inputs)]]
            made = self.package.Model(list(inputs), outputs if len(outputs) > 1 else outputs[0])
        self.inside -= 1
        return made

    def extended(self, x, known):
        """One more tensor of a graph: by a layer, by one that is shared, by a merge, by a model."""
        if self.flag(0.3):
            return self.merged(x, known)
        if self.flag(0.1):
            layer = self.layers.Dense(x.shape[-1], self.activation())
            return layer(layer(x))
        if self.flag(0.1) and self.inside < 2:
            return self.model(tuple(x.shape[1:]), most=4)(x)
        return self.called(x)

    # --- arrays ---------------------------------------------------------------------------------

    def fill(self, model):
        """Give a model random weights, rounded to float32."""
        for w in model.weights:
            if "seed" in w.path or "count" in w.path:
                continue
            shape = tuple(w.shape)
            fan = np.prod(shape[:-1]) if len(shape) > 1 else 4
            value = self.rng.normal(size=shape) / np.sqrt(max(fan, 1))
            if "variance" in w.path or "gamma" in w.path:
                value = 0.5 + np.abs(value)
            w.assign(value.astype(np.float32))

    def data(self, model, rows):
        """Arrays for a model's inputs, with steps of zeros for masks to find."""
        arrays = []
        for x in model.inputs:
            shape = (rows, *x.shape[1:])
            if "int" in str(x.dtype):
                arrays.append(self.rng.integers(0, 7, shape).astype(np.int32))
                continue
            made = self.rng.normal(size=shape).astype(np.float32)
            if len(shape) == 3:
                made[self.rng.random(shape[:2]) < 0.3] = 0
            arrays.append(made)
        return arrays


def flat(outputs):
    """Outputs of a model as a list of arrays."""
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    return [np.asarray(y) for y in outputs]
