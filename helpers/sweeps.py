"""Many small networks at once: every setting with every seed, in one compiled program.

You write a function that builds and compiles a Keras model for one setting, as you would for a
single network. `train` reads its layers, initializers, loss and optimizer and trains a copy for
every setting and seed, on all cores. What a copy learns depends on its setting, its seed and its
data alone.

Example:
    >>> import keras
    >>> import numpy as np
    >>> def build(rate):
    ...     model = keras.Sequential(
    ...         [keras.Input((2,)), keras.layers.Dense(8, "relu"), keras.layers.Dropout(rate)]
    ...     )
    ...     model.add(keras.layers.Dense(1, "sigmoid"))
    ...     model.compile(loss="binary_crossentropy", optimizer="adam")
    ...     return model
    >>> x, y = np.eye(2), np.array([0, 1])
    >>> trained = train(build, [0.0, 0.5], x, y, seeds=range(3), epochs=5, curves={})
    >>> trained
    Sweep(2 settings × 3 seeds, 5 epochs)
    >>> trained.evaluate(x, y).accuracy.shape, trained.curves["loss"].shape
    ((2, 3), (2, 3, 5))
    >>> trained.predict(np.zeros((4, 2))).shape, trained.predict(x, draws=10).shape
    ((2, 3, 4), (2, 3, 10, 2))
    >>> trained.to_keras(1, 0).layers[1].rate
    0.5
"""

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import joblib
import numpy as np

from helpers._engine.backend import give_back_memory, keras, tf
from helpers._engine.plan import LOSSES, Plan, drawn, read_models
from helpers._engine.program import forward, initial_state, program, score
from helpers._engine.progress import progress

# a chunk of copies should leave room in a core's cache: the values of its widest layer, in bytes
_CHUNK_BYTES = 500_000
_LARGEST_CHUNK = 64
_PREDICTION_BYTES = 8_000_000
_RECORDS_A_CALL = 100
# the noise of `predict` is that of steps to which no training comes
_FIRST_DRAW = 2**31


class Evaluation(NamedTuple):
    """Loss and accuracy of every copy, without noise, shape (settings, seeds) each."""

    loss: np.ndarray
    accuracy: np.ndarray


