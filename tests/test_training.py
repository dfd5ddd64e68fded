"""helpers.training.fit against model.fit."""

import gc
import os
import re
import signal
import subprocess
import sys
import textwrap
import weakref

import nbformat
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nbclient import NotebookClient

from helpers import progress, training
from helpers.training import fit

import keras  # isort: skip
import tensorflow as tf  # isort: skip

RNG = np.random.default_rng(0)
X = RNG.normal(size=(37, 4)).astype("float32")
X_VAL = RNG.normal(size=(21, 4)).astype("float32")
LABELS = RNG.integers(0, 3, size=37)
LABELS_VAL = RNG.integers(0, 3, size=21)
ONE_HOT, ONE_HOT_VAL = np.eye(3)[LABELS], np.eye(3)[LABELS_VAL]
BINARY, BINARY_VAL = (LABELS > 0).astype("float32"), (LABELS_VAL > 0).astype("float32")
IMAGES = RNG.integers(0, 256, size=(37, 6, 6, 1), dtype=np.uint8)
IMAGES_VAL = RNG.integers(0, 256, size=(21, 6, 6, 1), dtype=np.uint8)

layers = keras.layers


def dense(*hidden, units=1, activation="sigmoid"):
    return keras.Sequential(
        [keras.Input((4,)), *(hidden or [layers.Dense(8, "relu")]), layers.Dense(units, activation)]
    )


class Subclassed(keras.Model):
    """Not built until it sees data."""

    def __init__(self):
        super().__init__()
        self.hidden = layers.Dense(8, activation="relu", kernel_regularizer="l2")
        self.norm = layers.BatchNormalization(momentum=0.8)
        self.out = layers.Dense(3)

    def call(self, inputs, training=False):
        return self.out(self.norm(self.hidden(inputs), training=training))


class WithoutTraining(keras.Model):
    """Its call does not name `training`, so Keras never switches its dropout on."""

    def __init__(self):
        super().__init__()
        self.dropout = layers.Dropout(0.5)
        self.out = layers.Dense(1, activation="sigmoid")

    def call(self, inputs):
        return self.out(self.dropout(inputs))


class OwnLoss(keras.Sequential):
    """Overrides what the loop calls, so it is respected."""

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        return 3.0 * super().compute_loss(x, y, y_pred, sample_weight, training)


def functional():
    inputs = keras.Input((4,))
    h = layers.Dense(8, activation="tanh", activity_regularizer=keras.regularizers.L2(0.1))(inputs)
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(layers.Concatenate()([h, h])))


def frozen():
    fixed = layers.Dense(8, activation="relu", trainable=False)
    return dense(fixed, layers.BatchNormalization(momentum=0.5))


