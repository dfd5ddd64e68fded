"""The few Keras layers that the course needs and Keras lacks, and a switch for dropout alone."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from unittest import mock

import numpy as np

from helpers._engine.backend import keras
from helpers._engine.checks import check_rate

ops, random = keras.ops, keras.random
_RECURRENT = ("SimpleRNN", "GRU", "LSTM")
register = keras.saving.register_keras_serializable(package="dropout_course")


@register
class DropConnect(keras.layers.Dense):
    """A Dense layer that drops single weights, not whole inputs: Wan et al. (2013), section 3.

    While training, each case of the batch meets its own thinned kernel: a weight is zero with
    probability `rate`, else divided by 1 - rate; the bias is kept. At inference it is a plain Dense
    layer, where Wan et al. sample from a Gaussian. A step draws batch × inputs × units numbers.

    Args:
        units: Number of outputs.
        rate: Probability of dropping a weight, 0 <= rate < 1.
        seed: Makes the sequence of masks repeatable.
        **kwargs: What `keras.layers.Dense` takes besides, such as `activation`.

    Example:
        >>> layer = DropConnect(2, rate=0.5, kernel_initializer="ones")
        >>> set(layer(ops.eye(3), training=True).numpy().ravel().tolist()) <= {0.0, 2.0}
        True
    """

    def __init__(self, units: int, rate: float, *, seed: int | None = None, **kwargs):
        super().__init__(units, **kwargs)
        self.rate, self.seed = check_rate(rate), seed
        self.seed_generator = random.SeedGenerator(seed)

    def build(self, input_shape):  # noqa: D102
        if len(input_shape) != 2:
            raise ValueError(f"inputs must have shape (batch, inputs), received {input_shape}")
        super().build(input_shape)

    def call(self, inputs, training=False):  # noqa: D102
        if not training:
            return super().call(inputs)
        kernels = ops.broadcast_to(self.kernel, (ops.shape(inputs)[0], *self.kernel.shape))
        kernels = random.dropout(kernels, self.rate, seed=self.seed_generator)
        outputs = ops.squeeze(ops.matmul(ops.expand_dims(inputs, 1), kernels), 1)
        return self.activation(outputs + self.bias if self.use_bias else outputs)

    def get_config(self):  # noqa: D102
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


@register
class TunableDropout(keras.layers.Layer):
    """Dropout whose rate a compiled model reads anew at every step; else as `keras.layers.Dropout`.

    Args:
        rate: Probability of dropping a unit, 0 <= rate < 1; assign to `layer.rate` to change it.
        seed: Makes the sequence of masks repeatable.

    Example:
        >>> layer = TunableDropout(0.0)
        >>> layer.rate = 0.5
        >>> set(layer(ops.ones(1000), training=True).numpy().tolist()) == {0.0, 2.0}
        True
    """

    def __init__(self, rate: float, *, seed: int | None = None, **kwargs):
        super().__init__(**kwargs)
        self.seed, self.supports_masking = seed, True
        self.seed_generator = random.SeedGenerator(seed)
        # in mixed precision autocast would round the rate
        start = keras.initializers.Constant(check_rate(rate))
        self._rate = self.add_weight((), start, "float32", trainable=False, autocast=False)

    @property
    def rate(self) -> float:
        """The probability of dropping, as it stands now."""
        return round(float(self._rate), 6)  # float32 holds 0.1 as 0.10000000149

    @rate.setter
    def rate(self, rate: float) -> None:
        self._rate.assign(check_rate(rate))

    def call(self, inputs, training=False):  # noqa: D102
        if not training:
            return inputs
        draws = random.uniform(ops.shape(inputs), dtype="float32", seed=self.seed_generator)
        scale = ops.cast(1 / (1 - self._rate), inputs.dtype)
        return ops.where(draws >= self._rate, inputs * scale, ops.zeros_like(inputs))

    def get_config(self):  # noqa: D102
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}


@register
class StepDropout(keras.layers.Layer):
    """A recurrent cell whose state meets a new mask at every step: Gal & Ghahramani (2016), fig. 1.

    This is the naive way; put it into `keras.layers.RNN`. The variational way, one mask for all
    time steps, is the `recurrent_dropout` of Keras's own cells.

    Args:
        cell: A Keras recurrent cell without dropout of its own.
        rate: Probability of dropping a unit of the state at each step, 0 <= rate < 1.
        state: Which state is dropped: 0 is the output h; 1 is the memory c of an `LSTMCell`.
        seed: Makes the sequence of masks repeatable.

    Example:
        >>> layer = keras.layers.RNN(StepDropout(keras.layers.LSTMCell(3), rate=0.5, state=1))
        >>> layer(ops.ones((2, 7, 4))).shape
        TensorShape([2, 3])
    """

    def __init__(self, cell, rate: float, *, state: int = 0, seed: int | None = None, **kwargs):
        super().__init__(**kwargs)
        # Keras would keep one cached mask of a wrapped cell for good
        if cell.get_config().get("dropout") or cell.get_config().get("recurrent_dropout"):
            raise ValueError(f"cell must have no dropout of its own, received {cell.get_config()}")
        self.cell, self.rate, self.state, self.seed = cell, check_rate(rate), state, seed
        self.state_size, self.output_size = cell.state_size, cell.output_size
        self.seed_generator = random.SeedGenerator(seed)

    def build(self, input_shape):  # noqa: D102
        if not self.cell.built:
            self.cell.build(input_shape)

    def call(self, inputs, states, training=False):  # noqa: D102
        states, i = list(states), self.state
        if training:
            states[i] = random.dropout(states[i], self.rate, seed=self.seed_generator)
        return self.cell(inputs, states, training=training)

    def get_initial_state(self, batch_size=None):  # noqa: D102
        return self.cell.get_initial_state(batch_size=batch_size)

    def get_config(self):  # noqa: D102
        cell = keras.saving.serialize_keras_object(self.cell)
        settings = {"cell": cell, "rate": self.rate, "state": self.state, "seed": self.seed}
        return {**super().get_config(), **settings}

    @classmethod
    def from_config(cls, config):  # noqa: D102
        cell = keras.saving.deserialize_keras_object(config["cell"])
        return cls(**{**config, "cell": cell})


def side_by_side(networks: int, gates: int = 0) -> dict[str, Callable]:
    """Arguments that make one wide layer several networks: blocks of its kernels that never touch.

    Each block starts as Keras starts that network alone (Glorot's uniform weights, orthogonal ones
    on a state), and a constraint keeps the weights between the blocks at zero.

    Args:
        networks: Number of networks; the layer has so many times the inputs and units of one.
        gates: 0 for `keras.layers.Dense`, 1 for a SimpleRNN, 3 for a GRU, 4 for an LSTM.

    Returns:
        Initializer and constraint of the kernel and, with gates, of the recurrent kernel.

    Example:
        >>> layer = keras.layers.Dense(4, **side_by_side(2))
        >>> layer.build((None, 2))
        >>> (layer.kernel.numpy() != 0).astype(int).tolist()
        [[1, 1, 0, 0], [0, 0, 1, 1]]
    """
    shares = max(gates, 1)

    def between_blocks_zero(kernel):
        rows, columns = kernel.shape[0] // networks, kernel.shape[1] // networks // shares
        return kernel * np.tile(np.kron(np.eye(networks), np.ones((rows, columns))), shares)

    def blocks_of(name):
        each = [keras.initializers.get(name) for _ in range(networks)]

        def initial(shape, dtype=None):
            rows, columns = shape[0] // networks, shape[1] // networks
            tall = np.concatenate([draw((rows, columns)) for draw in each])
            wide = np.tile(tall.reshape(len(tall), shares, -1), networks).reshape(shape)
            return ops.convert_to_tensor(between_blocks_zero(wide), dtype)

        return initial

    kernels = {"kernel": "glorot_uniform"} | ({"recurrent": "orthogonal"} if gates else {})
    starts = {f"{kernel}_initializer": blocks_of(name) for kernel, name in kernels.items()}
    return starts | {f"{kernel}_constraint": between_blocks_zero for kernel in kernels}


@contextmanager
def dropout_on(model: keras.Model) -> Iterator[keras.Model]:
    """Let a model's dropout act while the `with` block lasts, and leave all else at inference.

    `model(x, training=True)` makes batch normalisation use the batch, and learn from it, too. Here
    only what drops does so: Dropout, its spatial, Gaussian and alpha kin, that inside attention and
    recurrent layers, and the layers of this module. They are found in nested and subclassed models.

    Args:
        model: Any Keras model that is built; it is left as it was, but for the state of its seeds.

    Raises:
        ValueError: If the model has no layer that drops: it would give one answer a hundred times.

    Source:
        Gal and Ghahramani (2016), Dropout as a Bayesian Approximation, for Monte Carlo dropout.

    Example:
        >>> model = keras.Sequential([keras.layers.Dropout(0.5), keras.layers.BatchNormalization()])
        >>> once = model(ops.ones((1, 100)))
        >>> with dropout_on(model):
        ...     again = model(ops.ones((1, 100)))
        >>> [len(set(found.numpy().round(1).ravel().tolist())) for found in (once, again)]
        [1, 2]
    """
    dropping = [layer for layer in model._flatten_layers() if _drops(layer)]
    if not dropping:
        raise ValueError("model must have a layer that drops, received one that has none")
    graphs = ("predict_function", "test_function")  # traced without dropout, or with it
    with ExitStack() as undo:
        for layer in dropping:
            undo.enter_context(mock.patch.object(layer, "call", _training(layer.call)))
        for name in graphs:
            undo.enter_context(mock.patch.object(model, name, None))
        yield model


def _drops(layer: keras.Layer) -> bool:
    """Return whether a layer drops something itself, not by a layer inside it."""
    kinds = (keras.layers.Dropout, keras.layers.GaussianDropout, keras.layers.AlphaDropout)
    if isinstance(layer, (*kinds, DropConnect, TunableDropout, StepDropout)):
        return True
    kinds = (keras.layers.RNN, *(getattr(keras.layers, f"{n}Cell") for n in _RECURRENT))
    rates = (getattr(layer, name, 0) for name in ("dropout", "recurrent_dropout"))
    return isinstance(layer, kinds) and any(rates)


def _training(call: Callable) -> Callable:
    """Return a layer's `call` with training=True, whatever it is told."""
    return lambda *args, **kwargs: call(*args, **{**kwargs, "training": True})
