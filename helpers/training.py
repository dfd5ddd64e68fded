"""Training of any compiled Keras model, with the loop over epochs inside one TensorFlow function.

``model.fit`` returns to Python after every batch, which costs tens of milliseconds an epoch: for a
small network on few rows nearly all of its time.
"""

import inspect
import os
import random
import timeit
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import nullcontext, suppress

import numpy as np

from helpers._engine.backend import keras, tf
from helpers._engine.progress import progress


def fit(
    model: keras.Model,
    x: np.ndarray,
    y: np.ndarray,
    *,
    epochs: int,
    batch_size: int = 32,
    validation_data: tuple[np.ndarray, np.ndarray] | None = None,
    shuffle: bool = True,
    **unsupported: object,
) -> keras.callbacks.History:
    """Train a compiled Keras model as ``model.fit`` does, many times faster where epochs are short.

    After an interrupt the model keeps its weights and ``model.history`` the completed epochs.

    Args:
        model: A compiled model with one input and one output, built or not.
        x: Inputs, shape (rows, ...). Images may stay uint8; the model casts each batch.
        y: Targets, shape (rows, ...).
        epochs: How often to go through all rows.
        batch_size: Rows in a batch.
        validation_data: Inputs and targets to evaluate after every epoch.
        shuffle: Whether to draw a new order of the rows for every epoch.
        **unsupported: Other arguments of ``model.fit`` are refused by name.

    Returns:
        What ``model.fit`` returns: a History with the same keys.

    Raises:
        NotImplementedError: If the model or the call needs something that only ``model.fit`` does.

    Example:
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> model.compile("sgd", "mse", metrics=["mae"])
        >>> list(fit(model, np.eye(2), np.ones(2), epochs=3).history)
        ['loss', 'mae']
    """
    sets = {"": _tensors((x, y), "x and y")}
    if validation_data is not None:
        sets["val_"] = _tensors(validation_data, "validation_data")
    measured = _build(model, sets[""], unsupported)
    names = [prefix + name for prefix in sets for name in measured]
    log = tf.Variable(tf.zeros((epochs, len(names))))
    done, stop = tf.Variable(0, dtype=tf.int64), tf.Variable(False)
    train = _program(model, list(sets.values()), batch_size, shuffle, log, done, stop)
    history = model.history = keras.callbacks.History()
    history.set_model(model)
    history.on_train_begin()
    try:
        # in another thread, so that this one can be interrupted and show progress
        with ThreadPoolExecutor(1) as pool, progress(epochs, "epochs") as bar:
            work = pool.submit(train)
            try:
                while wait([work], timeout=0.3).not_done:
                    if latest := int(done):
                        figures = log[latest - 1].numpy()
                        bar.set_postfix(dict(zip(names, figures, strict=True)), refresh=False)
                        bar.update(latest - bar.n)
            finally:
                stop.assign(True)
            work.result()
    finally:
        for epoch, row in enumerate(log[: int(done)].numpy().tolist()):
            history.on_epoch_end(epoch, dict(sorted(zip(names, row, strict=True))))
    model.optimizer.finalize_variable_values(model.trainable_weights)
    return history


def _tensors(pair: tuple, name: str) -> tuple[tf.Tensor, tf.Tensor]:
    """Return inputs and targets with floats in the width of Keras."""
    if len(pair) != 2 or not all(hasattr(part, "dtype") for part in pair):
        raise NotImplementedError(
            f"{name} must be one array of inputs and one of targets, received "
            f"{', '.join(type(part).__name__ for part in pair)}: use model.fit for the rest"
        )
    if not len(pair[0]) == len(pair[1]) > 0:
        raise ValueError(f"{name} must have equally many rows, received {[*map(len, pair)]}")
    width = keras.config.floatx()
    arrays = (np.asarray(part) for part in pair)
    return tuple(tf.constant(a.astype(width) if a.dtype.kind == "f" else a) for a in arrays)


def _build(model: keras.Model, data: tuple, unsupported: dict[str, object]) -> list[str]:
    """Create all variables with one row of the data; refuse what the loop cannot do."""
    if not model.compiled:
        raise ValueError("model must be compiled: call model.compile(...) before fit")
    usual = {"run_eagerly": False, "steps_per_execution": 1}
    usual["jit_compile"] = keras.Sequential().jit_compile  # on a GPU Keras chooses XLA by itself
    asked = {name: getattr(model, name) for name in usual}
    refused = [*unsupported, *(f"{n}={v}" for n, v in asked.items() if v not in (usual[n], False))]
    for name in ("train_step", "test_step"):
        if getattr(type(model), name) is not getattr(keras.Model, name):
            refused.append(f"an own {name}")
    if not refused:
        report = model.test_step(tuple(part[:1] for part in data))
        model.reset_metrics()
        # of one output among several, or kept by a layer; and those with a value for each class
        refused = [name for name in model.metrics_names if name not in ("loss", "compile_metrics")]
        refused += [f"{name} of shape {v.shape}" for name, v in report.items() if v.shape.rank]
    if refused:
        raise NotImplementedError(f"fit does not support {', '.join(refused)}: use model.fit")
    if not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    return list(report)


