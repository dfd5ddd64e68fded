"""Our layers behave as those of Keras do, and as NumPy says."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers import masks
from helpers._engine.backend import keras, tf
from helpers.layers import DropConnect, StepDropout, TunableDropout, dropout_on, side_by_side

RNG = np.random.default_rng(0)


def drop_connect(**kwargs):
    return DropConnect(3, **{"rate": 0.5, "seed": 1, **kwargs})


def tunable(**kwargs):
    return TunableDropout(**{"rate": 0.5, "seed": 1, **kwargs})


def recurrent(rate=0.5, seed=1, dtype=None):
    cell = keras.layers.LSTMCell(3, dtype=dtype)
    return keras.layers.RNN(StepDropout(cell, rate, seed=seed, dtype=dtype), dtype=dtype)


every_layer = pytest.mark.parametrize(
    ("make", "shape"), [(drop_connect, (4,)), (tunable, (4,)), (recurrent, (3, 4))]
)


@every_layer
def test_one_seed_gives_one_sequence_of_masks_and_another_seed_another(make, shape):
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
def test_inference_draws_nothing_and_each_case_in_training_has_a_mask_of_its_own(make, shape):
    layer, x = make(), np.ones((16, *shape), "float32")
    still, again, moved = (np.asarray(layer(x, training=t)) for t in (False, None, True))
    np.testing.assert_array_equal(still, again)
    assert np.ptp(still, axis=0).max() < 1e-6 < np.ptp(moved, axis=0).max()


@every_layer
def test_a_model_answers_the_same_when_saved_and_loaded_and_learns(make, shape, tmp_path):
    keras.utils.set_random_seed(0)
    x = RNG.normal(size=(64, *shape)).astype("float32")
    y = x.reshape(64, -1, 4)[:, -1, :1]
    model = keras.Sequential([keras.Input(shape), make(rate=0.2), keras.layers.Dense(1)])
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    for training in (False, True):
        np.testing.assert_array_equal(model(x, training=training), loaded(x, training=training))
    model.compile(optimizer=keras.optimizers.Adam(0.02), loss="mse")
    loss = model.fit(x, y, epochs=10, batch_size=16, verbose=0).history["loss"]
    assert loss[-1] < loss[0]


@every_layer
@pytest.mark.parametrize("dtype", ["float64", "mixed_bfloat16"])
def test_a_layer_keeps_to_its_dtype_and_takes_a_batch_of_unknown_size(make, shape, dtype):
    if "ONEDNN_MAX_CPU_ISA" in os.environ and dtype == "mixed_bfloat16":
        pytest.skip("TensorFlow asks the processor, not oneDNN, for 16-bit numbers, and crashes")
    layer = make(dtype=dtype)
    layer(np.ones((1, *shape), "float32"))
    signature = [tf.TensorSpec([None, *shape])]
    out = tf.function(lambda x: layer(x, training=True), signature)(tf.ones((5, *shape)))
    assert out.shape[0] == 5
    assert keras.backend.standardize_dtype(out.dtype) == dtype.removeprefix("mixed_")


# DropConnect


@settings(deadline=None, max_examples=10)
@given(st.floats(0, 0.9), st.booleans(), st.sampled_from([None, "relu", "tanh"]))
def test_drop_connect_at_inference_or_at_rate_zero_is_dense(rate, use_bias, activation):
    x = RNG.normal(size=(5, 4)).astype("float32")
    options = {"use_bias": use_bias, "activation": activation, "bias_initializer": "ones"}
    layer, dense = drop_connect(rate=rate, **options), keras.layers.Dense(3, **options)
    out = layer(x, training=False if rate else True)  # noqa: SIM211
    dense.build((None, 4))
    dense.set_weights(layer.get_weights())
    np.testing.assert_allclose(out, dense(x), rtol=1e-5)


@pytest.mark.parametrize("rate", [0.2, 0.5, 0.8])
def test_drop_connect_has_the_mean_and_variance_of_the_numpy_reference(rate):
    layer = drop_connect(rate=rate, bias_initializer="ones")
    x = np.linspace(-1, 2, 30, dtype="float32")
    layer.build((None, 30))
    kernel, bias = layer.get_weights()
    out = np.asarray(layer(np.tile(x, (20_000, 1)), training=True))
    mean, variance = (part.sum(0) for part in masks.moments(x[:, None] * kernel, rate))
    assert (np.abs(out.mean(0) - mean - bias) < 5 * np.sqrt(variance / 20_000)).all()
    np.testing.assert_allclose(out.var(0), variance, rtol=0.1)


def test_drop_connect_drops_single_weights_scales_the_others_and_teaches_only_these():
    layer = drop_connect(rate=0.2, use_bias=False)
    layer.build((None, 4))
    one_hot = np.tile(np.eye(4, dtype="float32"), (500, 1))  # each reads one row of its own kernel
    with tf.GradientTape() as tape:
        rows = layer(one_hot, training=True)
    gradient = tape.gradient(rows, layer.trainable_variables)[0]
    rows = np.asarray(rows).reshape(500, 4, 3)
    kept = rows != 0
    expected = masks.inverted_dropout(layer.get_weights()[0], kept, 0.2)
    np.testing.assert_allclose(rows, expected, rtol=1e-5)
    assert np.abs(kept.mean(0) - 0.8).max() < 0.1
    np.testing.assert_allclose(gradient, kept.sum(0) / 0.8, rtol=1e-5)


def test_drop_connect_adds_its_whole_bias_and_then_activates():
    below = keras.initializers.Constant(-1)
    layer = drop_connect(rate=0.9, bias_initializer=below, activation="relu")
    out = np.asarray(layer(np.zeros((50, 4), "float32"), training=True))
    np.testing.assert_array_equal(out, np.zeros((50, 3)))


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


def test_tunable_dropout_changes_inside_a_compiled_function_without_a_new_trace():
    layer, traces, zeros = tunable(rate=0.0), [], []

    @tf.function
    def compiled(x):
        traces.append(1)
        return layer(x, training=True)

    for rate in (0.0, 0.5, 0.9, 0.1):
        layer.rate = rate
        assert layer.rate == layer.get_config()["rate"] == rate
        zeros.append(float(np.mean(compiled(tf.ones((100, 100))) == 0)))
    np.testing.assert_allclose(zeros, [0.0, 0.5, 0.9, 0.1], atol=0.03)
    assert len(traces) == 1
    with pytest.raises(ValueError, match="rate must satisfy"):
        layer.rate = 1.0
    assert layer.rate == 0.1


def test_tunable_dropout_has_nothing_to_learn_and_passes_masks_on():
    layer = tunable(rate=0.0)
    embed = keras.layers.Embedding(5, 3, mask_zero=True)
    model = keras.Sequential([embed, layer, keras.layers.GRU(3)])
    words = [[1, 2]], [[1, 2, 0, 0]]
    short, padded = (model(np.array(each), training=True) for each in words)
    np.testing.assert_allclose(short, padded, rtol=1e-5)
    assert not layer.trainable_weights


# StepDropout


def alive(layer, units=500):
    """The state after each of six steps of a layer that only hands it on."""
    start = [tf.ones((40, units))]
    return np.asarray(layer(tf.zeros((40, 6, 1)), initial_state=start, training=True))


def pass_on(**options):
    options |= {"recurrent_initializer": "identity", "use_bias": False}
    return keras.layers.SimpleRNNCell(500, "linear", **options)


@pytest.mark.parametrize("rate", [0.2, 0.5])
def test_step_dropout_forgets_at_every_step_and_the_variational_mask_only_once(rate):
    cells = StepDropout(pass_on(), rate, seed=1), pass_on(recurrent_dropout=rate, seed=1)
    naive, variational = (alive(keras.layers.RNN(cell, return_sequences=True)) for cell in cells)
    np.testing.assert_allclose((naive != 0).mean((0, 2)), (1 - rate) ** np.arange(1, 7), atol=0.02)
    np.testing.assert_allclose((variational != 0).mean((0, 2)), 1 - rate, atol=0.02)
    np.testing.assert_allclose(naive[:, -1].max(), (1 - rate) ** -6.0, rtol=1e-4)


@pytest.mark.parametrize("cell", ["SimpleRNNCell", "GRUCell", "LSTMCell"])
def test_step_dropout_at_inference_is_the_bare_cell(cell):
    bare, x = getattr(keras.layers, cell)(5), RNG.normal(size=(3, 6, 4)).astype("float32")
    expected = keras.layers.RNN(bare)(x)
    np.testing.assert_allclose(keras.layers.RNN(StepDropout(bare, 0.5))(x), expected, rtol=1e-6)


@pytest.mark.parametrize("state", [0, 1])
def test_step_dropout_drops_the_state_that_was_asked_for(state):
    cell = keras.layers.LSTMCell(200, kernel_initializer="zeros", recurrent_initializer="zeros")
    wrapped, ones = StepDropout(cell, 0.5, state=state, seed=1), tf.ones((1, 200))
    _, (_, memory) = wrapped(tf.ones((1, 4)), [ones, ones], training=True)
    # with zero kernels the memory is handed on through the forget gate, and h is read by nobody
    assert (memory == 0).numpy().any() == (state == 1)
    assert StepDropout.from_config(wrapped.get_config()).state == state


def test_step_dropout_works_with_a_mask_both_ways_and_unrolled():
    embedded = keras.layers.Embedding(5, 4, mask_zero=True)(np.array([[1, 2, 0], [3, 0, 0]]))
    step = StepDropout(keras.layers.GRUCell(3), 0.5)
    both = keras.layers.Bidirectional(keras.layers.RNN(step, unroll=True))
    assert both(embedded, training=True).shape == (2, 6)


@pytest.mark.parametrize("option", ["dropout", "recurrent_dropout"])
def test_step_dropout_refuses_a_cell_with_dropout(option):
    with pytest.raises(ValueError, match=f"no dropout of its own, received .*'{option}': 0.2"):
        StepDropout(keras.layers.LSTMCell(3, **{option: 0.2}), 0.5)


# side_by_side


BLOCKS = {
    "Dense": (lambda n: keras.layers.Dense(4 * n, **side_by_side(n)), (5,)),
    "SimpleRNN": (lambda n: keras.layers.SimpleRNN(4 * n, **side_by_side(n, 1)), (6, 5)),
    "GRU": (lambda n: keras.layers.GRU(4 * n, **side_by_side(n, gates=3)), (6, 5)),
    "LSTM": (lambda n: keras.layers.LSTM(4 * n, **side_by_side(n, gates=4)), (6, 5)),
}
blocks = pytest.mark.parametrize(("make", "shape"), BLOCKS.values(), ids=BLOCKS)


def compiled(make, shape, networks):
    keras.utils.set_random_seed(1)
    model = keras.Sequential([keras.Input((*shape[:-1], shape[-1] * networks)), make(networks)])
    # Adam's steps do not depend on the scale of the loss, so those of SGD are compared
    model.compile(keras.optimizers.SGD(0.5), "mse", loss_weights=[networks])
    return model


def part(weight, network, networks, gates):
    """The numbers of one network in a weight of the wide layer."""
    columns = np.split(weight, gates * networks, axis=-1)[network::networks]
    rows = np.concatenate(columns, axis=-1)
    return rows if weight.ndim == 1 or weight.shape[0] == 2 else np.split(rows, networks)[network]


@blocks
def test_networks_side_by_side_learn_as_each_would_alone(make, shape):
    gates = {"gru": 3, "lstm": 4}.get(make(1).name.split("_")[0], 1)
    wide = compiled(make, shape, 3)
    x, y = RNG.normal(size=(8, *shape[:-1], 3 * shape[-1])), RNG.normal(size=(8, 12))
    alone = [compiled(make, shape, 1) for _ in range(3)]
    for network, model in enumerate(alone):
        model.set_weights([part(w, network, 3, gates) for w in wide.get_weights()])
    before = wide.get_weights()[0]
    wide.fit(x, y, epochs=3, batch_size=4, shuffle=False, verbose=0)
    assert not np.array_equal(before, wide.get_weights()[0])
    for network, model in enumerate(alone):
        one = np.split(x, 3, axis=-1)[network], np.split(y, 3, axis=-1)[network]
        model.fit(*one, epochs=3, batch_size=4, shuffle=False, verbose=0)
        for mine, theirs in zip(model.get_weights(), wide.get_weights(), strict=True):
            np.testing.assert_allclose(part(theirs, network, 3, gates), mine, atol=1e-5)


@blocks
def test_a_block_starts_as_keras_starts_a_network_alone(make, shape):
    wide = compiled(make, shape, 50)
    kernel = wide.get_weights()[0]
    assert np.count_nonzero(kernel) == kernel.size // 50
    limit = np.sqrt(6 / (kernel.shape[0] + kernel.shape[1]) * 50)  # Glorot, of one block alone
    assert limit * 0.98 < kernel.max() <= limit
    np.testing.assert_allclose(kernel[kernel != 0].std(), limit / np.sqrt(3), rtol=0.05)
    if len(shape) == 2:
        state = wide.get_weights()[1]
        np.testing.assert_allclose(state @ state.T, np.eye(len(state)), atol=1e-5)
    assert len({block.tobytes() for block in np.split(kernel.sum(axis=1), 50)}) == 50


# dropout_on


class Net(keras.Model):
    """A subclassed model: a list of layers, a block inside, and training passed on by hand."""

    def __init__(self):
        super().__init__()
        self.norm = keras.layers.BatchNormalization()
        self.drops = [keras.layers.Dropout(0.5), keras.layers.SpatialDropout1D(0.5)]

    def call(self, x, training=False):
        x = self.drops[0](self.norm(x, training=training), training=training)
        return self.drops[1](x[:, None], training=training)[:, 0]


def nested():
    inner = keras.Sequential(
        [keras.Input((8,)), keras.layers.BatchNormalization(), keras.layers.Dropout(0.5)]
    )
    return keras.Sequential([keras.Input((8,)), inner, keras.layers.BatchNormalization()])


EIGHT = np.random.default_rng(1).normal(10, 1, (64, 8)).astype("float32")
both = pytest.mark.parametrize("make", [nested, Net])


@both
def test_dropout_on_wakes_dropout_and_leaves_batch_normalisation_alone(make):
    model = make()
    before = model(EIGHT).numpy()
    norms = [n for n in model._flatten_layers() if isinstance(n, keras.layers.BatchNormalization)]
    with dropout_on(model):
        dropped = [model(EIGHT).numpy(), model(EIGHT, training=False).numpy()]
    rate = 0.5 if make is nested else 0.75
    for out in dropped:
        assert abs(np.mean(out == 0) - rate) < 0.1
        # what is left is what inference gives, scaled: the batch was used by no normalisation
        np.testing.assert_allclose(out[out != 0], before[out != 0] / (1 - rate), rtol=1e-4)
    assert np.abs(dropped[0] - dropped[1]).max() > 0
    for norm in norms:
        assert np.abs(norm.moving_mean).max() == 0
        np.testing.assert_array_equal(norm.moving_variance, 1)


@both
def test_dropout_on_holds_for_predict_too_and_ends_with_the_block(make):
    model = make()
    before = model.predict(EIGHT, verbose=0)
    with dropout_on(model):
        assert np.mean(model.predict(EIGHT, verbose=0) == 0) > 0.3
    with pytest.raises(KeyError), dropout_on(model):
        raise KeyError
    np.testing.assert_array_equal(model.predict(EIGHT, verbose=0), before)
    np.testing.assert_allclose(model(EIGHT), before, rtol=1e-5)
    assert not any("call" in vars(layer) for layer in model._flatten_layers())


def test_dropout_on_leaves_training_as_it_is():
    model = nested()
    with dropout_on(model):
        model(EIGHT, training=True)
    assert np.abs(model.layers[0].layers[0].moving_mean).max() > 0


def attention(x):
    return keras.layers.MultiHeadAttention(2, 4, dropout=0.5)(x, x)


@pytest.mark.parametrize(
    "layer",
    [
        keras.layers.GaussianDropout(0.5),
        keras.layers.AlphaDropout(0.5),
        TunableDropout(0.5),
        keras.layers.TimeDistributed(DropConnect(3, 0.5)),
        keras.layers.RNN(StepDropout(keras.layers.GRUCell(3), 0.5)),
        keras.layers.RNN(keras.layers.LSTMCell(3, recurrent_dropout=0.5)),
        keras.layers.Bidirectional(keras.layers.LSTM(3, dropout=0.5)),
        keras.layers.GRU(3, dropout=0.5),
        attention,
    ],
    ids=lambda layer: getattr(layer, "name", "attention"),
)
def test_dropout_on_finds_what_drops_inside_other_layers(layer):
    x = RNG.normal(size=(16, 5, 4)).astype("float32")
    inputs = keras.Input((5, 4))
    model = keras.Model(inputs, layer(inputs))
    still = model(x).numpy()
    with dropout_on(model):
        moved = [model(x).numpy() for _ in range(2)]
    assert np.abs(moved[0] - still).max() > 0.01
    assert np.abs(moved[0] - moved[1]).max() > 0.01
    np.testing.assert_array_equal(model(x), still)


def test_dropout_on_refuses_a_model_that_gives_one_answer_only():
    noise = keras.Sequential([keras.Input((5, 4)), keras.layers.LSTM(3)])
    with pytest.raises(ValueError, match="must have a layer that drops"), dropout_on(noise):
        pass
