"""Many small networks at once: every setting with every seed, in one compiled program.

You write a function that builds and compiles a Keras model for one setting, as you would for a
single network. `train` reads its layers, initializers, loss and optimizer and trains a copy for
every setting and seed, on all cores. What a copy learns depends on its setting, its seed and its
data alone.

Example:
    >>> import numpy as np
    >>> from helpers import sweeps
    >>> def build(rate):
    ...     model = keras.Sequential(
    ...         [keras.Input((2,)), keras.layers.Dense(8, "relu"), keras.layers.Dropout(rate)]
    ...     )
    ...     model.add(keras.layers.Dense(1, "sigmoid"))
    ...     model.compile(loss="binary_crossentropy", optimizer="adam")
    ...     return model
    >>> x, y = np.eye(2), np.array([0, 1])
    >>> trained = sweeps.train(build, [0.0, 0.5], x, y, seeds=range(3), epochs=5)
    >>> trained.evaluate(x, y).accuracy.shape
    (2, 3)
"""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from typing import NamedTuple

import joblib
import numpy as np

import helpers.quiet  # noqa: F401
from helpers.checks import check_array, check_count, check_sequence, check_type
from helpers.progress import Progress
from helpers.replicas import Plan, forward, initial_state, losses, penalty, program, read_model

import keras  # isort: skip
import tensorflow as tf  # isort: skip

# a chunk of copies should leave room in a core's cache: the values of its widest layer, in bytes
_CHUNK_BYTES = 500_000
_LARGEST_CHUNK = 64
_PREDICTION_BYTES = 8_000_000
_RECORDS_A_CALL = 100


class Evaluation(NamedTuple):
    """Loss and accuracy of every copy, without noise, shape (settings, seeds) each.

    Example:
        >>> Evaluation(np.array([[0.7]]), np.array([[0.5]])).accuracy
        array([[0.5]])
    """

    loss: np.ndarray
    accuracy: np.ndarray


