"""BatchNormalization: channels by the moments of the batch, or by averages of them."""

from __future__ import annotations

from typing import Any

import numpy as np

from ... import _legacy, _plan, _tape, backend, constraints, initializers, ops, regularizers
from ..._arguments import check_numbers
from ..._symbolic import Shape
from ..input_spec import InputSpec
from ..layer import Layer
from . import renormalization

# Keys of Keras 2's configs that have no meaning here.
_OLD_KEYS = ("virtual_batch_size", "fused", "adjustment")


class BatchNormalization(Layer):
    """Normalises every channel: `gamma * (x - mean) / sqrt(variance + epsilon) + beta`.

    In training, unless the layer is frozen, mean and variance are those of the batch (the
    population variance, over all axes but `axis`), and the moving averages approach them; otherwise
    they are these averages. At inference the layer joins the product before it and costs nothing.

    Args:
        axis: the axis of the channels, counted with the batch axis.
        momentum: share of its value that a moving average keeps.
        epsilon: added to the variance.
        center: whether `beta` is added.
        scale: whether `gamma` is multiplied by.
        beta_initializer: initializer of `beta`, shape `(channels,)`, as the other weights have.
        gamma_initializer: initializer of `gamma`.
        moving_mean_initializer: initializer of the moving mean.
        moving_variance_initializer: initializer of the moving variance.
        beta_regularizer: penalty on `beta`, in `losses`.
        gamma_regularizer: penalty on `gamma`.
        beta_constraint: projection of `beta` after each optimizer step.
        gamma_constraint: projection of `gamma`.
        renorm: whether to train with corrections towards the moving averages (Ioffe, "Batch
            renormalization", 2017).
        renorm_clipping: bounds of these corrections: "rmax", "rmin", "dmax".
        renorm_momentum: momentum of the averages that the corrections go by.
        synchronized: must be False.
        **kwargs: base layer keywords: `name`, `dtype`, `trainable`.

    Input shape:
        Any of rank 1 or more. A mask, of rank one less, says which positions the moments are of.

    Output shape:
        The input's.

    Raises:
        TypeError: an `axis` that is no int.
        ValueError: an axis that the input does not have, other `channels` than at the first call,
            bounds of another name or in the wrong order, `synchronized=True`.
    """

    integer_input = "cast"

    @_legacy.accepts_old_names
    def __init__(
        self,
        axis: int = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        beta_constraint: Any = None,
        gamma_constraint: Any = None,
        renorm: bool = False,
        renorm_clipping: dict[str, float] | None = None,
        renorm_momentum: float = 0.99,
        synchronized: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not hasattr(axis, "__index__"):
            raise TypeError(f"Layer '{self.name}': `axis` must be an int. Received: axis={axis!r}")
        self.axis = int(axis)
        if synchronized:
            raise ValueError(
                f"Layer '{self.name}': `synchronized` must be False, there is one device."
            )
        self.synchronized = synchronized
        check_numbers(f"Layer '{self.name}'", momentum=momentum, epsilon=epsilon)
        self.momentum = float(momentum)
        self.epsilon = float(epsilon)
        self.center = center
        self.scale = scale
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)
        self.beta_constraint = constraints.get(beta_constraint)
        self.gamma_constraint = constraints.get(gamma_constraint)
        self.renorm = renorm
        if renorm:
            renorm_clipping = renormalization.checked(renorm_clipping, self.name)
        self.renorm_clipping = renorm_clipping
        self.renorm_momentum = renorm_momentum
        self.gamma: Any = None
        self.beta: Any = None
        self.moving_mean: Any = None
        self.moving_variance: Any = None
        self.supports_masking = True

    def build(self, input_shape: Shape) -> None:
        self._check_axis(input_shape)
        shape = (input_shape[self.axis],)
        if self.scale:
            self.gamma = self.add_weight(
                name="gamma",
                shape=shape,
                initializer=self.gamma_initializer,
                regularizer=self.gamma_regularizer,
                constraint=self.gamma_constraint,
            )
        if self.center:
            self.beta = self.add_weight(
                name="beta",
                shape=shape,
                initializer=self.beta_initializer,
                regularizer=self.beta_regularizer,
                constraint=self.beta_constraint,
            )
        self.moving_mean = self.add_weight(
            name="moving_mean",
            shape=shape,
            initializer=self.moving_mean_initializer,
            trainable=False,
        )
        self.moving_variance = self.add_weight(
            name="moving_variance",
            shape=shape,
            initializer=self.moving_variance_initializer,
            trainable=False,
        )
        if self.renorm:
            renormalization.build(self, shape)
        self.input_spec = InputSpec(ndim=len(input_shape), axes={self.axis: shape[0]})

    def _check_axis(self, input_shape: Shape) -> int:
        rank = len(input_shape)
        if not -rank <= self.axis < rank:
            raise ValueError(
                f"Layer '{self.name}': axis={self.axis} is out of bounds for an input of shape "
                f"{tuple(input_shape)}"
            )
        return self.axis % rank

    def emit(self, flow: Any, x: Any) -> Any:
        axis = self._check_axis((None, *x.shape))
        if flow.training and self.trainable:
            return _plan.Seam(x, self._train, self._normalized(axis == len(x.shape)))
        if axis == 0 or flow.learns(self.gamma) or flow.learns(self.beta):
            return _plan.Seam(x, lambda array, mask: self._normalize(array))
        rest = (1,) * (len(x.shape) - axis)

        def fitted(values: np.ndarray) -> np.ndarray:
            return values.reshape(-1, *rest)

        def factor(variance: np.ndarray, *gamma: np.ndarray) -> np.ndarray:
            found = 1 / np.sqrt(variance + self.epsilon)
            return fitted(found * gamma[0] if gamma else found)

        gamma = (self.gamma,) if self.scale else ()
        scale = flow.derived(factor, self.moving_variance, *gamma)
        mean = flow.derived(fitted, self.moving_mean)
        shift = flow.derived(fitted, self.beta) if self.center else None
        return _plan.affine(flow, x, scale, mean, shift)

    def _normalized(self, last: bool) -> _plan.Normalized | None:
        """Say what `_train` does, if the kernels can: for channels in the last axis."""
        if self.renorm or not last:
            return None
        return _plan.Normalized(
            self.gamma, self.beta, self.moving_mean, self.moving_variance,
            self.momentum, self.epsilon, backend.epsilon(),
        )  # fmt: skip

    def _normalize(self, x: Any, mean: Any = None, variance: Any = None) -> Any:
        """By ops: what is recorded is differentiated. By the moving averages unless others are
        given."""
        shape = [-1 if axis == self.axis % x.ndim else 1 for axis in range(x.ndim)]
        mean = self.moving_mean.numpy() if mean is None else mean
        variance = self.moving_variance.numpy() if variance is None else variance
        scale = ops.rsqrt(ops.reshape(variance, shape) + self.epsilon)
        y = (x - ops.reshape(mean, shape)) * scale
        if self.scale:
            y = y * ops.reshape(self.gamma.value, shape)
        return y + ops.reshape(self.beta.value, shape) if self.center else y

    def _train(self, x: Any, mask: np.ndarray | None) -> Any:
        if mask is not None and not (
            mask.ndim == x.ndim - 1
            and all(m in (1, n) for m, n in zip(mask.shape, x.shape, strict=False))
        ):
            raise ValueError(
                f"Layer '{self.name}': the mask must have one axis less than the inputs, and "
                f"broadcast to them. Received: mask of shape {mask.shape}, inputs of shape "
                f"{x.shape}"
            )
        last = self.axis % x.ndim == x.ndim - 1
        if len(x) == 0:
            return self._normalize(x)
        if self.renorm or (mask is not None and not last):
            return self._train_by_ops(x, mask)
        array = _tape.value_of(x)
        moved = array if last else _plan.apply_permute(array, self._to_last(x.ndim))
        moved = np.ascontiguousarray(moved)
        keep = mask
        if mask is not None:
            keep = np.ascontiguousarray(np.broadcast_to(mask, moved.shape[:-1]), np.bool_)
        gamma, beta = (None if w is None else w.numpy() for w in (self.gamma, self.beta))
        y, mean, variance, back = _plan.batch_normalize(
            moved, keep, gamma, beta, self.epsilon, backend.epsilon()
        )
        self._move(mean, variance)
        if not last:
            y = _plan.apply_permute(y, self._from_last(x.ndim))

        def vjp(dy: np.ndarray) -> list[Any]:
            if last:
                return back(dy)
            dx, *others = back(_plan.apply_permute(dy, self._to_last(dy.ndim)))
            return [_plan.apply_permute(dx, self._from_last(dy.ndim)), *others]

        own = [None if w is None else _tape.leaf_of(w) for w in (self.gamma, self.beta)]
        return _tape.external([x, *own], y, vjp)

    def _to_last(self, rank: int) -> list[int]:
        axis = self.axis % rank
        return [a for a in range(rank) if a != axis] + [axis]

    def _from_last(self, rank: int) -> list[int]:
        return np.argsort(self._to_last(rank)).tolist()

    def _train_by_ops(self, x: Any, mask: np.ndarray | None) -> Any:
        axes = [axis for axis in range(x.ndim) if axis != self.axis % x.ndim]
        if mask is None:
            mean, variance = ops.moments(x, axes)
        else:
            keep = np.broadcast_to(np.asarray(mask, bool)[..., None], x.shape)
            count = keep.sum(tuple(axes), keepdims=True).astype(x.dtype) + backend.epsilon()
            mean = ops.sum(ops.where(keep, x, 0), axes, keepdims=True) / count
            off = ops.where(keep, x - mean, 0)
            variance = ops.sum(off * off, axes, keepdims=True) / count
            mean, variance = ops.reshape(mean, (-1,)), ops.reshape(variance, (-1,))
        if self.renorm:
            return renormalization.normalize(self, x, mean, variance)
        self._move(_tape.value_of(mean), _tape.value_of(variance))
        return self._normalize(x, mean, variance)

    def _move(self, mean: np.ndarray, variance: np.ndarray) -> None:
        """Let the moving averages approach the moments, once the step of training is done."""
        keep = self.momentum

        def update() -> None:
            self.moving_mean.assign(self.moving_mean.numpy() * keep + mean * (1 - keep))
            self.moving_variance.assign(self.moving_variance.numpy() * keep + variance * (1 - keep))

        _plan.afterwards(update)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        self._check_axis(input_shape)
        return tuple(input_shape)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "axis": self.axis,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "center": self.center,
            "scale": self.scale,
            "beta_initializer": initializers.serialize(self.beta_initializer),
            "gamma_initializer": initializers.serialize(self.gamma_initializer),
            "moving_mean_initializer": initializers.serialize(self.moving_mean_initializer),
            "moving_variance_initializer": initializers.serialize(self.moving_variance_initializer),
            "beta_regularizer": regularizers.serialize(self.beta_regularizer),
            "gamma_regularizer": regularizers.serialize(self.gamma_regularizer),
            "beta_constraint": constraints.serialize(self.beta_constraint),
            "gamma_constraint": constraints.serialize(self.gamma_constraint),
            "synchronized": self.synchronized,
            "renorm": self.renorm,
            "renorm_clipping": self.renorm_clipping,
            "renorm_momentum": self.renorm_momentum,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> BatchNormalization:
        """Return a new layer; Keras 2's configs have the axis in a list, and other keys besides."""
        config = {key: value for key, value in config.items() if key not in _OLD_KEYS}
        axis = config.get("axis")
        if isinstance(axis, (list, tuple)) and len(axis) == 1:
            config["axis"] = axis[0]
        return cls(**config)
