"""Our layers behave as those of Keras do, and as NumPy says."""

import os  # noqa: I001

import helpers.quiet  # noqa: F401
import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import ops

from helpers.layers import DropConnect, StepDropout, TunableDropout
from helpers.training import fit

RNG = np.random.default_rng(0)


def drop_connect(**kwargs):
    return DropConnect(3, **{"rate": 0.5, "seed": 1, **kwargs})


def tunable(**kwargs):
    return TunableDropout(**{"rate": 0.5, "seed": 1, **kwargs})


def recurrent(**kwargs):
    settings = {"rate": 0.5, "seed": 1, **kwargs}
    return keras.layers.RNN(StepDropout(keras.layers.LSTMCell(3), **settings))


CASES = [
    pytest.param(drop_connect, (4,), id="DropConnect"),
    pytest.param(tunable, (4,), id="TunableDropout"),
    pytest.param(recurrent, (3, 4), id="StepDropout"),
]
every_layer = pytest.mark.parametrize(("make", "shape"), CASES)


def sequential(make, shape):
    return keras.Sequential([keras.Input(shape), make(), keras.layers.Dense(1)])


def functional(make, shape):
    inputs = keras.Input(shape)
    return keras.Model(inputs, keras.layers.Dense(1)(make()(inputs)))


def subclassed(make, shape):
    class Net(keras.Model):
        def __init__(self):
            super().__init__()
            self.hidden = make()
            self.head = keras.layers.Dense(1)

        def call(self, inputs, training=False):
            return self.head(self.hidden(inputs, training=training))

    return Net()


@every_layer
def test_same_seed_gives_the_same_sequence_of_masks_and_another_seed_another(make, shape):
    x = RNG.normal(size=(8, *shape)).astype("float32")
    a, b, c = make(), make(), make(seed=2)
    a(x), b(x), c(x)
    b.set_weights(a.get_weights()), c.set_weights(a.get_weights())
    first, second = a(x, training=True), a(x, training=True)
    np.testing.assert_array_equal(first, b(x, training=True))
    np.testing.assert_array_equal(second, b(x, training=True))
    assert np.abs(first - second).max() > 0
    assert np.abs(first - c(x, training=True)).max() > 0


@every_layer
def test_inference_draws_nothing(make, shape):
    layer, x = make(), RNG.normal(size=(8, *shape)).astype("float32")
    np.testing.assert_array_equal(layer(x, training=False), layer(x))
    np.testing.assert_array_equal(layer(x), layer(x))


@every_layer
def test_each_case_has_its_own_mask(make, shape):
    layer = make()
    out = np.asarray(layer(np.ones((16, *shape), "float32"), training=True))
    assert len(np.unique(out, axis=0)) > 1


@every_layer
@pytest.mark.parametrize("form", [sequential, functional, subclassed])
@pytest.mark.parametrize("train", [keras.Model.fit, fit], ids=["keras", "ours"])
def test_learns_in_every_form_of_model(train, form, make, shape):
    keras.utils.set_random_seed(0)
    x = RNG.normal(size=(64, *shape)).astype("float32")
    y = x.reshape(64, -1, 4)[:, -1, :1]
    model = form(make, shape)
    model.compile(optimizer=keras.optimizers.Adam(0.02), loss="mse")
    loss = train(model, x, y, epochs=10, batch_size=16, verbose=0).history["loss"]
    assert loss[-1] < loss[0]
    np.testing.assert_array_equal(model.predict(x, verbose=0), model.predict(x, verbose=0))


@every_layer
def test_saved_model_answers_the_same(make, shape, tmp_path):
    x = RNG.normal(size=(8, *shape)).astype("float32")
    model = sequential(make, shape)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(model.predict(x, verbose=0), loaded.predict(x, verbose=0))
    np.testing.assert_array_equal(model(x, training=True), loaded(x, training=True))


@every_layer
def test_config_makes_the_same_layer(make, shape):
    layer = make(name="this", rate=0.1)
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
    assert again(np.ones((2, *shape), "float32")).shape == layer(np.ones((2, *shape))).shape