@dataclass(frozen=True, eq=False, repr=False)
class Sweep:
    """Trained copies of a network: one for every setting and every seed.

    Args:
        settings: What was handed to `build`, in order.
        seeds: The seed of each repeat.
        epochs: How long each copy was trained.
        weights: Kernels (settings, seeds, inputs, units) and biases (settings, seeds, units),
            layer by layer.
        curves: Loss and accuracy after every few epochs, shape (settings, seeds, records) each;
            "loss" and "accuracy" are those of training, noise included, as `fit` reports them.
        recorded: The epochs after which the curves were recorded, counted from 1.

    Example:
        >>> Sweep((0.0, 0.5), (0, 1, 2), 40, (), {}, np.array([40]), None, (), None)
        Sweep(2 settings × 3 seeds, 40 epochs)
    """

    settings: tuple
    seeds: tuple[int, ...]
    epochs: int
    weights: tuple[np.ndarray, ...]
    curves: dict[str, np.ndarray]
    recorded: np.ndarray
    _plan: Plan
    _numbers: np.ndarray
    _build: Callable

    def __repr__(self) -> str:
        sizes = f"{len(self.settings)} settings × {len(self.seeds)} seeds"
        return f"{type(self).__name__}({sizes}, {self.epochs} epochs)"

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return what every copy says of the same rows, as `model.predict` does.

        Args:
            x: Rows of shape (n, inputs), or (seeds, n, inputs) for rows of its own for each seed.

        Returns:
            Probabilities, shape (settings, seeds, n) for one output unit, else with an axis of
            classes at the end.

        Raises:
            TypeError: If `x` is not numeric.
            ValueError: If its shape does not fit.

        Example:
            >>> def build(rate):
            ...     model = keras.Sequential([keras.Input((2,)), keras.layers.Dropout(rate)])
            ...     model.add(keras.layers.Dense(1, "sigmoid"))
            ...     model.compile("adam", "binary_crossentropy")
            ...     return model
            >>> trained = train(build, [0.0, 0.5], np.eye(2), [0, 1], seeds=range(3), epochs=5)
            >>> trained.predict(np.zeros((4, 2))).shape
            (2, 3, 4)
        """
        x = _rows(x, "x", self._plan, len(self.seeds))

        def probabilities(weights: list, numbers: tf.Tensor, rows: tf.Tensor) -> tuple:
            outputs = forward(self._plan, weights, rows)
            if self._plan.loss == "binary_crossentropy":
                return (tf.sigmoid(outputs),)
            return (tf.nn.softmax(outputs),)

        (values,) = self._each_chunk(probabilities, x)
        return values[..., 0] if self._plan.outputs == 1 else values

    def evaluate(self, x: np.ndarray, y: np.ndarray) -> Evaluation:
        """Return the loss, penalties included, and the accuracy of every copy, without noise.

        Args:
            x: Rows of shape (n, inputs), or (seeds, n, inputs) for rows of its own for each seed.
            y: Their targets, shape (n,) or (seeds, n); with a last axis of outputs where the loss
                wants one.

        Returns:
            Loss and accuracy, shape (settings, seeds) each.

        Raises:
            TypeError: If the data are not numeric.
            ValueError: If their shapes do not fit.

        Example:
            >>> def build(rate):
            ...     model = keras.Sequential([keras.Input((2,)), keras.layers.Dropout(rate)])
            ...     model.add(keras.layers.Dense(1, "sigmoid"))
            ...     model.compile("adam", "binary_crossentropy")
            ...     return model
            >>> trained = train(build, [0.0, 0.5], np.eye(2), [0, 1], seeds=range(3), epochs=5)
            >>> trained.evaluate(np.eye(2), [0, 1]).loss.shape
            (2, 3)
        """
        data = _data((x, y), "x", "y", self._plan, len(self.seeds))

        def scores(weights: list, numbers: tf.Tensor, x: tf.Tensor, y: tf.Tensor) -> tuple:
            loss, right = losses(self._plan, forward(self._plan, weights, x), y)
            loss = tf.reduce_mean(loss, 1) + penalty(self._plan, weights, numbers)
            return loss, tf.reduce_mean(right, 1)

        return Evaluation(*self._each_chunk(scores, *data))

    def to_keras(self, setting: int, seed: int) -> "keras.Sequential":
        """Return one copy as the Keras model that `build` makes, with its trained weights.

        Args:
            setting: Which setting, an index into `settings`.
            seed: Which repeat, an index into `seeds`.

        Returns:
            A compiled model.

        Raises:
            TypeError: If an index is not a whole number.
            ValueError: If there is no such setting or seed.

        Example:
            >>> def build(rate):
            ...     model = keras.Sequential([keras.Input((2,)), keras.layers.Dropout(rate)])
            ...     model.add(keras.layers.Dense(1, "sigmoid"))
            ...     model.compile("adam", "binary_crossentropy")
            ...     return model
            >>> trained = train(build, [0.0, 0.5], np.eye(2), [0, 1], seeds=range(3), epochs=5)
            >>> trained.to_keras(1, 0).layers[0].rate
            0.5
        """
        setting = check_count(setting, "setting", 0, len(self.settings) - 1)
        seed = check_count(seed, "seed", 0, len(self.seeds) - 1)
        model = self._build(self.settings[setting])
        values = [array[setting, seed] for array in self.weights]
        for variable, value in zip(model.trainable_variables, values, strict=True):
            variable.assign(value)
        return model

    def _each_chunk(self, function: Callable, *data: np.ndarray) -> list[np.ndarray]:
        copies = len(self.settings) * len(self.seeds)
        size = max(1, _PREDICTION_BYTES // (4 * data[0].shape[1] * self._plan.widest))
        flat = [array.reshape(copies, *array.shape[2:]) for array in self.weights]
        parts = []
        for start in range(0, copies, size):
            chosen = np.arange(start, min(start + size, copies))
            weights = [tf.constant(array[chosen]) for array in flat]
            # data that all copies share stay one
            own = [tf.constant(d if len(d) == 1 else d[chosen % len(self.seeds)]) for d in data]
            numbers = tf.constant(self._numbers[chosen // len(self.seeds)])
            parts.append([value.numpy() for value in function(weights, numbers, *own)])
        shape = (len(self.settings), len(self.seeds))
        return [
            np.concatenate(part).reshape(*shape, *part[0].shape[1:])
            for part in zip(*parts, strict=True)
        ]


def train(
    build: Callable[..., "keras.Sequential"],
    settings: Sequence,
    x: np.ndarray,
    y: np.ndarray,
    *,
    seeds: Sequence[int],
    epochs: int,
    batch_size: int = 32,
    curves: Mapping[str, tuple[np.ndarray, np.ndarray]] | None = None,
    every: int = 1,
) -> Sweep:
    """Train a copy of a network for every setting and every seed, all at once.

    A seed fixes a copy's initial weights, the order of its rows and its noise, whatever the
    setting, so copies of one seed under two settings make a pair: with the larger of two rates, the
    same units are dropped and some more. A copy starts from what the initializers draw, not from
    the weights that the model of `build` has. Rates are honoured to seven digits.

    Args:
        build: Makes a compiled `keras.Sequential` for one setting. The models may differ in their
            dropout rates, noise, penalties, max-norm values and learning rate, and in nothing else.
        settings: What to hand to `build`, one after the other: usually rates.
        x: Training rows of shape (n, inputs), or (seeds, n, inputs) for a split of its own for each
            seed.
        y: Their targets, shape (n,) or (seeds, n); with a last axis of outputs where the loss wants
            one.
        seeds: A whole number of at least 0 for each repeat.
        epochs: How often to go through all rows; 0 leaves the initial weights.
        batch_size: Rows in a batch; rows are shuffled every epoch, the last batch may be short.
        curves: Further data whose loss and accuracy are recorded, by name; {} records those of
            training alone, None nothing.
        every: How many epochs lie between two records of the curves.

    Returns:
        The trained copies.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If a model needs what a sweep has not (the error names the layer), if the models
            differ in more than numbers, or if data do not fit.

    Example:
        >>> def build(rate):
        ...     model = keras.Sequential([keras.Input((2,)), keras.layers.Dropout(rate)])
        ...     model.add(keras.layers.Dense(1, "sigmoid"))
        ...     model.compile("adam", "binary_crossentropy")
        ...     return model
        >>> x, y = np.eye(2), np.array([0, 1])
        >>> train(build, [0.0, 0.5], x, y, seeds=range(3), epochs=5, curves={}).curves["loss"].shape
        (2, 3, 5)
    """
    settings, seeds = _listed(settings, "settings"), _listed(seeds, "seeds")
    seeds = tuple(check_count(seed, "each seed", minimum=0) for seed in seeds)
    epochs = check_count(epochs, "epochs", minimum=0)
    batch_size = check_count(batch_size, "batch_size")
    every = check_count(every, "every")
    check_type(build, "build", Callable)
    models = [build(setting) for setting in settings]
    plan, numbers = _common_plan(models, settings)
    data = _data((x, y), "x", "y", plan, len(seeds))
    checks = _checks(curves, plan, len(seeds))

    start, streams = _drawn(models[0], plan, seeds)
    run = _Run(plan, numbers, start, streams, data, checks, batch_size, curves is not None)
    weights, notes = run.all(len(settings), len(seeds), epochs, every)
    names = [
        prefix + name for prefix in ("", *(f"{key}_" for key in curves or ())) for name in _SEEN
    ]
    recorded = np.minimum(np.arange(1, notes.shape[-1] + 1) * every, epochs)
    recorded_curves = (
        dict(zip(names, np.moveaxis(notes, 2, 0), strict=True)) if curves is not None else {}
    )
    return Sweep(settings, seeds, epochs, weights, recorded_curves, recorded, plan, numbers, build)


_SEEN = ("loss", "accuracy")


def _listed(values: object, name: str) -> tuple:
    values = check_sequence(values, name)
    return tuple(v.item() if isinstance(v, np.generic) else v for v in values)


def _common_plan(models: list, settings: tuple) -> tuple[Plan, np.ndarray]:
    read = [read_model(model) for model in models]
    plan = read[0][0]
    for setting, (other, _) in zip(settings, read, strict=True):
        if other != plan:
            raise ValueError(
                "the models of a sweep may differ in rates, penalties and learning rate only; "
                f"the model for {setting!r} differs from that for {settings[0]!r}: "
                f"{_first_difference(plan, other)}"
            )
    return plan, np.array([values for _, values in read], np.float32)


def _first_difference(a: Plan, b: Plan) -> str:
    if len(a.steps) != len(b.steps):
        return f"it has {len(b.steps)} layers, not {len(a.steps)}"
    pairs = [("the model", a, b)]
    pairs += [(f"layer {i}", *pair) for i, pair in enumerate(zip(a.steps, b.steps, strict=True))]
    return next(
        f"{what} has {name} {getattr(y, name)!r}, not {getattr(x, name)!r}"
        for what, x, y in pairs
        for name in vars(x)
        if name != "steps" and getattr(x, name) != getattr(y, name)
    )


def _rows(x: object, name: str, plan: Plan, seeds: int) -> np.ndarray:
    x = check_array(x, name)
    if x.ndim not in (2, 3) or x.shape[-1] != plan.inputs or (x.ndim == 3 and len(x) != seeds):
        raise ValueError(
            f"{name} must have shape (n, {plan.inputs}) or ({seeds}, n, {plan.inputs}), "
            f"received {x.shape}"
        )
    return np.ascontiguousarray(x if x.ndim == 3 else x[None], np.float32)


def _data(pair: object, x_name: str, y_name: str, plan: Plan, seeds: int) -> tuple:
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise TypeError(f"{x_name} must be a pair (x, y), received {type(pair).__name__}")
    x, y = _rows(pair[0], x_name, plan, seeds), check_array(pair[1], y_name)
    rows = x.shape[1]
    sparse = plan.loss == "sparse_categorical_crossentropy"
    shapes = [(rows,), (seeds, rows)] if sparse or plan.outputs == 1 else []
    if not sparse:
        shapes += [(rows, plan.outputs), (seeds, rows, plan.outputs)]
    if y.shape not in shapes:
        raise ValueError(
            f"{y_name} must have shape {' or '.join(map(str, shapes))} to go with {x_name} of "
            f"shape {np.shape(pair[0])} and loss {plan.loss}, received {y.shape}"
        )
    if sparse and (y.min() < 0 or y.max() >= plan.outputs or (y != np.floor(y)).any()):
        raise ValueError(
            f"{y_name} must hold class numbers from 0 to {plan.outputs - 1}, received "
            f"{y.min()} to {y.max()}"
        )
    if y.min() < 0 or (not sparse and y.max() > 1):
        raise ValueError(f"{y_name} must lie between 0 and 1, received {y.min()} to {y.max()}")
    own = y.shape in ((seeds, rows), (seeds, rows, plan.outputs)) and y.shape not in shapes[::2]
    y = y if own else y[None]
    return x, y.reshape(len(y), rows, *(() if sparse else (plan.outputs,))).astype(np.float32)


def _checks(curves: object, plan: Plan, seeds: int) -> list[tuple]:
    if curves is None:
        return []
    if not isinstance(curves, Mapping):
        raise TypeError(f"curves must map names to (x, y), received {type(curves).__name__}")
    for key in curves:
        check_type(key, "each name in curves", str)
    return [
        _data(pair, f"x of curves[{key!r}]", f"y of curves[{key!r}]", plan, seeds)
        for key, pair in curves.items()
    ]


def _drawn(model: "keras.Sequential", plan: Plan, seeds: tuple) -> tuple[list, np.ndarray]:
    """Draw initial weights, a list of (seeds, *shape), and random streams, (seeds, streams, 2)."""
    variables = [
        (initializer, tuple(variable.shape))
        for layer in model.layers
        if isinstance(layer, keras.layers.Dense)
        for initializer, variable in (
            (layer.kernel_initializer, layer.kernel),
            (layer.bias_initializer, layer.bias),
        )
        if variable is not None
    ]
    count = len(variables) + 2 * plan.streams
    words = [np.random.SeedSequence(seed).generate_state(count) for seed in seeds]
    weights = [
        np.stack([_initial(initializer, shape, int(drawn[i] >> 1)) for drawn in words])
        for i, (initializer, shape) in enumerate(variables)
    ]
    streams = np.stack([w[len(variables) :].reshape(plan.streams, 2) for w in words])
    return weights, streams


def _initial(initializer: object, shape: tuple, seed: int) -> np.ndarray:
    config = initializer.get_config()
    if "seed" in config:
        initializer = type(initializer).from_config({**config, "seed": seed})
    return np.asarray(initializer(shape, dtype="float32"))


@dataclass(frozen=True)
class _Run:
    """Everything that the chunks of one sweep share."""

    plan: Plan
    numbers: np.ndarray
    start: list
    streams: np.ndarray
    data: tuple
    checks: list
    batch_size: int
    wants_curves: bool

    def all(self, settings: int, seeds: int, epochs: int, every: int) -> tuple:
        """Train all copies; return their weights and notes by (setting, seed)."""
        copies, cores = settings * seeds, joblib.cpu_count()
        weights = [np.empty((copies, *array.shape[1:]), np.float32) for array in self.start]
        records = -(-epochs // every) if self.wants_curves else 0
        notes = np.empty((copies, 2 + 2 * len(self.checks), records), np.float32)
        size = self._chunk_size(copies, cores)
        room = _RECORDS_A_CALL if self.wants_curves else 1
        rows = (self.data[0].shape[1], *(x.shape[1] for x, _ in self.checks))
        run = program(self.plan, self.batch_size, room, (size, *rows))
        chunks = [np.arange(i, min(i + size, copies)) for i in range(0, copies, size)]

        def one(chunk: np.ndarray) -> int:
            # a last, short chunk is filled up, so that its shape needs no program of its own
            filled = np.resize(chunk, size)
            trained, noted = self._chunk(run, room, filled // seeds, filled % seeds, epochs, every)
            for array, values in zip(weights, trained, strict=True):
                array[chunk] = values[: len(chunk)]
            notes[chunk] = noted[: len(chunk)]
            return len(chunk)

        done = 0
        with ThreadPoolExecutor(cores) as pool, Progress(copies, "networks") as progress:
            try:
                for future in as_completed([pool.submit(one, chunk) for chunk in chunks]):
                    done += future.result()
                    progress.show(done)
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        shape = (settings, seeds)
        return (
            tuple(array.reshape(*shape, *array.shape[1:]) for array in weights),
            notes.reshape(*shape, *notes.shape[1:]),
        )

    def _chunk_size(self, copies: int, cores: int) -> int:
        """Return a power of two, so that sweeps of many sizes share few compiled programs."""
        rows = min(self.batch_size, self.data[0].shape[1])
        room = _CHUNK_BYTES // (4 * rows * self.plan.widest)
        largest = max(1, min(_LARGEST_CHUNK, room, -(-copies // cores)))
        return 1 << (largest.bit_length() - 1)

    def _chunk(
        self,
        run: Callable,
        room: int,
        setting: np.ndarray,
        seed: np.ndarray,
        epochs: int,
        every: int,
    ) -> tuple:
        def own(array: np.ndarray) -> tf.Tensor:
            return tf.constant(array[seed] if len(array) > 1 else np.repeat(array, len(seed), 0))

        data, checks = (
            tuple(map(own, self.data)),
            tuple(tuple(map(own, pair)) for pair in self.checks),
        )
        numbers, streams = tf.constant(self.numbers[setting]), tf.constant(self.streams[seed])
        state = initial_state(
            [tf.constant(array[seed]) for array in self.start], self.plan.optimizer
        )
        every = every if self.wants_curves else max(epochs, 1)
        whole, rest = divmod(epochs, every)
        calls = [(every, min(room, whole - i)) for i in range(0, whole, room)]
        calls += [(rest, 1)] if rest else []
        notes = [np.empty((0, 2 + 2 * len(checks), len(seed)), np.float32)]
        for length, count in calls:
            state, noted = run(
                state, numbers, streams, data, checks, tf.constant(length), tf.constant(count)
            )
            if self.wants_curves:
                notes.append(noted.numpy()[:count])
        return [value.numpy() for value in state[1]], np.concatenate(notes).transpose(2, 1, 0)
