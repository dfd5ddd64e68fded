"""Training of any compiled Keras model, with the loop over epochs inside one TensorFlow function.

``model.fit`` returns to Python after every batch, which costs tens of milliseconds an epoch: for a
small network on few rows nearly all of its time. Here Python is asked about twice a second.

Example:
    >>> import numpy as np
    >>> from helpers.training import fit
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", "mse")
    >>> history = fit(model, np.eye(2), np.ones(2), epochs=3)
    >>> history.epoch
    [0, 1, 2]
"""

import inspect
import math
import random
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import numpy as np

import helpers.quiet  # noqa: F401
from helpers import interrupts
from helpers.checks import check_array, check_count, check_flag, shown
from helpers.progress import Progress

import keras  # isort: skip
import tensorflow as tf  # isort: skip

_SECONDS_A_CALL = 0.4  # how long an interrupt, or the readout, may have to wait
_ROWS_OF_SMALL_VALIDATION = 512


def fit(
    model: "keras.Model",
    x: np.ndarray,
    y: np.ndarray,
    *,
    epochs: int,
    batch_size: int | None = None,
    validation_data: tuple[np.ndarray, np.ndarray] | None = None,
    shuffle: bool = True,
    verbose: str | int = "auto",
    **unsupported: object,
) -> "keras.callbacks.History":
    """Train a compiled Keras model as ``model.fit`` does, many times faster where epochs are short.

    An interrupt of the kernel stops it within a second: the model keeps its weights,
    ``model.history`` the epochs completed so far, and ``KeyboardInterrupt`` is raised.
    `keras.utils.set_random_seed` makes a run repeatable.

    Args:
        model: A compiled model with one input and one output, built or not.
        x: Inputs, shape (rows, ...). Images may stay uint8; batches are cast as ``model.fit`` does.
        y: Targets, shape (rows, ...).
        epochs: How often to go through all rows, at least 1.
        batch_size: Rows in a batch, at least 1; 32 when None, as in Keras.
        validation_data: Inputs and targets to evaluate after every epoch.
        shuffle: Whether to draw a new order of the rows for every epoch.
        verbose: "auto" shows one line of progress, in a notebook or a terminal, once a run has
            taken two seconds, and takes it away at the end; 0 shows nothing.
        **unsupported: Other arguments of ``model.fit`` are refused by name.

    Returns:
        What ``model.fit`` returns: a History with the same keys.

    Raises:
        TypeError: If an argument has the wrong type.
        ValueError: If the model is not compiled, or data are empty or do not fit together.
        NotImplementedError: If the model or the call needs something that only ``model.fit`` does.

    Example:
        >>> import numpy as np
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> model.compile("sgd", "mse", metrics=["mae"])
        >>> history = fit(model, np.eye(2), np.ones(2), epochs=3)
        >>> list(history.history)
        ['loss', 'mae']
    """
    _refuse_what_differs(model, unsupported)
    epochs = check_count(epochs, "epochs")
    batch_size = 32 if batch_size is None else check_count(batch_size, "batch_size")
    shuffle = check_flag(shuffle, "shuffle")
    known = isinstance(verbose, (str, int)) and not isinstance(verbose, bool)
    if not known or verbose not in ("auto", 0):
        raise ValueError(f'verbose must be "auto" or 0, received {shown(verbose)}')
    # tracing too: an interrupt that falls into a destructor would be lost
    with interrupts.held() as noted:
        data = _pair(x, y, "x", "y")
        held_out = _validation(validation_data, data[0])
        _build(model, *data)
        loop = _Loop(model, data, held_out, batch_size, shuffle)
        history = keras.callbacks.History()
        history.set_model(model)
        history.set_params({"verbose": 0, "epochs": epochs, "steps": loop.train_batches})
        history.on_train_begin()
        model.history = history
        with Progress(epochs, "epochs", wanted=verbose == "auto") as progress:
            for first, logs in loop.run(epochs):
                for number, log in enumerate(logs, first):
                    history.on_epoch_end(number, log)
                progress.show(len(history.epoch), _latest(history))
                if noted:
                    break
        loop.leave_metrics()
        if noted:
            raise KeyboardInterrupt(
                f"stopped after {len(history.epoch):,} of {epochs:,} epochs: the model keeps what "
                "it has learnt, model.history what was measured"
            )
    model.optimizer.finalize_variable_values(model.trainable_weights)
    return history


