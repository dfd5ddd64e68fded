"""helpers.training.fit against model.fit, and the choice of a precision."""

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import numpy as np
import pytest

from helpers import training
from helpers._engine.backend import keras, tf
from helpers.training import fit

RNG = np.random.default_rng(0)
X, X_VAL = RNG.normal(size=(37, 4)).astype("float32"), RNG.normal(size=(21, 4)).astype("float32")
LABELS, LABELS_VAL = RNG.integers(0, 3, size=37), RNG.integers(0, 3, size=21)
Y, Y_VAL = (LABELS > 0).astype("float32"), (LABELS_VAL > 0).astype("float32")
IMAGES, IMAGES_VAL = (RNG.integers(0, 256, (n, 6, 6, 1), np.uint8) for n in (37, 21))
WORDS, WORDS_VAL = RNG.integers(0, 9, (37, 5)), RNG.integers(0, 9, (21, 5))

layers = keras.layers


def dense(*hidden, units=1, activation="sigmoid"):
    hidden = hidden or [layers.Dense(8, "relu")]
    return keras.Sequential([keras.Input((4,)), *hidden, layers.Dense(units, activation)])


class Subclassed(keras.Model):
    """Not built until it sees data."""

    def __init__(self):
        super().__init__()
        self.hidden, self.out = layers.Dense(8, kernel_regularizer="l2"), layers.Dense(3)
        self.norm = layers.BatchNormalization(momentum=0.8)

    def call(self, inputs, training=False):
        return self.out(self.norm(self.hidden(inputs), training=training))


class WithoutTraining(keras.Model):
    """Its call does not name `training`, so Keras never switches its dropout on."""

    def __init__(self):
        super().__init__()
        self.dropout, self.out = layers.Dropout(0.5), layers.Dense(1, activation="sigmoid")

    def call(self, inputs):
        return self.out(self.dropout(inputs))


class OwnStep(keras.Sequential):
    """Trains in a way of its own."""

    def train_step(self, data):
        return super().train_step(data)


def functional():
    inputs = keras.Input((4,))
    h = layers.Dense(8, "tanh", activity_regularizer=keras.regularizers.L2(0.1))(inputs)
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(layers.Concatenate()([h, h])))


def convolutional():
    limit = keras.constraints.MaxNorm(0.5, axis=[0, 1, 2])
    first = [layers.Rescaling(1 / 255), layers.Conv2D(4, 3, kernel_constraint=limit)]
    last = [layers.Flatten(), layers.Dense(3, activation="softmax")]
    return keras.Sequential([keras.Input((6, 6, 1)), *first, *last])


def recurrent():
    words = layers.Embedding(9, 4, mask_zero=True)
    stack = [keras.Input((None,), dtype="int32"), words, layers.GRU(5), layers.Dropout(0.5)]
    return keras.Sequential([*stack, layers.Dense(1)])


def attention():
    words = layers.Embedding(9, 8)(inputs := keras.Input((5,), dtype="int32"))
    attended = layers.MultiHeadAttention(2, 4, dropout=0.3)(words, words, use_causal_mask=True)
    h = layers.LayerNormalization()(words + layers.Dropout(0.2)(attended))
    return keras.Model(inputs, layers.Dense(1)(layers.GlobalAveragePooling1D()(h)))


def frozen():
    fixed = layers.Dense(8, activation="relu", trainable=False)
    return dense(fixed, layers.BatchNormalization(momentum=0.5))


def dropped():
    return dense(layers.Dense(16, "relu"), layers.Dropout(0.5))


def counting():
    model = dense()
    model.tally = keras.metrics.Mean(name="tally")
    return model


K, SGD = keras.losses, keras.optimizers.SGD
OPTIMIZERS = {
    "decaying": lambda: SGD(DECAY(0.1, 2, 0.7), momentum=0.9, nesterov=True, clipnorm=0.1),
    "averaging": lambda: SGD(0.1, use_ema=True, ema_overwrite_frequency=5, weight_decay=0.1),
    "scaling": lambda: keras.optimizers.LossScaleOptimizer(SGD(0.1), initial_scale=8.0),
}
DECAY = keras.optimizers.schedules.ExponentialDecay
LOSSES = {
    "summed": lambda: K.BinaryCrossentropy(reduction="sum"),
    "logits": lambda: K.SparseCategoricalCrossentropy(from_logits=True),
}
CROSS, SPARSE, RIGHT = "binary_crossentropy", "sparse_categorical_crossentropy", ["accuracy"]
POINTS, THREE = (X, Y, X_VAL, Y_VAL), (X, LABELS, X_VAL, LABELS_VAL)
ONE_HOT = [a.astype("float64") for a in (X, np.eye(3)[LABELS], X_VAL, np.eye(3)[LABELS_VAL])]
PICTURES = (IMAGES, LABELS.astype("uint8"), IMAGES_VAL, LABELS_VAL.astype("uint8"))
TEXTS = (WORDS, Y, WORDS_VAL, Y_VAL)
CASES = {
    "one batch": (dense, "adam", CROSS, RIGHT, POINTS, 64),
    "dropout, mask by mask": (dropped, "rmsprop", CROSS, ["AUC", "accuracy"], POINTS, 16),
    "even batches": (dense, "sgd", "mse", ["mae", "accuracy"], [a[:20] for a in POINTS], 5),
    "a sum depends on the batches": (dense, "adam", "summed", [], POINTS, 8),
    "subclassed": (Subclassed, "adam", "logits", RIGHT, THREE, 16),
    "no training argument": (WithoutTraining, "adam", "mse", RIGHT, POINTS, 16),
    "functional, float64": (functional, "adamw", "categorical_crossentropy", RIGHT, ONE_HOT, 16),
    "frozen, batch norm": (frozen, "decaying", "hinge", RIGHT, POINTS, 16),
    "averaged weights": (dense, "averaging", CROSS, RIGHT, POINTS, 16),
    "loss scaling": (dense, "scaling", "mse", [], POINTS, 16),
    "images, uint8": (convolutional, "nadam", SPARSE, RIGHT, PICTURES, 16),
    "recurrent": (recurrent, "adam", "mse", [], TEXTS, 16),
    "attention": (attention, "adam", "mse", [], TEXTS, 16),
}