def _program(
    model: keras.Model, sets: list, batch_size: int, shuffle: bool, log: tf.Variable,
    done: tf.Variable, stop: tf.Variable,
) -> Callable[[], None]:  # fmt: skip
    """Return all of the training as one graph, which fills a row of `log` in each epoch."""
    rows = [len(x) for x, _ in sets]
    # these weigh every row alike and draw nothing: one batch changes nothing but rounding
    plain = {keras.layers.InputLayer, keras.layers.Dense, keras.layers.Dropout}
    alike = isinstance(model.loss, str) and plain.issuperset(map(type, model.layers))
    sizes = [batch_size] + [n if alike and n <= 512 else batch_size for n in rows[1:]]
    seed = random.randrange(2**31) if shuffle and rows[0] > batch_size else None
    fresh = [tf.constant(0.0)] * 2 + [tf.constant(v.numpy()) for v in model.metrics_variables]

    def averages(data: tuple, size: int, order: tf.Tensor | None, training: bool) -> tf.Tensor:
        """Go through the rows once; return the loss and the metrics over all of them."""
        rows = len(data[0])

        def batch(number: tf.Tensor, _: tf.Tensor, totals: list) -> tuple:
            span = slice(number * size, (number + 1) * size)
            x, y = (p[span] if order is None else tf.gather(p, order[span]) for p in data)
            if rows % size == 0:
                x, y = (tf.ensure_shape(part, (size, *part.shape[1:])) for part in (x, y))
            return number + 1, *_step(model, x, y, totals, training)

        if rows <= size:
            return _step(model, *data, fresh, training)[0]
        more = lambda number, *_: (number * size < rows) & ~stop.read_value()  # noqa: E731
        return tf.while_loop(more, batch, (0, tf.zeros(log.shape[1] // len(sets)), fresh))[1]

    def epoch(number: tf.Tensor) -> tuple:
        order = None if seed is None else tf.random.shuffle(tf.range(rows[0]), seed)
        row = [averages(sets[0], sizes[0], order, training=True)]
        row += [averages(data, sizes[1], None, training=False) for data in sets[1:]]
        # what reads or writes different variables has no order of its own
        with tf.control_dependencies([log.scatter_nd_update([[number]], [tf.concat(row, 0)]).op]):
            done.assign_add(tf.cast(~stop.read_value(), done.dtype))
        return (number + 1,)

    @tf.function(autograph=False)
    def train() -> None:
        more = lambda number: (number < log.shape[0]) & ~stop.read_value()  # noqa: E731
        tf.while_loop(more, epoch, (0,))

    # tiny operations cost less than handing them to another thread; GPUs need the usual way
    single = max(rows[0] - sizes[0], rows[-1] - sizes[-1]) <= 0
    on_gpu = tf.config.list_physical_devices("GPU")
    executor = "SINGLE_THREADED_EXECUTOR" if single and not on_gpu else ""
    with tf.experimental.function_executor_type(executor):
        graph = train.get_concrete_function()

    def run() -> None:
        with tf.experimental.function_executor_type(executor):
            graph()

    return run


def _step(model: keras.Model, x: tf.Tensor, y: tf.Tensor, totals: list, training: bool) -> tuple:
    """Train or evaluate on one batch; return the averages so far and what they are made of."""
    # Keras does not pass `training` to a call that does not name it
    mode = {"training": training} if "training" in inspect.signature(model.call).parameters else {}
    with tf.GradientTape() if training else nullcontext() as tape:
        y_pred = model(x, **mode)
        loss = model.compute_loss(x=x, y=y, y_pred=y_pred, training=training)
        scaled = model.optimizer.scale_loss(loss)
    if training:
        weights = model.trainable_weights
        model.optimizer.apply(tape.gradient(scaled, weights), weights)
    count = tf.cast(tf.shape(x)[0], tf.float32)
    total, rows = totals[0] + loss * count, totals[1] + count
    # in this scope the metrics keep their sums in tensors: far cheaper than in variables
    kept = model.metrics_variables
    with keras.StatelessScope(list(zip(kept, totals[2:], strict=True))) as scope:
        report = model.compute_metrics(x, y, y_pred) | {"loss": total / rows}
        totals = [total, rows, *map(scope.get_current_value, kept)]
    return tf.stack([tf.cast(value, tf.float32) for value in report.values()]), totals


def fastest_policy(build: Callable[[], keras.Model], x: np.ndarray, y: np.ndarray) -> str:
    """Return the dtype policy that trains faster on this machine, measured on one batch.

    bfloat16 makes a convolutional network three times faster on a CPU that has instructions for
    it, several times slower on one that has not, and it rounds. The policy in force stays. Set the
    seed afterwards: this draws from Keras's.

    Args:
        build: Builds and compiles a fresh model; called once under each policy.
        x: Inputs of one batch, shape (rows, ...).
        y: Targets of that batch, shape (rows, ...).

    Returns:
        "mixed_bfloat16" if it runs and is at least 1.3 times faster, else "float32".
    """

    def seconds(policy: str) -> float:
        keras.config.set_dtype_policy(policy)
        model = build()
        model.train_on_batch(x, y)  # traces the graph
        return min(timeit.repeat(lambda: model.train_on_batch(x, y), number=1, repeat=10))

    before = keras.config.dtype_policy()
    try:
        single = seconds("float32")
        # where oneDNN is held back TensorFlow still goes by the CPU, and may crash
        with suppress(tf.errors.OpError):
            if "ONEDNN_MAX_CPU_ISA" not in os.environ and single > 1.3 * seconds("mixed_bfloat16"):
                return "mixed_bfloat16"
        return "float32"
    finally:
        keras.config.set_dtype_policy(before)