def _refuse_what_differs(model: object, unsupported: dict[str, object]) -> None:
    if not isinstance(model, keras.Model):
        raise TypeError(f"model must be a keras.Model, received {type(model).__name__}")
    if unsupported:
        raise NotImplementedError(
            f"fit does not support {', '.join(unsupported)}; it accepts epochs, batch_size, "
            "validation_data, shuffle and verbose. Use model.fit for the rest"
        )
    if not model.compiled:
        raise ValueError("model must be compiled: call model.compile(...) before fit")
    own = [name for name in _REPLACED if getattr(type(model), name) is not _REPLACED[name]]
    gpus = tf.config.list_physical_devices("GPU")
    reasons = {
        f"a model that overrides {', '.join(own)}": bool(own),
        "a model compiled without an optimizer": model.optimizer is None,
        "run_eagerly=True": model.run_eagerly,
        # where there is a GPU, Keras itself turns it on
        "jit_compile=True": model.jit_compile and not gpus,
        f"steps_per_execution={model.steps_per_execution}": model.steps_per_execution != 1,
    }
    for reason, found in reasons.items():
        if found:
            raise NotImplementedError(f"fit does not support {reason}: use model.fit")


# the parts of model.fit that the loop stands in for
_REPLACED = {
    name: getattr(keras.Model, name)
    for name in (
        *("fit", "train_step", "test_step", "make_train_function", "make_test_function"),
        *("metrics", "reset_metrics", "get_metrics_result"),
    )
}


def _pair(x: object, y: object, x_name: str, y_name: str) -> tuple[np.ndarray, np.ndarray]:
    x, y = _array(x, x_name), _array(y, y_name)
    if len(x) != len(y):
        raise ValueError(
            f"{x_name} and {y_name} must have as many rows, received {len(x)} and {len(y)}"
        )
    return x, y


def _array(value: object, name: str) -> np.ndarray:
    if isinstance(value, (list, tuple, dict)) or not hasattr(value, "__array__"):
        raise TypeError(
            f"{name} must be one array; several inputs or outputs, lists, datasets and generators "
            f"are for model.fit, received {type(value).__name__}"
        )
    array = check_array(value, name)
    if array.ndim == 0:
        raise ValueError(f"{name} must have at least one row, received shape ()")
    # as in Keras: floats take Keras's width, whole numbers stay as they are
    return array.astype(keras.config.floatx(), copy=False) if array.dtype.kind == "f" else array


def _validation(pair: object, x: np.ndarray) -> tuple[np.ndarray, np.ndarray] | None:
    if pair is None:
        return None
    if not isinstance(pair, (tuple, list)):
        raise TypeError(f"validation_data must be (x, y), received {type(pair).__name__}")
    if len(pair) == 3:
        raise NotImplementedError("fit does not support sample weights in validation_data")
    if len(pair) != 2:
        raise ValueError(f"validation_data must be (x, y), received {len(pair)} parts")
    held_out = _pair(*pair, "x of validation_data", "y of validation_data")
    if held_out[0].shape[1:] != x.shape[1:]:
        raise ValueError(
            f"x of validation_data must have rows of shape {x.shape[1:]} like x, "
            f"received {held_out[0].shape[1:]}"
        )
    return held_out


def _build(model: "keras.Model", x: np.ndarray, y: np.ndarray) -> None:
    one_x, one_y = tf.constant(x[:1]), tf.constant(y[:1])
    with _refused_by_keras(f"x must fit the model, received shape {x.shape}"):
        y_pred = model(one_x, **_mode(model, False))
    if not tf.is_tensor(y_pred):
        raise NotImplementedError(
            f"fit does not support several outputs, received {type(y_pred).__name__}: use model.fit"
        )
    with _refused_by_keras(
        f"y must fit the model's output of shape {(len(x), *y_pred.shape[1:])}, "
        f"received shape {y.shape}"
    ):
        model.compute_loss(x=one_x, y=one_y, y_pred=y_pred, sample_weight=None, training=False)
        model.compute_metrics(one_x, one_y, y_pred, None)
    model.reset_metrics()
    # a layer may update its own metric in `call`, out of reach of the loop
    own = [metric.name for metric in model.metrics[1:] if not hasattr(metric, "metrics")]
    if own:
        raise NotImplementedError(
            "fit does not support metrics that a model or a layer keeps for itself, received "
            f"{', '.join(own)}: use model.fit"
        )
    if not model.trainable_weights:
        raise ValueError("model must have trainable weights, received a model with none")
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)


@contextmanager
def _refused_by_keras(says: str) -> Iterator[None]:
    try:
        yield
    except (ValueError, TypeError, tf.errors.InvalidArgumentError) as error:
        raise ValueError(f"{says} ({error})") from error


def _compiled_metrics(model: "keras.Model") -> list["keras.Metric"]:
    return [metric for group in model.metrics[1:] for metric in getattr(group, "metrics", ())]


