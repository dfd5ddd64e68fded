"""The NumPy reference against theory and against Keras."""

import helpers.quiet  # noqa: F401, I001
import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from helpers import masks

RATES = st.floats(0, 0.95)
SHAPES = hnp.array_shapes(min_dims=1, max_dims=4, max_side=6)


@given(RATES)
def test_rate_and_keep_prob_are_inverse(rate):
    assert masks.rate_of_keep_prob(masks.keep_prob_of_rate(rate)) == pytest.approx(rate, abs=2e-12)


@pytest.mark.parametrize(("keep_prob", "rate"), [(0.8, 0.2), (0.75, 0.25), (0.5, 0.5), (1, 0.0)])
def test_the_conversions_of_the_sources(keep_prob, rate):
    assert masks.rate_of_keep_prob(keep_prob) == rate
    assert masks.keep_prob_of_rate(rate) == keep_prob


@given(SHAPES, RATES, st.data())
@settings(max_examples=60, deadline=None)
def test_noise_shape_shares_the_draw_along_axes_of_one(shape, rate, data):
    noise_shape = tuple(data.draw(st.sampled_from([None, 1, size])) for size in shape)
    mask = masks.sample_mask(shape, rate, noise_shape=noise_shape, rng=np.random.default_rng(1))
    assert mask.shape == shape
    for axis, wanted in enumerate(noise_shape):
        if wanted == 1:
            assert (mask == mask.take([0], axis=axis)).all()


@pytest.mark.parametrize("noise_shape", [(2,), (None,), (2, 2), (1, 1, 1), (0, 3), ("a", None)])
def test_a_noise_shape_that_does_not_fit_is_refused(noise_shape):
    with pytest.raises((TypeError, ValueError), match="noise_shape"):
        masks.sample_mask((2, 3), 0.5, noise_shape=noise_shape, rng=np.random.default_rng(0))


@pytest.mark.parametrize("noise_shape", [(4,), (1,), (3, 4), (3, 1), (1, 4)])
def test_a_short_noise_shape_stands_for_the_last_axes_as_in_keras(noise_shape):
    shape = (5, 3, 4)
    ours = masks.sample_mask(shape, 0.5, noise_shape=noise_shape, rng=np.random.default_rng(1))
    layer = keras.layers.Dropout(0.5, noise_shape=noise_shape, seed=1)
    theirs = layer(np.ones(shape, "float32"), training=True).numpy() > 0
    for mask in (ours, theirs):
        drawn = mask[(0,) * (3 - len(noise_shape))]
        for axis, wanted in enumerate(noise_shape):
            drawn = drawn.take([0], axis=axis) if wanted == 1 else drawn
        assert (mask == drawn).all()


@given(SHAPES, RATES, st.data())
@settings(max_examples=40, deadline=None)
def test_keras_gives_the_same_values_and_gradients_on_the_same_mask(shape, rate, data):
    shape = (*shape, 2)
    noise_shape = tuple(data.draw(st.sampled_from([None, 1])) for _ in shape)
    h = np.random.default_rng(2).uniform(1, 2, shape).astype("float32")
    layer = keras.layers.Dropout(rate, noise_shape=noise_shape, seed=3)
    x = tf.constant(h)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = layer(x, training=True)
    mask = y.numpy() != 0
    upstream = np.ones_like(h)
    np.testing.assert_allclose(y, masks.inverted_dropout(h, mask, rate), rtol=1e-5)
    np.testing.assert_allclose(
        tape.gradient(y, x), masks.inverted_dropout_gradient(upstream, mask, rate), rtol=1e-5
    )
    for axis, wanted in enumerate(noise_shape):
        if wanted == 1:
            assert (mask == mask.take([0], axis=axis)).all()


@pytest.mark.parametrize("rate", [0.1, 0.25, 0.5, 0.8])
def test_keras_drops_as_often_as_the_reference(rate):
    n = 200_000
    kept = (
        keras.layers.Dropout(rate, seed=5)(np.ones((1, n), "float32"), training=True).numpy() != 0
    )
    ours = masks.sample_mask((n,), rate, rng=np.random.default_rng(5))
    tolerance = 5 * np.sqrt(rate * (1 - rate) / n)
    assert abs(kept.mean() - (1 - rate)) < tolerance
    assert abs(ours.mean() - (1 - rate)) < tolerance


@given(hnp.arrays(float, 4, elements=st.floats(-10, 10)), st.floats(0.05, 0.9))
@settings(max_examples=25, deadline=None)
def test_sampled_moments_approach_theory(h, rate):
    draws = 20_000
    mean, variance = masks.moments(h, rate)
    got_mean, got_variance = masks.sampled_moments(h, rate, draws, rng=np.random.default_rng(7))
    np.testing.assert_allclose(got_mean, mean, atol=6 * np.sqrt(variance.max() / draws) + 1e-9)
    np.testing.assert_allclose(got_variance, variance, rtol=0.15, atol=1e-9)


@given(RATES.filter(lambda rate: rate > 0.01))
@settings(deadline=None)
def test_the_paper_and_keras_agree_up_to_the_keep_probability(rate):
    h = np.linspace(-1, 1, 12)
    mask = masks.sample_mask(h.shape, rate, rng=np.random.default_rng(8))
    keep_prob = masks.keep_prob_of_rate(rate)
    np.testing.assert_allclose(
        masks.paper_inference(masks.inverted_dropout(h, mask, rate), keep_prob),
        masks.paper_dropout(h, mask),
        atol=1e-9,
    )


def test_all_masks_are_all_different():
    rows = masks.all_masks(6)
    assert rows.shape == (64, 6)
    assert len({tuple(row) for row in rows}) == 64


def softmax(z):
    e = np.exp(z - z.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


@given(st.floats(0.05, 0.9), st.integers(0, 1000))
@settings(max_examples=30, deadline=None)
def test_weight_scaling_is_the_geometric_mean_for_a_linear_softmax(rate, seed):
    rng = np.random.default_rng(seed)
    w, b = rng.normal(size=(8, 3)), rng.normal(size=3)
    thinned = masks.thinned_networks(rng.normal(size=8), lambda h: softmax(h @ w + b), rate)
    assert thinned.weights.sum() == pytest.approx(1)
    np.testing.assert_allclose(thinned.geometric_mean, thinned.weight_scaling, atol=1e-12)
    assert np.abs(thinned.arithmetic_mean - thinned.weight_scaling).max() > 1e-6


def test_weight_scaling_is_not_exact_with_a_relu_in_between():
    rng = np.random.default_rng(0)
    w1, w2 = rng.normal(size=(8, 16)), rng.normal(size=(16, 3))
    thinned = masks.thinned_networks(
        rng.normal(size=8), lambda h: softmax(np.maximum(h @ w1, 0) @ w2), 0.5
    )
    assert np.abs(thinned.geometric_mean - thinned.weight_scaling).max() > 1e-3


def test_a_predict_without_probabilities_is_refused():
    with pytest.raises(ValueError, match="probabilities"):
        masks.thinned_networks(np.ones(3), lambda h: h @ np.ones((3, 2)), 0.5)


def test_masks_must_be_boolean_and_fit():
    with pytest.raises(TypeError, match="boolean"):
        masks.paper_dropout(np.ones(3), np.ones(3))
    with pytest.raises(ValueError, match="does not fit"):
        masks.paper_dropout(np.ones(3), np.ones(4, bool))