def made(create, optimizer="adam", loss="mse", metrics=None, seed=3):
    keras.utils.set_random_seed(seed)
    model = create()
    optimizer = OPTIMIZERS.get(optimizer, lambda: optimizer)()
    model.compile(optimizer, LOSSES.get(loss, lambda: loss)(), metrics=metrics)
    return model


@pytest.mark.parametrize("name", CASES)
def test_weights_and_history_are_those_of_keras(name):
    *how, (x, y, x_val, y_val), batch_size = CASES[name]
    theirs, ours = made(*how), made(*how)
    same = {"batch_size": batch_size, "validation_data": (x_val, y_val), "shuffle": False}
    for epochs in (3, 1):  # and going on where it stopped
        expected = theirs.fit(x, y, epochs=epochs, **same, verbose=0)
        history = fit(ours, x, y, epochs=epochs, **same)
        assert (history.model, ours.history, history.epoch) == (ours, history, expected.epoch)
        assert list(history.history) == list(expected.history)
        for key, values in expected.history.items():
            np.testing.assert_allclose(history.history[key], values, rtol=1e-3, atol=1e-5)
            assert all(type(value) is float for value in history.history[key])
    variables = zip(ours.optimizer.variables, theirs.optimizer.variables, strict=True)
    pairs = [(mine.numpy(), own.numpy()) for mine, own in variables]
    for mine, own in [*zip(ours.get_weights(), theirs.get_weights(), strict=True), *pairs]:
        np.testing.assert_allclose(mine, own, rtol=2e-3, atol=2e-5)


def test_without_validation_and_from_tensors():
    theirs, ours = (made(dense, metrics=["mae"]) for _ in range(2))
    expected = theirs.fit(X, Y, epochs=2, shuffle=False, verbose=0).history
    history = fit(ours, tf.constant(X), tf.constant(Y), epochs=2, shuffle=False).history
    assert list(history) == ["loss", "mae"]
    np.testing.assert_allclose(history["loss"], expected["loss"], rtol=1e-4)


@pytest.mark.parametrize(("shuffle", "orders"), [(True, 6), (False, 1)])
def test_each_epoch_takes_every_row_once_in_a_new_order(shuffle, orders):
    seen = []

    def note(x):
        seen.extend(x[:, 0].astype(int).tolist())
        return x

    def noted(x):
        return tf.ensure_shape(tf.numpy_function(note, [x], x.dtype), x.shape)

    rows = np.arange(10, dtype="float32")[:, None]
    stack = [keras.Input((1,)), layers.Lambda(noted), layers.Dense(1)]
    model = made(lambda: keras.Sequential(stack), "sgd")
    for _ in range(2):
        fit(model, rows, rows, epochs=3, batch_size=4, shuffle=shuffle)
    # each call begins with a look at the first row
    seen = np.reshape(seen, (2, 31))[:, 1:].reshape(6, 10).tolist()
    assert all(sorted(order) == list(range(10)) for order in seen)
    assert len({tuple(order) for order in seen}) == orders
    assert (list(range(10)) in seen) is not shuffle


def test_a_seed_repeats_a_run_and_only_that_run():
    runs = [fit(made(dropped, seed=s), X, Y, epochs=3, batch_size=16) for s in (1, 1, 2)]
    assert runs[0].history == runs[1].history != runs[2].history


