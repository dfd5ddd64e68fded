"""The NumPy reference against theory and against Keras."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from helpers import masks
from helpers._engine.backend import keras, tf

RATES = st.floats(0, 0.95)
SHAPES = hnp.array_shapes(min_dims=1, max_dims=4, max_side=6)


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def draw(shape, rate, seed=1, **options):
    return masks.sample_mask(shape, rate, rng=np.random.default_rng(seed), **options)


@pytest.mark.parametrize(("keep_prob", "rate"), [(0.8, 0.2), (0.75, 0.25), (0.5, 0.5), (1, 0.0)])
def test_rate_and_keep_prob_convert_into_each_other_exactly(keep_prob, rate):
    assert masks.rate_of_keep_prob(keep_prob) == rate
    assert masks.keep_prob_of_rate(rate) == keep_prob


@pytest.mark.parametrize("keep_prob", [0, -0.5, 1.5, float("nan")])
def test_a_keep_prob_outside_its_range_is_refused(keep_prob):
    with pytest.raises(ValueError, match="0 < keep_prob <= 1, received"):
        masks.rate_of_keep_prob(keep_prob)


@given(SHAPES, RATES, st.data())
@settings(max_examples=50, deadline=None)
def test_noise_shape_shares_the_draw_along_axes_of_one_as_in_keras(shape, rate, data):
    noise_shape = tuple(data.draw(st.sampled_from([None, 1, size])) for size in shape)
    ours = draw(shape, rate, noise_shape=noise_shape)
    layer = keras.layers.Dropout(rate, noise_shape=noise_shape, seed=1)
    theirs = layer(np.ones(shape, "float32"), training=True).numpy() > 0
    assert ours.shape == shape
    for axis, wanted in enumerate(noise_shape):
        if wanted == 1:
            assert (ours == ours.take([0], axis=axis)).all()
            assert (theirs == theirs.take([0], axis=axis)).all()


@pytest.mark.parametrize("noise_shape", [(30,), (20, 30), (20, 1), (1, 30), (None, None, 1)])
def test_noise_shape_draws_anew_along_the_other_axes_and_a_short_one_means_the_last(noise_shape):
    mask = draw((10, 20, 30), 0.5, noise_shape=noise_shape)
    full = (1,) * (3 - len(noise_shape)) + noise_shape
    for axis, wanted in enumerate(full):
        assert (mask == mask.take([0], axis=axis)).all() == (wanted == 1)


@pytest.mark.parametrize("noise_shape", [(2,), (None,), (2, 2), (1, 1, 1), (2, 3, 1), (0, 3), "ab"])
def test_a_noise_shape_that_does_not_fit_is_refused(noise_shape):
    with pytest.raises(ValueError, match=r"one entry for each axis of shape \(2, 3\)"):
        draw((2, 3), 0.5, noise_shape=noise_shape)


@given(SHAPES, st.floats(0.05, 0.95))
@settings(max_examples=40, deadline=None)
def test_keras_gives_the_same_values_and_gradients_on_the_same_mask(shape, rate):
    h = np.random.default_rng(2).uniform(1, 2, shape).astype("float32")
    upstream = np.random.default_rng(3).normal(size=shape).astype("float32")
    x = tf.constant(h)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = keras.layers.Dropout(rate, seed=3)(x, training=True)
    mask = y.numpy() != 0
    theirs = tape.gradient(y, x, output_gradients=upstream)
    ours = masks.inverted_dropout_gradient(upstream, mask, rate)
    np.testing.assert_allclose(y, masks.inverted_dropout(h, mask, rate), rtol=1e-5)
    np.testing.assert_allclose(theirs, ours, rtol=1e-5)


@pytest.mark.parametrize("rate", [0.1, 0.25, 0.5, 0.8])
def test_masks_drop_as_often_as_the_rate_says_and_as_keras_does(rate):
    n = 200_000
    theirs = keras.layers.Dropout(rate, seed=5)(np.ones((1, n), "float32"), training=True).numpy()
    for kept in (theirs != 0, draw((n,), rate)):
        assert abs(kept.mean() - (1 - rate)) < 5 * np.sqrt(rate * (1 - rate) / n)


@given(hnp.arrays(float, 4, elements=st.floats(-10, 10)), st.floats(0.05, 0.9))
@settings(max_examples=25, deadline=None)
def test_moments_are_those_of_many_masks(h, rate):
    draws = 20_000
    mean, variance = masks.moments(h, rate)
    dropped = masks.inverted_dropout(h, draw((draws, 4), rate, seed=7), rate)
    np.testing.assert_allclose(
        dropped.mean(0), mean, atol=6 * np.sqrt(variance.max() / draws) + 1e-9
    )
    np.testing.assert_allclose(dropped.var(0), variance, rtol=0.15, atol=1e-9)


def test_all_masks_are_all_different_and_start_with_nothing_kept():
    rows = masks.all_masks(6)
    assert rows.shape == (64, 6)
    assert len({tuple(row) for row in rows}) == 64
    assert not rows[0].any()
    for units in (0, 17):
        with pytest.raises(ValueError, match=f"1 <= units <= 16, received {units}"):
            masks.all_masks(units)


@given(st.floats(0.05, 0.9), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_weight_scaling_is_the_geometric_mean_for_a_linear_softmax(rate, seed):
    rng = np.random.default_rng(seed)
    w, b, h = rng.normal(size=(8, 3)), rng.normal(size=3), rng.normal(size=8)
    thinned = masks.thinned_networks(h, lambda rows: softmax(rows @ w + b), rate)
    assert thinned.weights.sum() == pytest.approx(1)
    assert thinned.weights @ thinned.masks == pytest.approx(np.full(8, 1 - rate))
    np.testing.assert_allclose(thinned.geometric_mean, thinned.weight_scaling, atol=1e-12)
    np.testing.assert_allclose(thinned.weight_scaling, softmax(h @ w + b))
    np.testing.assert_allclose(thinned.arithmetic_mean, thinned.weights @ thinned.outputs)
    assert thinned.arithmetic_mean.sum() == pytest.approx(1)


WRONG = {
    "too large": lambda rows: np.ones((len(rows), 2)),
    "with a zero": lambda rows: np.tile([1.0, 0.0], (len(rows), 1)),
    "too few": lambda rows: softmax(rows)[:2],
}


@pytest.mark.parametrize("predict", WRONG.values(), ids=WRONG)
def test_a_predict_without_a_row_of_positive_probabilities_each_is_refused(predict):
    with pytest.raises(ValueError, match="predict must return positive probabilities"):
        masks.thinned_networks(np.ones(3), predict, 0.5)


def test_a_mask_of_numbers_is_refused_because_a_rate_would_pass_for_one():
    with pytest.raises(TypeError, match="mask must be boolean"):
        masks.inverted_dropout(np.ones(3), np.full(3, 0.5), 0.5)