BFLOAT16 = pytest.param(
    "mixed_bfloat16",
    marks=pytest.mark.skipif(
        "ONEDNN_MAX_CPU_ISA" in os.environ,
        reason="TensorFlow asks the processor, not oneDNN, for 16-bit numbers, and crashes",
    ),
)


@every_layer
@pytest.mark.parametrize("dtype", ["float64", BFLOAT16])
def test_keeps_to_its_dtype(make, shape, dtype):
    if make is recurrent:
        layer = keras.layers.RNN(
            StepDropout(keras.layers.LSTMCell(3, dtype=dtype), 0.5, dtype=dtype), dtype=dtype
        )
    else:
        layer = make(dtype=dtype)
    out = layer(np.ones((2, *shape)), training=True)
    assert keras.backend.standardize_dtype(out.dtype) == dtype.removeprefix("mixed_")


@every_layer
def test_takes_a_batch_of_unknown_size(make, shape):
    layer = make()
    layer(np.ones((1, *shape), "float32"))
    compiled = tf.function(
        lambda x: layer(x, training=True), input_signature=[tf.TensorSpec([None, *shape])]
    )
    assert compiled(tf.ones((5, *shape))).shape[0] == 5


@every_layer
@pytest.mark.parametrize("rate", [-0.1, 1, 1.5, float("nan")])
def test_refuses_a_rate_outside_its_range(make, shape, rate):
    with pytest.raises(ValueError, match=r"rate must satisfy 0 <= rate < 1, received"):
        make(rate=rate)


@every_layer
@pytest.mark.parametrize("rate", ["0.5", None, True])
def test_refuses_a_rate_that_is_no_number(make, shape, rate):
    with pytest.raises(TypeError, match="rate must be a number"):
        make(rate=rate)


# DropConnect


@settings(deadline=None, max_examples=10)
@given(
    rate=st.floats(0, 0.9),
    use_bias=st.booleans(),
    activation=st.sampled_from([None, "relu", "tanh"]),
)
def test_drop_connect_at_inference_is_dense(rate, use_bias, activation):
    x = RNG.normal(size=(5, 4)).astype("float32")
    options = {"use_bias": use_bias, "activation": activation, "bias_initializer": "ones"}
    layer = drop_connect(rate=rate, **options)
    dense = keras.layers.Dense(3, **options)
    out = layer(x)
    dense.build((None, 4))
    dense.set_weights(layer.get_weights())
    np.testing.assert_allclose(out, dense(x), rtol=1e-6)


@pytest.mark.parametrize("activation", [None, "relu"])
def test_drop_connect_at_rate_zero_is_dense(activation):
    layer, x = drop_connect(rate=0.0, activation=activation), np.ones((2, 4), "float32")
    np.testing.assert_array_equal(layer(x, training=True), layer(x))


def test_drop_connect_drops_weights_and_scales_the_others():
    layer = drop_connect(rate=0.2, use_bias=False)
    layer.build((None, 4))
    kernel = layer.get_weights()[0]
    # a one-hot input reads one row of its case's kernel
    rows = np.asarray(layer(np.tile(np.eye(4, dtype="float32"), (2000, 1)), training=True))
    rows = rows.reshape(2000, 4, 3)
    kept = rows != 0
    np.testing.assert_allclose(rows, kept * kernel / 0.8, rtol=1e-5)
    # 24,000 weights: the standard error of the share is 0.0026
    assert abs(kept.mean() - 0.8) < 0.015
    assert np.abs(kept.mean(0) - 0.8).max() < 0.06


@pytest.mark.parametrize("rate", [0.2, 0.5, 0.8])
def test_drop_connect_has_the_mean_and_variance_of_the_numpy_reference(rate):
    layer = drop_connect(rate=rate, bias_initializer="ones")
    x = np.linspace(-1, 2, 30, dtype="float32")
    layer.build((None, 30))
    kernel, bias = layer.get_weights()
    n = 20_000
    out = np.asarray(layer(np.tile(x, (n, 1)), training=True))
    mean = x @ kernel + bias
    variance = rate / (1 - rate) * x**2 @ kernel**2
    assert (np.abs(out.mean(0) - mean) < 5 * np.sqrt(variance / n)).all()
    np.testing.assert_allclose(out.var(0), variance, rtol=0.1)