def _mode(model: "keras.Model", training: bool) -> dict[str, bool]:
    # Keras does not pass `training` to a call that does not name it
    named = "training" in inspect.signature(model.call).parameters
    return {"training": training} if named else {}


def _same_in_one_batch(model: "keras.Model") -> bool:
    """Return whether evaluation in one batch differs from many by nothing but rounding."""
    k = keras.losses
    functions = (k.binary_crossentropy, k.categorical_crossentropy)
    functions += (k.sparse_categorical_crossentropy, k.mean_squared_error, k.mean_absolute_error)
    classes = (k.BinaryCrossentropy, k.CategoricalCrossentropy)
    classes += (k.SparseCategoricalCrossentropy, k.MeanSquaredError, k.MeanAbsoluteError)
    layers = (keras.layers.InputLayer, keras.layers.Dense, keras.layers.Dropout)
    metrics = (keras.metrics.BinaryAccuracy, keras.metrics.CategoricalAccuracy)
    metrics += (keras.metrics.SparseCategoricalAccuracy,)
    loss = k.get(model.loss) if isinstance(model.loss, (str, k.Loss)) else None
    return (
        type(model).__module__.startswith("keras.")
        and all(type(layer) in layers for layer in model.layers)
        and all(type(metric) in metrics for metric in _compiled_metrics(model))
        and (
            loss in functions
            or (type(loss) in classes and loss.reduction in ("sum_over_batch_size", "mean"))
        )
    )