@pytest.mark.parametrize(("copies", "batch_size"), [(1, 4), (1, 64), (10**5, 4)])
def test_an_interrupt_keeps_weights_and_history_even_within_an_epoch(copies, batch_size):
    model = made(lambda: dense(layers.Dense(300)))
    before, x, y = model.get_weights()[0], np.tile(X, (copies, 1)), np.tile(Y, copies)

    def interrupt():
        while model.optimizer.iterations.numpy() < 40:
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    # a job in the background of a shell is born deaf to SIGINT
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    threading.Thread(target=interrupt, daemon=True).start()
    try:
        with pytest.raises(KeyboardInterrupt):
            fit(model, x, y, epochs=10**6, batch_size=batch_size)
    finally:
        signal.signal(signal.SIGINT, handler)
    done = int(model.optimizer.iterations.numpy()) / -(-copies * len(X) // batch_size)
    assert 0 <= done - len(model.history.epoch) <= 1
    assert all(loss > 0 for loss in model.history.history.get("loss", []))
    assert bool(model.history.epoch) is (copies == 1)
    assert np.abs(model.get_weights()[0] - before).max() > 0
    assert fit(model, X, Y, epochs=2).epoch == [0, 1]


def test_works_in_another_thread():
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(fit, made(dense), X, Y, epochs=2).result().epoch == [0, 1]


def test_progress_counts_epochs_and_names_the_latest_figures(monkeypatch):
    class Bar(ExitStack):
        n = 0

        def set_postfix(self, figures, refresh):
            self.figures = figures

        def update(self, more):
            self.n += more
            raise KeyboardInterrupt

    bar = Bar()
    monkeypatch.setattr(training, "progress", lambda total, unit: bar)
    model = made(dense, metrics=["mae"])
    with pytest.raises(KeyboardInterrupt):
        fit(model, X, Y, epochs=10**7)
    for name in ("loss", "mae"):
        assert model.history.history[name][bar.n - 1] == bar.figures[name]


NO = "fit does not support "
REFUSED = [
    (OwnStep, None, {}, NO + "an own train_step: use model.fit"),
    (counting, None, {}, NO + "tally: use model.fit"),
    (dense, None, {}, NO + "run_eagerly=True: use model.fit"),
    (dense, None, {}, NO + "jit_compile=True: use model.fit"),
    (dense, None, {}, NO + "steps_per_execution=4: use model.fit"),
    (dense, ["f1_score"], {}, NO + r"f1_score of shape \(1,\): use model.fit"),
    *((dense, None, {n: 1}, NO + f"{n}: use model.fit") for n in ("callbacks", "verbose")),
    (dense, None, {"x": [X, X]}, "x and y must be one array .* received list, ndarray: use model.fit"),
    (dense, None, {"y": [Y, Y]}, "received ndarray, list: use model.fit"),
    (dense, None, {"y": None}, "received ndarray, NoneType: use model.fit"),
    (dense, None, {"validation_data": (X, Y, Y)}, "validation_data must be one array .*: use model.fit"),
    (dense, None, {"y": Y[:5]}, r"x and y must have equally many rows, received \[37, 5\]"),
    (dense, None, {"x": X[:0], "y": Y[:0]}, r"equally many rows, received \[0, 0\]"),
    (dense, None, {"validation_data": (X, Y[:5])}, "validation_data must have equally many rows"),
    (dense, None, {"x": X[:, :2]}, "expected axis -1 .* to have value 4"),
]  # fmt: skip


@pytest.mark.parametrize(("create", "metrics", "changed", "says"), REFUSED)
def test_what_only_keras_does_is_refused_in_one_sentence(create, metrics, changed, says):
    model = OwnStep(dense().layers) if create is OwnStep else create()
    options = {"run_eagerly": True, "jit_compile": True, "steps_per_execution": 4}
    asked = {name: value for name, value in options.items() if name in says}
    if "jit_compile" in asked and keras.Sequential().jit_compile:
        pytest.skip("on a GPU Keras chooses XLA by itself")
    model.compile("sgd", "mse", metrics=metrics, **asked)
    error = NotImplementedError if "use model.fit" in says else ValueError
    with pytest.raises(error, match=says):
        fit(model, **({"x": X, "y": Y[:, None], "epochs": 1} | changed))


def test_a_model_that_is_not_compiled_and_a_label_that_is_no_class_are_refused():
    three = dense(units=3, activation="softmax")
    with pytest.raises(ValueError, match=r"must be compiled: call model.compile"):
        fit(three, X, LABELS, epochs=1)
    three.compile("sgd", SPARSE)
    if not tf.config.list_physical_devices("GPU"):  # it does not look
        with pytest.raises(tf.errors.InvalidArgumentError, match="label value of 7 "):
            fit(three, X, np.append(LABELS[:-1], 7), epochs=1)


BROKEN = tf.errors.UnimplementedError(None, None, "no kernel")


@pytest.mark.parametrize(
    ("bfloat16", "limit", "best"),
    [(0.1, "", "mixed_bfloat16"), (0.29, "", "float32"), (BROKEN, "", "float32"), (0.1, "AVX2", "float32")],
)  # fmt: skip
def test_bfloat16_must_run_and_be_clearly_faster(monkeypatch, bfloat16, limit, best):
    def repeat(step, number, repeat):
        took = {"float32": 0.3, "mixed_bfloat16": bfloat16}[keras.config.dtype_policy().name]
        if took is BROKEN:
            raise took
        return [2 * took, took]

    monkeypatch.setattr(training.timeit, "repeat", repeat)
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    if limit:
        monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", limit)
    assert training.fastest_policy(lambda: made(dense), X, Y) == best
    assert keras.config.dtype_policy().name == "float32"