def test_drop_connect_adds_its_whole_bias_and_then_activates():
    layer = drop_connect(rate=0.9, bias_initializer="ones", activation="relu")
    out = np.asarray(layer(np.zeros((50, 4), "float32"), training=True))
    np.testing.assert_array_equal(out, np.ones((50, 3)))


def test_drop_connect_teaches_only_the_weights_that_it_kept():
    layer = drop_connect(use_bias=False)
    layer.build((None, 4))
    with tf.GradientTape() as tape:
        out = layer(tf.eye(4), training=True)
    gradient = tape.gradient(out, layer.trainable_variables)[0].numpy()
    np.testing.assert_array_equal(gradient, np.where(out != 0, 2.0, 0.0))


def test_drop_connect_takes_what_dense_takes():
    layer = drop_connect(kernel_constraint=keras.constraints.MaxNorm(2), kernel_regularizer="l2")
    layer.build((None, 4))
    assert len(layer.losses) == 1
    assert len(layer.trainable_weights) == 2
    assert not layer.non_trainable_weights


def test_drop_connect_refuses_sequences():
    with pytest.raises(ValueError, match=r"shape \(batch, inputs\), received \(2, 6, 4\)"):
        drop_connect()(np.ones((2, 6, 4)))


# TunableDropout


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_tunable_dropout_is_keras_dropout(rate):
    x = RNG.normal(size=(40, 50)).astype("float32")
    ours, theirs = tunable(rate=rate), keras.layers.Dropout(rate, seed=1)
    for _ in range(3):
        np.testing.assert_allclose(ours(x, training=True), theirs(x, training=True), rtol=1e-5)


def test_tunable_dropout_keeps_the_mean_and_scales_by_keep_prob():
    out = np.asarray(tunable(rate=0.2)(np.ones((200, 500), "float32"), training=True))
    assert abs(out.mean() - 1) < 0.02
    assert abs((out == 0).mean() - 0.2) < 0.01
    np.testing.assert_allclose(out.max(), 1.25, rtol=1e-6)


def test_tunable_dropout_changes_inside_a_compiled_function_without_a_new_trace():
    layer, traces = tunable(rate=0.0), []

    @tf.function
    def compiled(x):
        traces.append(1)
        return layer(x, training=True)

    zeros = []
    for rate in (0.0, 0.5, 0.9, 0.0):
        layer.rate = rate
        zeros.append(float(np.mean(compiled(tf.ones((100, 100))) == 0)))
    np.testing.assert_allclose(zeros, [0.0, 0.5, 0.9, 0.0], atol=0.03)
    assert len(traces) == 1


def test_tunable_dropout_changes_under_a_compiled_model():
    model = keras.Sequential([keras.Input((400,)), layer := tunable(rate=0.0)])
    model.compile(loss="mse")
    x = np.ones((50, 400), "float32")
    assert model.train_on_batch(x, x) == 0
    layer.rate = 0.5
    # every value is off by one, up or down
    assert model.train_on_batch(x, x) > 0.3


def test_tunable_dropout_remembers_its_present_rate(tmp_path):
    model = keras.Sequential([keras.Input((4,)), tunable(rate=0.1)])
    model.layers[0].rate = 0.7
    assert model.layers[0].get_config()["rate"] == 0.7
    model.save(tmp_path / "model.keras")
    assert keras.saving.load_model(tmp_path / "model.keras").layers[0].rate == 0.7


@pytest.mark.parametrize("rate", [0.05 * i for i in range(20)])
def test_tunable_dropout_tells_the_rate_that_it_was_given(rate):
    assert tunable(rate=rate).rate == pytest.approx(rate, abs=1e-6)


def test_tunable_dropout_refuses_a_bad_rate_and_keeps_the_old_one():
    layer = tunable(rate=0.3)
    with pytest.raises(ValueError, match="rate must satisfy"):
        layer.rate = 1.0
    assert layer.rate == 0.3


def test_tunable_dropout_has_nothing_to_learn():
    layer = tunable()
    assert not layer.trainable_weights
    assert len(layer.non_trainable_weights) == 1


