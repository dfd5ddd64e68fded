"""The few Keras layers that the course needs and Keras lacks.

Example:
    >>> import keras
    >>> from helpers.layers import DropConnect
    >>> model = keras.Sequential([keras.Input((4,)), DropConnect(3, rate=0.5)])
    >>> model.output_shape
    (None, 3)
"""

import helpers.quiet  # noqa: F401, I001  loads TensorFlow without its start-up messages
import keras
from keras import ops

from helpers.checks import check_count, check_rate, shown


@keras.saving.register_keras_serializable(package="dropout_course")
class DropConnect(keras.layers.Dense):
    """A Dense layer that drops single weights instead of whole inputs.

    While training, each case of the batch meets its own thinned kernel: a weight is zero with
    probability `rate`, else divided by 1 - rate. The bias is kept. At inference the layer is the
    plain Dense layer, where Wan et al. sample from a Gaussian instead. The masks of one step hold
    batch × inputs × units numbers, so this is a layer for small networks.

    Args:
        units: Number of outputs, at least 1.
        rate: Probability of dropping a weight, 0 <= rate < 1.
        seed: Whole number that makes the sequence of masks repeatable; drawn anew when None.
        **kwargs: Everything else that `keras.layers.Dense` takes, such as `activation`.

    Returns:
        Calling it takes (batch, inputs) to (batch, units).

    Raises:
        TypeError: If an argument is not a number.
        ValueError: If it is outside its range, or the input has not two axes.

    Source:
        Wan et al. (2013), Regularization of Neural Networks using DropConnect, section 3.

    Example:
        >>> layer = DropConnect(2, rate=0.5, kernel_initializer="ones", seed=1)
        >>> layer(ops.ones((1, 3))).numpy().tolist()
        [[3.0, 3.0]]
        >>> set(layer(ops.eye(3), training=True).numpy().ravel().tolist()) <= {0.0, 2.0}
        True
    """

    def __init__(self, units: int, rate: float, *, seed: int | None = None, **kwargs):
        super().__init__(check_count(units, "units"), **kwargs)
        self.rate = check_rate(rate)
        self.seed = _check_seed(seed)
        self.seed_generator = keras.random.SeedGenerator(self.seed)

    def build(self, input_shape):  # noqa: D102
        if len(input_shape) != 2:
            raise ValueError(f"inputs must have shape (batch, inputs), received {input_shape}")
        super().build(input_shape)

    def call(self, inputs, training=False):  # noqa: D102
        if not training or self.rate == 0:
            return super().call(inputs)
        kernels = ops.broadcast_to(self.kernel, (ops.shape(inputs)[0], *self.kernel.shape))
        kernels = keras.random.dropout(kernels, self.rate, seed=self.seed_generator)
        outputs = ops.squeeze(ops.matmul(ops.expand_dims(inputs, 1), kernels), 1)
        if self.use_bias:
            outputs = ops.add(outputs, self.bias)
        return outputs if self.activation is None else self.activation(outputs)

    def get_config(self):  # noqa: D102
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


@keras.saving.register_keras_serializable(package="dropout_course")
class TunableDropout(keras.layers.Layer):
    """Dropout whose rate may change at any time, even inside a compiled function.

    `keras.layers.Dropout` is compiled with the rate that it was built with. Here the rate is a
    variable, so that moving it costs no new trace. With one seed and one rate the masks are those
    of `keras.layers.Dropout`.

    Args:
        rate: Probability of dropping a unit, 0 <= rate < 1; assign to `layer.rate` to change it.
        seed: Whole number that makes the sequence of masks repeatable; drawn anew when None.
        **kwargs: `name`, `dtype` and what else every Keras layer takes.

    Returns:
        Calling it returns a tensor of the shape that it was given.

    Raises:
        TypeError: If `rate` or `seed` is not a number.
        ValueError: If it is outside its range.

    Source:
        Srivastava et al. (2014), Dropout, section 4.

    Example:
        >>> layer = TunableDropout(0.0)
        >>> layer(ops.ones(4), training=True).numpy().tolist()
        [1.0, 1.0, 1.0, 1.0]
        >>> layer.rate = 0.5
        >>> set(layer(ops.ones(1000), training=True).numpy().tolist()) == {0.0, 2.0}
        True
    """

    def __init__(self, rate: float, *, seed: int | None = None, **kwargs):
        super().__init__(**kwargs)
        self.seed = _check_seed(seed)
        self.seed_generator = keras.random.SeedGenerator(self.seed)
        self.supports_masking = True
        # autocast would round the rate in mixed precision
        self._rate = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(check_rate(rate)),
            dtype="float32",
            trainable=False,
            autocast=False,
            name="rate",
        )
        self.built = True

    @property
    def rate(self) -> float:
        """The probability of dropping, as it stands now."""
        # float32 holds 0.1 as 0.10000000149
        return round(float(self._rate), 6)

    @rate.setter
    def rate(self, rate: float) -> None:
        self._rate.assign(check_rate(rate))

    def call(self, inputs, training=False):  # noqa: D102
        if not training:
            return inputs
        draws = keras.random.uniform(ops.shape(inputs), dtype="float32", seed=self.seed_generator)
        scale = ops.cast(1 / (1 - self._rate), inputs.dtype)
        return ops.where(draws >= self._rate, inputs * scale, ops.zeros_like(inputs))

    def compute_output_shape(self, input_shape):  # noqa: D102
        return input_shape

    def get_config(self):  # noqa: D102
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