class _Loop:
    """The graph that trains, and how far it has come.

    Work is counted in batches: those of training, then those of validation, epoch after epoch.
    One call of the graph does any range of them, so a call lasts as long as we like.
    """

    def __init__(
        self,
        model: "keras.Model",
        data: tuple[np.ndarray, np.ndarray],
        held_out: tuple[np.ndarray, np.ndarray] | None,
        batch_size: int,
        shuffle: bool,
    ) -> None:
        self._model = model
        self._variables = model.metrics_variables
        rows = len(data[0])
        self.train_batches = math.ceil(rows / batch_size)
        self._sets = [tuple(map(tf.constant, data))]
        self._batch_sizes = [batch_size]
        test_batches = 0
        if held_out:
            size = batch_size
            if len(held_out[0]) <= _ROWS_OF_SMALL_VALIDATION and _same_in_one_batch(model):
                size = len(held_out[0])
            test_batches = math.ceil(len(held_out[0]) / size)
            self._sets.append(tuple(map(tf.constant, held_out)))
            self._batch_sizes.append(size)
        self._batches = self.train_batches + test_batches
        self._names: list[str] = []
        # one batch each, as with the circles: no need to ask whose turn it is
        self._fused = self.train_batches == 1 and test_batches <= 1
        # within a single batch the order of the rows changes nothing but rounding
        self._seed = random.randrange(2**31) if shuffle and self.train_batches > 1 else None
        self._state = (tf.range(rows), self._fresh_totals())
        with self._executor():
            self._graph = tf.function(self._advance, autograph=False).get_concrete_function(
                *(tf.TensorSpec((), tf.int32),) * 2, self._state, self._sets
            )

    def run(self, epochs: int) -> Iterator[tuple[int, list[dict[str, float]]]]:
        """Yield the number of the first epoch completed by each call, and the logs of each."""
        done, end, count = 0, epochs * self._batches, self._step
        waiting = np.empty((0, len(self._names)))
        while done < end:
            stop = min(done + count, end)
            started = time.perf_counter()
            says = "x and y must hold what the model can take, received other values"
            with self._executor(), _refused_by_keras(says):
                rows, self._state = self._graph(
                    tf.constant(done), tf.constant(stop), self._state, self._sets
                )
            waiting = np.concatenate([waiting, rows.numpy().reshape(-1, len(self._names))])
            seconds = time.perf_counter() - started
            first, done = done // self._batches, stop
            whole = len(waiting) // self._batches * self._batches
            yield first, self._logs(waiting[:whole])
            waiting = waiting[whole:]
            # the first call is slow for reasons of its own, so grow by more than it suggests
            faster = min(8.0, _SECONDS_A_CALL / seconds)
            count = max(self._step, int(count * faster) // self._step * self._step)

    def leave_metrics(self) -> None:
        """Give the metrics of the model the state that ``model.fit`` leaves them in."""
        for variable, value in zip(self._variables, self._state[1], strict=True):
            variable.assign(value)

    def _executor(self) -> AbstractContextManager:
        # tiny operations cost less than handing them to another thread; GPUs need the usual way
        if self._fused and not tf.config.list_physical_devices("GPU"):
            return tf.experimental.function_executor_type("SINGLE_THREADED_EXECUTOR")
        return nullcontext()

    @property
    def _step(self) -> int:
        return self._batches if self._fused else 1

    def _logs(self, rows: np.ndarray) -> list[dict[str, float]]:
        # a batch reports the averages so far, so the last of its kind speaks for the epoch
        ends = {"": rows[self.train_batches - 1 :: self._batches]}
        if len(self._sets) == 2:
            ends["val_"] = rows[self._batches - 1 :: self._batches]
        names = np.array([prefix + name for prefix in ends for name in self._names])
        table = np.concatenate(list(ends.values()), axis=1)
        by_name = np.argsort(names)  # the order that Keras gives them
        names = names[by_name].tolist()
        return [dict(zip(names, row, strict=True)) for row in table[:, by_name].tolist()]

    def _advance(self, start: tf.Tensor, stop: tf.Tensor, state: tuple, sets: list) -> tuple:
        def turn(kind: int) -> Callable[[tf.Tensor, tuple], tuple]:
            return lambda batch, state: self._batch(kind, batch, state, sets[kind])

        def body(done: tf.Tensor, state: tuple, rows: tf.TensorArray) -> tuple:
            if self._fused:
                reports = []
                for kind in range(len(sets)):
                    report, state = turn(kind)(tf.constant(0), state)
                    reports.append(report)
                report = tf.concat(reports, 0)
            else:
                batch = done % self._batches
                train = lambda: turn(0)(batch, state)  # noqa: E731
                test = lambda: turn(1)(batch - self.train_batches, state)  # noqa: E731
                one_kind = len(sets) == 1
                report, state = (
                    train() if one_kind else tf.cond(batch < self.train_batches, train, test)
                )
            rows = rows.write((done - start) // self._step, report)
            return done + self._step, state, rows

        calls = (stop - start) // self._step
        rows = tf.TensorArray(tf.float32, size=calls, infer_shape=False)
        _, state, rows = tf.while_loop(lambda done, *_: done < stop, body, (start, state, rows))
        return rows.stack(), state

    def _batch(self, kind: int, batch: tf.Tensor, state: tuple, data: tuple) -> tuple:
        model, training = self._model, kind == 0
        size, rows = self._batch_sizes[kind], data[0].shape[0]
        order, totals = self._first(batch, state, training, rows)
        if size >= rows:
            indices = order if training else None
        elif training:
            indices = order[batch * size : (batch + 1) * size]
        else:
            indices = tf.range(batch * size, tf.minimum((batch + 1) * size, rows))
        if indices is None:
            x, y = data
        else:
            if rows % size == 0:
                indices.set_shape((size,))
            x, y = (tf.gather(part, indices) for part in data)

        with tf.GradientTape() if training else nullcontext() as tape:
            y_pred = model(x, **_mode(model, training))
            loss = model.compute_loss(
                x=x, y=y, y_pred=y_pred, sample_weight=None, training=training
            )
            scaled = model.optimizer.scale_loss(loss)
        if training:
            weights = model.trainable_weights
            model.optimizer.apply(tape.gradient(scaled, weights), weights)

        # in this scope the metrics keep their sums in tensors: far cheaper than in variables
        with keras.StatelessScope(list(zip(self._variables, totals, strict=True))) as scope:
            model.metrics[0].update_state(loss, sample_weight=tf.shape(x)[0])
            report = model.compute_metrics(x, y, y_pred, None)
            totals = [scope.get_current_value(variable) for variable in self._variables]
        self._names = list(report)
        values = [tf.cast(value, tf.float32) for value in report.values()]
        for name, value in zip(report, values, strict=True):
            if value.shape.rank != 0:
                raise NotImplementedError(
                    f"fit does not support metrics that are not one number, received {name!r} "
                    f"of shape {value.shape}: use model.fit"
                )
        return tf.stack(values), (order, totals)

    def _first(self, batch: tf.Tensor, state: tuple, training: bool, rows: int) -> tuple:
        """Return the order and totals to go on with: new ones at the first batch of its kind."""

        def fresh() -> tuple:
            order = state[0]
            if training and self._seed is not None:
                order = tf.random.shuffle(tf.range(rows), seed=self._seed)
            return order, self._fresh_totals()

        return fresh() if self._fused else tf.cond(batch == 0, fresh, lambda: state)

    def _fresh_totals(self) -> list[tf.Tensor]:
        with keras.StatelessScope() as scope:
            self._model.reset_metrics()
            return [
                tf.convert_to_tensor(scope.get_current_value(variable))
                for variable in self._variables
            ]


def _latest(history: "keras.callbacks.History") -> str:
    return " · ".join(f"{name} {values[-1]:.3f}" for name, values in history.history.items())