def test_tunable_dropout_passes_masks_on():
    model = keras.Sequential(
        [keras.layers.Embedding(5, 3, mask_zero=True), tunable(), keras.layers.GRU(3)]
    )
    short, padded = model(np.array([[1, 2]])), model(np.array([[1, 2, 0, 0]]))
    np.testing.assert_allclose(short, padded, rtol=1e-5)


# StepDropout


def pass_on(cell_options):
    """A cell that hands its state on untouched."""
    return keras.layers.SimpleRNNCell(
        500, "linear", recurrent_initializer="identity", use_bias=False, **cell_options
    )


def run(cell, steps=6):
    layer = keras.layers.RNN(cell, return_sequences=True)
    start = [tf.ones((40, 500))]
    return np.asarray(layer(tf.zeros((40, steps, 1)), initial_state=start, training=True))


@pytest.mark.parametrize("rate", [0.2, 0.5])
def test_step_dropout_forgets_at_every_step_and_the_variational_mask_only_once(rate):
    naive = run(StepDropout(pass_on({}), rate, seed=1))
    variational = run(pass_on({"recurrent_dropout": rate, "seed": 1}))
    steps = np.arange(1, 7)
    np.testing.assert_allclose((naive != 0).mean((0, 2)), (1 - rate) ** steps, atol=0.02)
    np.testing.assert_allclose((variational != 0).mean((0, 2)), 1 - rate, atol=0.02)
    alive = naive[:, -1][naive[:, -1] != 0]
    np.testing.assert_allclose(alive, (1 - rate) ** -6.0, rtol=1e-4)


@pytest.mark.parametrize("cell", ["SimpleRNNCell", "GRUCell", "LSTMCell"])
def test_step_dropout_at_inference_is_the_bare_cell(cell):
    bare = getattr(keras.layers, cell)(5)
    x = RNG.normal(size=(3, 6, 4)).astype("float32")
    expected = keras.layers.RNN(bare)(x)
    np.testing.assert_allclose(keras.layers.RNN(StepDropout(bare, 0.5))(x), expected, rtol=1e-6)


@pytest.mark.parametrize("state", [0, 1])
def test_step_dropout_drops_the_state_that_was_asked_for(state):
    cell = keras.layers.LSTMCell(200, kernel_initializer="zeros", recurrent_initializer="zeros")
    wrapped = StepDropout(cell, 0.5, state=state, seed=1)
    wrapped.build((None, 1))
    x, ones = tf.zeros((4, 1)), tf.ones((4, 200))
    _, (_, memory) = wrapped(x, [ones, ones], training=True)
    # zero kernels: the memory is handed on through the forget gate, h is read by nobody
    assert ((memory == 0).numpy().any()) == (state == 1)


def test_step_dropout_works_with_a_mask_both_ways_and_unrolled():
    x = np.array([[1, 2, 0], [3, 0, 0]])
    embedded = keras.layers.Embedding(5, 4, mask_zero=True)(x)
    layer = keras.layers.Bidirectional(
        keras.layers.RNN(StepDropout(keras.layers.GRUCell(3), 0.5), unroll=True)
    )
    assert layer(embedded, training=True).shape == (2, 6)


def test_step_dropout_refuses_a_cell_with_dropout():
    with pytest.raises(ValueError, match=r"no dropout of its own, received .*'dropout': 0.2"):
        StepDropout(keras.layers.LSTMCell(3, dropout=0.2), 0.5)


def test_step_dropout_refuses_a_state_that_the_cell_lacks():
    with pytest.raises(ValueError, match="state must be below 1 for this cell, received 1"):
        StepDropout(keras.layers.GRUCell(3), 0.5, state=1)
    with pytest.raises(ValueError, match="state must be a whole number of at least 0"):
        StepDropout(keras.layers.GRUCell(3), 0.5, state=-1)


def test_every_layer_runs_in_a_gradient_tape_with_ops():
    for make, shape in [(drop_connect, (4,)), (tunable, (4,)), (recurrent, (3, 4))]:
        layer, x = make(), tf.Variable(RNG.normal(size=(2, *shape)).astype("float32"))
        with tf.GradientTape() as tape:
            loss = ops.sum(layer(x, training=True) ** 2)
        assert np.isfinite(tape.gradient(loss, x)).all()