@keras.saving.register_keras_serializable(package="dropout_course")
class StepDropout(keras.layers.Layer):
    """A recurrent cell whose state meets a new mask at every time step: the naive way.

    Put it into `keras.layers.RNN`. The variational way, one mask for all time steps, is the
    `recurrent_dropout` of Keras's own cells.

    Args:
        cell: A Keras recurrent cell without dropout of its own.
        rate: Probability of dropping a unit of the state at each step, 0 <= rate < 1.
        state: Which state is dropped: 0 is the output h; 1 is the memory c of an `LSTMCell`.
        seed: Whole number that makes the sequence of masks repeatable; drawn anew when None.
        **kwargs: `name`, `dtype` and what else every Keras layer takes.

    Returns:
        Calling it takes (batch, features) and the states to an output and the new states.

    Raises:
        TypeError: If `cell` is not a recurrent cell, or another argument is not a number.
        ValueError: If a number is outside its range, the cell has no such state, or it has dropout.

    Source:
        Gal & Ghahramani (2016), A Theoretically Grounded Application of Dropout in Recurrent
        Neural Networks, figure 1.

    Example:
        >>> layer = keras.layers.RNN(StepDropout(keras.layers.LSTMCell(3), rate=0.5, state=1))
        >>> layer(ops.ones((2, 7, 4))).shape
        TensorShape([2, 3])
    """

    def __init__(
        self,
        cell: keras.layers.Layer,
        rate: float,
        *,
        state: int = 0,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.rate = check_rate(rate)
        self.state = check_count(state, "state", minimum=0)
        parts = ("state_size", "output_size")
        if not isinstance(cell, keras.layers.Layer) or not all(hasattr(cell, p) for p in parts):
            raise TypeError(f"cell must be a recurrent cell of Keras, received {shown(cell)}")
        # Keras would keep one cached mask of a wrapped cell for good
        if getattr(cell, "dropout", 0) or getattr(cell, "recurrent_dropout", 0):
            raise ValueError(f"cell must have no dropout of its own, received {cell.get_config()}")
        sizes = cell.state_size
        count = len(sizes) if isinstance(sizes, (list, tuple)) else 1
        if self.state >= count:
            raise ValueError(f"state must be below {count} for this cell, received {state!r}")
        self.cell = cell
        self.state_size = sizes
        self.output_size = cell.output_size
        self.seed = _check_seed(seed)
        self.seed_generator = keras.random.SeedGenerator(self.seed)

    def build(self, input_shape):  # noqa: D102
        if not self.cell.built:
            self.cell.build(input_shape)
            self.cell.built = True

    def call(self, inputs, states, training=False):  # noqa: D102
        states = list(states)
        if training:
            states[self.state] = keras.random.dropout(
                states[self.state], self.rate, seed=self.seed_generator
            )
        return self.cell(inputs, states, training=training)

    def get_initial_state(self, batch_size=None):  # noqa: D102
        return self.cell.get_initial_state(batch_size=batch_size)

    def get_config(self):  # noqa: D102
        return {
            **super().get_config(),
            "cell": keras.saving.serialize_keras_object(self.cell),
            "rate": self.rate,
            "state": self.state,
            "seed": self.seed,
        }

    @classmethod
    def from_config(cls, config):  # noqa: D102
        cell = keras.saving.deserialize_keras_object(config["cell"])
        return cls(**{**config, "cell": cell})


def _check_seed(seed: int | None) -> int | None:
    return None if seed is None else check_count(seed, "seed", minimum=0)