def convolutional():
    return keras.Sequential(
        [
            keras.Input((6, 6, 1)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(4, 3, kernel_constraint=keras.constraints.MaxNorm(0.5, axis=[0, 1, 2])),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )


def recurrent():
    return keras.Sequential(
        [keras.Input((4,)), layers.Reshape((4, 1)), layers.LSTM(5), layers.Dense(1)]
    )


def max_norm():
    norm = keras.constraints.MaxNorm(0.4)
    return dense(layers.Dense(8, activation="relu", kernel_constraint=norm, bias_constraint=norm))


def decaying():
    rate = keras.optimizers.schedules.ExponentialDecay(0.1, 2, 0.7)
    return keras.optimizers.SGD(rate, momentum=0.9, nesterov=True, clipnorm=0.1)


K = keras.losses
A = ["accuracy"]
BINARY_DATA = (X, BINARY, X_VAL, BINARY_VAL)
LABEL_DATA = (X, LABELS, X_VAL, LABELS_VAL)
ONE_HOT_DATA = (X.astype("float64"), ONE_HOT, X_VAL.astype("float64"), ONE_HOT_VAL)
IMAGE_DATA = (IMAGES, LABELS.astype("uint8"), IMAGES_VAL, LABELS_VAL.astype("uint8"))
CASES = {
    "circles": (dense, "adam", "binary_crossentropy", A, BINARY_DATA, 64),
    "dropout, mask by mask": (
        lambda: dense(layers.Dense(16, "relu"), layers.Dropout(0.5, seed=7)),
        "adam",
        "binary_crossentropy",
        A,
        BINARY_DATA,
        16,
    ),
    "short last batch": (dense, "rmsprop", "binary_crossentropy", A, BINARY_DATA, 16),
    "even batches": (dense, "sgd", "mse", ["mae", "accuracy"], [a[:20] for a in BINARY_DATA], 5),
    "one batch by default": (dense, "adam", "mse", None, [a[:20] for a in BINARY_DATA], None),
    "logits, summed": (
        lambda: dense(activation=None),
        "adam",
        lambda: K.BinaryCrossentropy(from_logits=True, reduction="sum"),
        [],
        BINARY_DATA,
        8,
    ),
    "area under the curve": (dense, "adam", K.binary_focal_crossentropy, ["AUC"], BINARY_DATA, 8),
    "subclassed": (
        Subclassed,
        "adam",
        lambda: K.SparseCategoricalCrossentropy(from_logits=True),
        A,
        LABEL_DATA,
        16,
    ),
    "no training argument": (WithoutTraining, "adam", "mse", A, BINARY_DATA, 16),
    "own loss": (
        lambda: OwnLoss([keras.Input((4,)), layers.Dense(1)]),
        "sgd",
        "mse",
        [],
        BINARY_DATA,
        16,
    ),
    "functional": (functional, "adamw", "categorical_crossentropy", A, ONE_HOT_DATA, 16),
    "frozen": (frozen, decaying, "hinge", A, BINARY_DATA, 16),
    "max-norm": (max_norm, "nadam", "binary_crossentropy", A, BINARY_DATA, 16),
    "averaged": (
        dense,
        lambda: keras.optimizers.SGD(
            0.1, use_ema=True, ema_overwrite_frequency=3, weight_decay=0.1
        ),
        "binary_crossentropy",
        A,
        BINARY_DATA,
        16,
    ),
    "images": (convolutional, "adam", "sparse_categorical_crossentropy", A, IMAGE_DATA, 16),
    "recurrent": (recurrent, "adam", "mse", [], BINARY_DATA, 16),
    "loss scaling": (
        dense,
        lambda: keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(), initial_scale=8.0),
        "mse",
        A,
        BINARY_DATA,
        16,
    ),
}


def made(create, optimizer, loss, metrics, seed=3):
    keras.utils.set_random_seed(seed)
    model = create()
    model.compile(
        optimizer() if callable(optimizer) else optimizer,
        loss() if getattr(loss, "__name__", "") == "<lambda>" else loss,
        metrics=metrics,
    )
    return model


def trained_both_ways(case, epochs=4):
    create, optimizer, loss, metrics, (x, y, x_val, y_val), batch_size = case
    settings = {
        "epochs": epochs,
        "batch_size": batch_size,
        "validation_data": (x_val, y_val),
        "shuffle": False,
        "verbose": 0,
    }
    theirs, ours = (made(create, optimizer, loss, metrics) for _ in range(2))
    return theirs, theirs.fit(x, y, **settings), ours, fit(ours, x, y, **settings)


@pytest.mark.parametrize("name", CASES)
def test_same_weights_and_history_as_keras(name):
    theirs, expected, ours, history = trained_both_ways(CASES[name])
    for ours_w, theirs_w in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(ours_w, theirs_w, rtol=2e-3, atol=2e-5)
    for mine, keras_own in zip(ours.optimizer.variables, theirs.optimizer.variables, strict=True):
        np.testing.assert_allclose(mine.numpy(), keras_own.numpy(), rtol=2e-3, atol=2e-5)
    assert list(history.history) == list(expected.history)
    for key, values in expected.history.items():
        np.testing.assert_allclose(history.history[key], values, rtol=1e-3, atol=1e-5)
        assert all(type(value) is float for value in history.history[key])
    assert history.epoch == expected.epoch
    assert history.params == expected.params
    assert history.model is ours
    assert ours.history is history
    measured, kept = ours.get_metrics_result(), theirs.get_metrics_result()
    assert measured.keys() == kept.keys()
    for key in kept:
        np.testing.assert_allclose(float(measured[key]), float(kept[key]), rtol=1e-3, atol=1e-5)


@pytest.mark.skipif(
    "ONEDNN_MAX_CPU_ISA" in os.environ,
    reason="TensorFlow asks the processor, not oneDNN, for 16-bit numbers, and crashes",
)
@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_same_in_mixed_precision(precision):
    def create():
        policy = keras.DTypePolicy(precision)
        hidden = layers.Dense(8, activation="relu", dtype=policy)
        model = keras.Sequential(
            [keras.Input((4,)), hidden, layers.Dense(1, dtype="float32")], name="mixed"
        )
        model.dtype_policy = policy  # so that compile wraps the optimizer where Keras would
        return model

    theirs, _, ours, _ = trained_both_ways((create, "adam", "mse", A, BINARY_DATA, 16))
    assert type(ours.optimizer) is type(theirs.optimizer)
    for ours_w, theirs_w in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(ours_w, theirs_w, atol=5e-3)


def test_same_without_validation_and_from_tensors():
    theirs, ours = (made(dense, "adam", "mse", A) for _ in range(2))
    expected = theirs.fit(X, BINARY, epochs=2, batch_size=10, shuffle=False, verbose=0)
    history = fit(ours, tf.constant(X), tf.constant(BINARY), epochs=2, batch_size=10, shuffle=False)
    assert list(history.history) == list(expected.history)
    np.testing.assert_allclose(history.history["loss"], expected.history["loss"], rtol=1e-4)


def test_going_on_where_the_last_fit_stopped():
    theirs, ours = (made(dense, "adam", "mse", []) for _ in range(2))
    for epochs in (2, 3):
        theirs.fit(X, BINARY, epochs=epochs, shuffle=False, verbose=0)
        fit(ours, X, BINARY, epochs=epochs, shuffle=False)
    np.testing.assert_allclose(ours.get_weights()[0], theirs.get_weights()[0], rtol=1e-3, atol=1e-5)


def test_each_epoch_takes_every_row_once_in_a_new_order():
    class Recorder(keras.Model):
        def __init__(self):
            super().__init__()
            self.weight = self.add_weight(shape=(), initializer="zeros")
            self.seen = self.add_weight(shape=(3, 10), initializer="zeros", trainable=False)
            self.row = self.add_weight(
                shape=(), initializer="zeros", dtype="int32", trainable=False
            )

        def call(self, inputs, training=False):
            if training:
                index = tf.range(tf.shape(inputs)[0]) + self.row.value
                where = tf.stack([index // 10, index % 10], axis=1)
                self.seen.assign(tf.tensor_scatter_nd_update(self.seen.value, where, inputs[:, 0]))
                self.row.assign_add(tf.shape(inputs)[0])
            return inputs * self.weight

    rows = np.arange(10, dtype="float32")[:, None]
    keras.utils.set_random_seed(0)
    model = Recorder()
    model.compile("sgd", "mse")
    fit(model, rows, rows, epochs=3, batch_size=4)
    orders = model.seen.numpy().astype(int).tolist()
    assert all(sorted(order) == list(range(10)) for order in orders)
    assert len({tuple(order) for order in orders}) == 3
    assert list(range(10)) not in orders


def dropped():
    return dense(layers.Dense(16, "relu"), layers.Dropout(0.5))


def test_seeds_repeat_a_run_and_only_that_run():
    runs = []
    for seed in (1, 1, 2):
        model = made(dropped, "adam", "binary_crossentropy", A, seed)
        runs.append(fit(model, X, BINARY, epochs=5, batch_size=16).history["loss"])
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_dropout_trains_to_the_same_distribution_as_keras():
    def losses(train):
        finals = []
        for seed in range(8):
            model = made(dropped, "sgd", "binary_crossentropy", [], seed)
            model.optimizer.learning_rate = 0.2
            finals.append(train(model).history["loss"][-4:])
        return np.array(finals).mean(axis=1)

    settings = {"epochs": 12, "batch_size": 16, "verbose": 0}
    ours = losses(lambda model: fit(model, X, BINARY, **settings))
    theirs = losses(lambda model: model.fit(X, BINARY, **settings))
    error = np.sqrt(ours.var(ddof=1) / 8 + theirs.var(ddof=1) / 8)
    assert abs(ours.mean() - theirs.mean()) < 4 * error
    assert 0.25 < ours.std() / theirs.std() < 4


@pytest.mark.parametrize("batch_size", [8, 64])
def test_many_calls_trace_the_model_once(monkeypatch, batch_size):
    monkeypatch.setattr(training, "_SECONDS_A_CALL", 1e-4)
    calls = []

    class Counted(layers.Dense):
        def call(self, inputs, training=None):
            calls.append(training)
            return super().call(inputs)

    def create():
        return dense(Counted(8))

    model = made(create, "adam", "mse", [])
    calls.clear()
    in_pieces = fit(
        model,
        X,
        BINARY,
        epochs=40,
        batch_size=batch_size,
        shuffle=False,
        validation_data=(X, BINARY),
    )
    assert calls == [False, True, False]  # build, train, validate
    monkeypatch.undo()
    whole = fit(
        made(create, "adam", "mse", []),
        *(X, BINARY),
        epochs=40,
        batch_size=batch_size,
        shuffle=False,
        validation_data=(X, BINARY),
    )
    assert len(in_pieces.history["loss"]) == 40
    np.testing.assert_allclose(in_pieces.history["loss"], whole.history["loss"], rtol=1e-3)


def test_images_stay_small_and_nothing_outlives_the_run(monkeypatch):
    loops = []
    original = training._Loop.run

    def run(self, epochs):
        loops.append(weakref.ref(self))
        assert {part.dtype for part in self._sets[0]} == {tf.uint8}
        return original(self, epochs)

    monkeypatch.setattr(training._Loop, "run", run)
    x, y, *_ = IMAGE_DATA
    model = made(convolutional, "adam", "sparse_categorical_crossentropy", A)
    fit(model, x, y, epochs=1)
    gc.collect()
    assert loops[0]() is None


def compiled(**settings):
    model = dense()
    model.compile("adam", "mse", **settings)
    return model


def test_refuses_models_it_would_train_differently():
    class OwnStep(keras.Sequential):
        def train_step(self, data):
            return super().train_step(data)

    own = OwnStep([keras.Input((4,)), layers.Dense(1)])
    own.compile("sgd", "mse")
    inputs = keras.Input((4,))
    two = keras.Model(inputs, [layers.Dense(1)(inputs), layers.Dense(1)(inputs)])
    two.compile("sgd", "mse")
    counting = dense()
    counting.tally = keras.metrics.Mean(name="tally")
    counting.compile("sgd", "mse")
    for model, says in [
        (own, "train_step"),
        (two, "several outputs"),
        (counting, "tally"),
        (compiled(run_eagerly=True), "run_eagerly=True"),
        (compiled(steps_per_execution=2), "steps_per_execution=2"),
        (compiled(metrics=[keras.metrics.F1Score()]), "f1_score"),
    ]:
        with pytest.raises(NotImplementedError, match=says):
            fit(model, X, BINARY[:, None], epochs=1)
    if not tf.config.list_physical_devices("GPU"):
        with pytest.raises(NotImplementedError, match="jit_compile=True"):
            fit(compiled(jit_compile=True), X, BINARY, epochs=1)
    with pytest.raises(ValueError, match="must be compiled"):
        fit(dense(), X, BINARY, epochs=1)
    with pytest.raises(TypeError, match="received str"):
        fit("model", X, BINARY, epochs=1)
    still = compiled()
    still.trainable = False
    with pytest.raises(ValueError, match="trainable weights"):
        fit(still, X, BINARY, epochs=1)


@pytest.mark.parametrize(
    "name", ["callbacks", "class_weight", "sample_weight", "validation_split", "steps_per_epoch"]
)
def test_refuses_arguments_of_fit_by_name(name):
    with pytest.raises(NotImplementedError, match=name):
        fit(compiled(), X, BINARY, epochs=1, **{name: 1})


MODEL = compiled()


@settings(deadline=None, max_examples=25)
@given(
    rows=st.integers(0, 40),
    targets=st.integers(0, 40),
    width=st.integers(1, 6),
)
def test_refuses_data_that_do_not_fit(rows, targets, width):
    if rows == targets > 0 and width == 4:
        width = 5
    with pytest.raises(ValueError, match=r"row|shape|expected axis"):
        fit(MODEL, np.zeros((rows, width)), np.zeros(targets), epochs=1)


@pytest.mark.parametrize(
    ("changed", "error", "says"),
    [
        ({"x": [X, X]}, TypeError, "one array"),
        ({"x": {"a": X}}, TypeError, "one array"),
        ({"y": None}, TypeError, "y must be one array"),
        ({"x": np.full((37, 4), "a")}, TypeError, "real numbers"),
        ({"validation_data": X}, TypeError, "validation_data"),
        ({"validation_data": (X,)}, ValueError, "1 parts"),
        ({"validation_data": (X, BINARY, BINARY)}, NotImplementedError, "sample weights"),
        ({"validation_data": (X[:, :2], BINARY)}, ValueError, r"\(4,\)"),
        ({"validation_data": (X, BINARY[:5])}, ValueError, "37 and 5"),
        ({"shuffle": "batch"}, TypeError, "shuffle"),
        ({"verbose": 1}, ValueError, "verbose"),
        ({"verbose": False}, ValueError, "verbose"),
    ],
)
def test_refuses_other_bad_arguments(changed, error, says):
    arguments = {"x": X, "y": BINARY, "epochs": 1} | changed
    with pytest.raises(error, match=says):
        fit(MODEL, arguments.pop("x"), arguments.pop("y"), **arguments)


@pytest.mark.skipif(
    bool(tf.config.list_physical_devices("GPU")), reason="a GPU does not look at the labels"
)
def test_refuses_a_label_that_is_no_class():
    three = dense(units=3, activation="softmax")
    three.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(ValueError, match=r"(?s)x and y must .*label value of 7 "):
        fit(three, X, np.append(LABELS[:-1], 7), epochs=1)


SLOW_RUN = """
import os, signal, sys, threading
import numpy as np
from helpers.training import fit
import keras
model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(300), keras.layers.Dense(1)])
model.compile("sgd", "mse")
x = np.zeros((64, 4), "float32")
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT to a process of its own")
@pytest.mark.parametrize("batch_size", [4, 64])
def test_an_interrupt_keeps_weights_and_history(batch_size):
    code = SLOW_RUN + textwrap.dedent(
        f"""
        import time
        # a job in the background of a shell is born deaf to SIGINT
        signal.signal(signal.SIGINT, signal.default_int_handler)
        before = model.get_weights()[0]
        def interrupt():
            while not getattr(getattr(model, "history", None), "epoch", None):
                time.sleep(0.05)
            os.kill(os.getpid(), signal.SIGINT)
        threading.Thread(target=interrupt, daemon=True).start()
        try:
            fit(model, x + 1, x[:, 0] + 1, epochs=10**9, batch_size={batch_size})
        except KeyboardInterrupt as error:
            assert f"after {{len(model.history.epoch):,}} of 1,000,000,000 epochs" in str(error)
        done = int(model.optimizer.iterations.numpy()) // {64 // batch_size}
        assert len(model.history.history["loss"]) == len(model.history.epoch) == done > 0
        assert np.abs(model.get_weights()[0] - before).max() > 0
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
        print("kept")
        """
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert run.stdout == "kept\n", run.stderr


def test_an_interrupt_while_the_graph_is_built_waits_for_it():
    told = []

    def loss(y_true, y_pred):
        if not told:
            told.append(signal.raise_signal(signal.SIGINT))
        return keras.losses.mean_squared_error(y_true, y_pred)

    model = dense()
    model.compile("adam", loss)
    with pytest.raises(KeyboardInterrupt):
        fit(model, X, BINARY, epochs=10**9, batch_size=37)
    assert model.history.epoch == [0]
    assert fit(model, X, BINARY, epochs=2).epoch == [0, 1]


def test_works_in_another_thread():
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool:
        history = pool.submit(fit, compiled(), X, BINARY, epochs=2).result()
    assert history.epoch == [0, 1]


def test_progress_names_epochs_and_the_latest_figures(monkeypatch, capsys):
    monkeypatch.delenv("JPY_SESSION_NAME", raising=False)
    monkeypatch.setattr(progress, "_SECONDS_UNTIL_SHOWN", 0.0)
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN", 0.0)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    fit(compiled(metrics=["accuracy"]), X, BINARY, epochs=2, validation_data=(X, BINARY))
    written = capsys.readouterr().out
    assert re.search(r"2 of 2 epochs · 0 s left · accuracy .* · loss .* · val_accuracy ", written)
    assert written.endswith("\r\x1b[K")
    fit(compiled(), X, BINARY, epochs=2, verbose=0)
    assert capsys.readouterr().out == ""


def test_a_notebook_passes_nbval_whether_or_not_progress_was_shown(tmp_path):
    cell = """
        helpers.progress._SECONDS_UNTIL_SHOWN = float(open("seconds").read().split()[{}])
        fit(model, x, x[:, 0], epochs=30)
        print("done")
        """
    sources = [SLOW_RUN + "import helpers.progress", cell.format(0), cell.format(1)]
    book = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(textwrap.dedent(source)) for source in sources],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    )
    # shown in one cell when recorded, in the other when compared
    (tmp_path / "seconds").write_text("0 99")
    environment = os.environ | {"JPY_SESSION_NAME": "a.ipynb"}
    NotebookClient(book, resources={"metadata": {"path": tmp_path}}).execute(env=environment)
    shown = [[o.data for o in c.outputs if o.output_type == "display_data"] for c in book.cells]
    assert shown == [[], [{}], []]
    printed = [[o.text for o in c.outputs if o.output_type == "stream"] for c in book.cells]
    assert printed == [[], ["done\n"], ["done\n"]]
    nbformat.write(book, tmp_path / "a.ipynb")
    (tmp_path / "seconds").write_text("99 0")
    command = [sys.executable, "-m", "pytest", "--nbval", "--nbval-current-env", "-q", "a.ipynb"]
    run = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0, run.stdout