class _Grid(NamedTuple):
    """What the copies are made of: copy i has setting i // seeds and seed i % seeds."""

    plan: Plan
    settings: int
    seeds: int
    numbers: tuple  # by layer, one for each setting
    streams: tuple  # by layer, one for each seed

    def given(self, copies: np.ndarray) -> tuple:
        """Return the numbers and streams of some copies, by layer."""
        numbers = _taken(self.numbers, copies // self.seeds)
        streams = _taken(self.streams, copies % self.seeds)
        return tuple(one | two for one, two in zip(numbers, streams, strict=True))

    def own(self, data: Sequence, copies: np.ndarray) -> Sequence:
        """Return the data of some copies; what all of them share stays one."""
        pick = lambda a: a if len(a) == 1 else a[copies % self.seeds]  # noqa: E731
        return tf.nest.map_structure(lambda a: tf.convert_to_tensor(pick(a)), data)

    def shaped(self, parts: Sequence[np.ndarray]) -> np.ndarray:
        """Return parts of values by copy as values by setting and seed."""
        array = np.concatenate(parts)
        return array.reshape(self.settings, self.seeds, *array.shape[1:])


def _taken(arrays: tuple, indices: np.ndarray) -> tuple:
    """Return entries as tensors; what there is one of serves all."""
    return tf.nest.map_structure(lambda a: tf.constant(a[indices % len(a)]), arrays)


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
    """

    settings: tuple
    seeds: tuple[int, ...]
    epochs: int
    weights: tuple[np.ndarray, ...]
    curves: dict[str, np.ndarray]
    recorded: np.ndarray
    _grid: _Grid
    _build: Callable

    def __repr__(self) -> str:
        sizes = f"{len(self.settings)} settings × {len(self.seeds)} seeds"
        return f"Sweep({sizes}, {self.epochs} epochs)"

    def predict(self, x: np.ndarray, draws: int | None = None) -> np.ndarray:
        """Return what every copy says of the same rows, as `model.predict` does.

        Args:
            x: Rows of shape (n, inputs), or (seeds, n, inputs) for rows of its own for each seed.
            draws: How many passes with noise to make, as `model(x, training=True)` does (Monte
                Carlo dropout); the same ones each time. None makes one without noise.

        Returns:
            Shape (settings, seeds, n), with an axis of draws after the seeds if there are any and
            an axis of classes at the end where the loss has them.
        """
        _check_least(1, draws=1 if draws is None else draws)
        steps = [tf.constant(_FIRST_DRAW + i, tf.uint32) for i in range(draws or 0)] or [None]

        def passes(plan: Plan, *given: Any) -> tuple:
            says = keras.activations.get(LOSSES[plan.loss])
            return (tf.stack([says(forward(plan, *given, step)) for step in steps], 1),)

        (values,) = self._each_chunk(passes, _rows(x, "x", self._grid))
        values = values[..., 0] if self._grid.plan.outputs == 1 else values
        return values[:, :, 0] if draws is None else values

    def evaluate(self, x: np.ndarray, y: np.ndarray) -> Evaluation:
        """Return the loss, penalties included, and the accuracy of every copy, without noise.

        Args:
            x: Rows of shape (n, inputs), or (seeds, n, inputs) for rows of its own for each seed.
            y: Their targets, shape (n,) or (seeds, n): 0 or 1, class numbers, or any for a
                regression, whose accuracy is NaN.
        """
        return Evaluation(*self._each_chunk(score, *_data(x, y, "", self._grid)))

    def to_keras(self, setting: int, seed: int) -> "keras.Sequential":
        """Return the copy of settings[setting] and seeds[seed] as the model that `build` makes."""
        values = [array[setting, seed] for array in self.weights]
        model = self._build(self.settings[setting])
        for variable, value in zip(model.trainable_variables, values, strict=True):
            variable.assign(value)
        return model

    def _each_chunk(self, function: Callable, *data: np.ndarray) -> list[np.ndarray]:
        """Apply a function to as many copies at a time as memory should hold."""
        grid, copies = self._grid, np.arange(len(self.settings) * len(self.seeds))
        size = max(1, _PREDICTION_BYTES // (4 * data[0].shape[1] * grid.plan.widest))
        by_copy = tuple(array.reshape(len(copies), *array.shape[2:]) for array in self.weights)
        parts = []
        for chosen in np.split(copies, range(size, len(copies), size)):
            weights = grid.plan.by_layer(_taken(by_copy, chosen))
            values = function(grid.plan, weights, grid.given(chosen), *grid.own(data, chosen))
            parts.append([value.numpy() for value in values])
        return list(map(grid.shaped, zip(*parts, strict=True)))


def train(
    build: Callable[[Any], "keras.Sequential"],
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
    the weights that the model of `build` has.

    Args:
        build: Makes a compiled `keras.Sequential` for one setting: Dense layers (with L2, L1L2 or
            max-norm if you like), Dropout, GaussianDropout, AlphaDropout, GaussianNoise and
            Rescaling; Adam or SGD; binary or sparse categorical crossentropy or the mean squared
            error, by name. The models may differ in rates, noise, penalties, limits, scales and
            learning rate only.
        settings: What to hand to `build`, one after the other: usually rates.
        x: Training rows of shape (n, inputs), or (seeds, n, inputs) for a split of its own for each
            seed. Bytes (uint8) stay bytes until a batch is drawn: a quarter of the memory.
        y: Their targets, shape (n,) or (seeds, n).
        seeds: A whole number of at least 0 for each repeat.
        epochs: How often to go through all rows; 0 leaves the initial weights.
        batch_size: Rows in a batch; rows are shuffled every epoch, the last batch may be short.
        curves: Further data whose loss and accuracy are recorded, by name; {} records those of
            training alone, None nothing.
        every: How many epochs lie between two records of the curves.

    Raises:
        ValueError: If a model needs what a sweep has not (it names the layer), or data do not fit.
    """
    settings, seeds = tuple(settings), tuple(map(operator.index, seeds))
    _check_least(1, settings=len(settings), seeds=len(seeds), batch_size=batch_size, every=every)
    _check_least(0, epochs=epochs)
    models = [build(setting) for setting in settings]
    plan, numbers = read_models(models, settings)
    start, streams = drawn(models[0], plan, seeds)
    grid = _Grid(plan, len(settings), len(seeds), numbers, streams)
    pairs = (curves or {}).items()
    further = tuple(_data(*pair, f" of curves[{name!r}]", grid) for name, pair in pairs)
    data, every = _data(x, y, "", grid), every if curves is not None else 0
    *weights, notes = _trained(grid, start, data, further, batch_size, epochs, every)
    prefixes = ["", *(f"{name}_" for name in curves)] if curves is not None else []
    names = [prefix + kind for prefix in prefixes for kind in Evaluation._fields]
    by_name = {name: notes[:, :, i] for i, name in enumerate(names)}
    recorded = np.minimum(np.arange(1, notes.shape[-1] + 1) * every, epochs)
    return Sweep(settings, seeds, epochs, tuple(weights), by_name, recorded, grid, build)


def _trained(
    grid: _Grid, start: tuple, data: tuple, further: tuple, batch_size: int, epochs: int, every: int
) -> Iterator[np.ndarray]:
    """Train all copies, chunk by chunk on every core; return weights and, last, notes.

    Notes have the axes (setting, seed, loss or accuracy, record); `every` 0 makes no records.
    """
    copies, cores, rows = np.arange(grid.settings * grid.seeds), joblib.cpu_count(), len(data[0][0])
    size = _chunk_size(len(copies), cores, min(batch_size, rows) * grid.plan.widest)
    room, length = (_RECORDS_A_CALL, every) if every else (1, max(epochs, 1))
    whole, rest = divmod(epochs, length)
    calls = [(length, min(room, whole - i)) for i in range(0, whole, room)]
    calls += [(rest, 1)] if rest else []
    sizes = (size, rows, *(x.shape[1] for x, _ in further))
    compiled = program.cache_info().misses
    run = program(grid.plan, batch_size, room, sizes)
    # what all copies share becomes a tensor here, not once more on every core
    shared = lambda a: tf.constant(a) if len(a) == 1 else a  # noqa: E731
    data, further = tf.nest.map_structure(shared, (data, further))

    def train_chunk(chunk: np.ndarray) -> list[np.ndarray]:
        # a short chunk is filled up, so that its shape needs no program of its own
        chosen = np.resize(chunk, size)
        state = initial_state(grid.plan, _taken(start, chosen % grid.seeds))
        sets = grid.own((data, further), chosen)
        notes = [np.empty((0, 2 + 2 * len(further), size), np.float32)]
        for call in calls:
            state, noted = run(state, grid.given(chosen), *sets, *map(tf.constant, call))
            notes.append(noted.numpy()[: call[1] if every else 0])
        weights = [array.numpy() for array in tf.nest.flatten(state[1])]
        by_copy = (*weights, np.concatenate(notes).transpose(2, 1, 0))
        return [array[: len(chunk)] for array in by_copy]

    parts = []
    with ThreadPoolExecutor(cores) as pool, progress(len(copies), "networks") as bar:
        chunks = np.split(copies, range(size, len(copies), size))
        for part in pool.map(train_chunk, chunks):
            parts.append(part)
            bar.update(len(part[-1]))
    if program.cache_info().misses > compiled:
        give_back_memory()
    return map(grid.shaped, zip(*parts, strict=True))


def _chunk_size(copies: int, cores: int, values: int) -> int:
    """Return how many copies train together: a power of two, so that sweeps share programs."""
    room = _CHUNK_BYTES // (4 * values)
    largest = max(1, min(_LARGEST_CHUNK, room, -(-copies // cores)))
    return 1 << (largest.bit_length() - 1)


def _rows(x: object, name: str, grid: _Grid) -> np.ndarray:
    """Return rows as (seeds or 1, n, inputs)."""
    x, inputs = np.asarray(x), grid.plan.inputs
    x = x if x.dtype == np.uint8 else x.astype(np.float32, copy=False)
    fits = x.shape[-1:] == (inputs,) and (x.ndim == 2 or (x.ndim == 3 and len(x) == grid.seeds))
    if not fits or not x.size:
        raise ValueError(
            f"{name} must have shape (n, {inputs}) or ({grid.seeds}, n, {inputs}), "
            f"received {x.shape}"
        )
    if not np.isfinite(x).all():
        raise ValueError(f"{name} must be finite, received NaN or infinity in it")
    return np.ascontiguousarray(x if x.ndim == 3 else x[None])


def _data(x: object, y: object, where: str, grid: _Grid) -> tuple[np.ndarray, np.ndarray]:
    """Return rows as (seeds or 1, n, inputs) and their targets as (seeds or 1, n)."""
    x, y, plan = _rows(x, f"x{where}", grid), np.asarray(y, np.float32), grid.plan
    rows = x.shape[1]
    if y.shape not in ((rows,), (grid.seeds, rows)):
        raise ValueError(
            f"y{where} must have shape ({rows},) or ({grid.seeds}, {rows}), one target for each "
            f"row of x, received {y.shape}"
        )
    fits, wanted = {
        "binary_crossentropy": ((y >= 0) & (y <= 1), "values from 0 to 1"),
        "sparse_categorical_crossentropy": (
            np.isin(y, range(plan.outputs)),
            f"class numbers from 0 to {plan.outputs - 1}",
        ),
        "mean_squared_error": (np.isfinite(y), "finite values"),
    }[plan.loss]
    if not fits.all():
        raise ValueError(f"y{where} must hold {wanted}, received {y[~fits][0]:g} among them")
    return x, y if y.ndim == 2 else y[None]


def _check_least(least: int, **counts: int) -> None:
    for name, value in counts.items():
        if operator.index(value) < least:
            raise ValueError(f"{name} must be at least {least}, received {value}")
