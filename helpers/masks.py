"""The arithmetic of dropout in NumPy: the reference that Keras is tested against.

`rate` is the probability of dropping a unit (Keras); `keep_prob` is the probability of keeping it,
which Srivastava et al. (2014) call p.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from helpers.checks import (
    check_array,
    check_count,
    check_number,
    check_rate,
    check_sequence,
    check_type,
)

MAX_UNITS = 16


def keep_prob_of_rate(rate: float) -> float:
    """Return the paper's keep probability for a Keras rate.

    Args:
        rate: Probability of dropping, 0 <= rate < 1.

    Returns:
        1 - rate, rounded at the twelfth decimal so that 0.8 gives 0.2 and not 0.19999999999999996;
        never 0.

    Raises:
        TypeError: If `rate` is not a number.
        ValueError: If `rate` is outside [0, 1).

    Source:
        Srivastava et al. (2014), section 4, equation 2.

    Example:
        >>> keep_prob_of_rate(0.8)
        0.2
    """
    keep_prob = 1.0 - check_rate(rate)
    return round(keep_prob, 12) or keep_prob


def rate_of_keep_prob(keep_prob: float) -> float:
    """Return the Keras rate for the paper's keep probability.

    Args:
        keep_prob: Probability of keeping, 0 < keep_prob <= 1.

    Returns:
        1 - keep_prob, rounded at the twelfth decimal; never 1.

    Raises:
        TypeError: If `keep_prob` is not a number.
        ValueError: If `keep_prob` is outside (0, 1].

    Source:
        Srivastava et al. (2014), section 4, equation 2.

    Example:
        >>> rate_of_keep_prob(0.8)
        0.2
    """
    number = check_number(keep_prob, "keep_prob")
    if not 0 < number <= 1:
        raise ValueError(f"keep_prob must satisfy 0 < keep_prob <= 1, received {keep_prob!r}")
    return min(round(1.0 - number, 12), math.nextafter(1.0, 0.0))


def sample_mask(
    shape: tuple[int, ...],
    rate: float,
    *,
    noise_shape: tuple[int | None, ...] | None = None,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw a Bernoulli mask: True where a unit is kept.

    Args:
        shape: Shape of the activations, for example (batch, units).
        rate: Probability of dropping each unit, 0 <= rate < 1.
        noise_shape: Keras's `noise_shape`: one entry an axis; 1 shares one draw along that axis,
            None (or the axis' own length) draws for each index. A shorter one, without None,
            stands for the last axes and shares along the others. All are drawn when omitted.
        rng: Where the random numbers come from.

    Returns:
        A boolean array of `shape`.

    Raises:
        TypeError: If `rate` or an entry of a shape is not a number, or another argument is of
            another kind.
        ValueError: If `rate` is outside [0, 1), or `noise_shape` does not fit `shape`.

    Source:
        Srivastava et al. (2014), section 4, equation 2; keras.layers.Dropout for `noise_shape`.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> mask = sample_mask((2, 3, 4), 0.5, noise_shape=(None, 1, None), rng=rng)
        >>> mask.shape, bool((mask == mask[:, :1]).all())
        ((2, 3, 4), True)
    """
    rate = check_rate(rate)
    shape = check_sequence(shape, "shape", minimum=0)
    shape = tuple(check_count(size, "an entry of shape") for size in shape)
    check_type(rng, "rng", np.random.Generator)
    draws = shape if noise_shape is None else _drawn_shape(shape, noise_shape)
    return np.broadcast_to(rng.random(draws) >= rate, shape).copy()


def inverted_dropout(h: np.ndarray, mask: np.ndarray, rate: float) -> np.ndarray:
    """Drop units and scale the survivors by 1 / (1 - rate), as Keras does in training.

    Args:
        h: Activations, any shape.
        mask: True where a unit is kept; broadcast against `h`.
        rate: Probability of dropping that drew the mask, 0 <= rate < 1.

    Returns:
        An array of the shape of `h`.

    Raises:
        TypeError: If an argument is not numeric.
        ValueError: If `rate` is outside [0, 1) or the shapes do not fit.

    Source:
        Srivastava et al. (2014), section 10, "another way to achieve the same effect".

    Example:
        >>> inverted_dropout(np.array([1.0, 2.0, 3.0]), np.array([True, False, True]), 0.5)
        array([2., 0., 6.])
    """
    return _masked(h, mask, "h") / (1.0 - check_rate(rate))


def inverted_dropout_gradient(upstream: np.ndarray, mask: np.ndarray, rate: float) -> np.ndarray:
    """Pass a gradient back through inverted dropout: the same mask, the same factor.

    Args:
        upstream: Gradient of the loss with respect to the layer's output.
        mask: The mask of the forward pass.
        rate: The rate of the forward pass, 0 <= rate < 1.

    Returns:
        Gradient with respect to the layer's input, of the shape of `upstream`.

    Raises:
        TypeError: If an argument is not numeric.
        ValueError: If `rate` is outside [0, 1) or the shapes do not fit.

    Source:
        Srivastava et al. (2014), section 5.1.

    Example:
        >>> inverted_dropout_gradient(np.ones(3), np.array([True, False, True]), 0.5)
        array([2., 0., 2.])
    """
    return _masked(upstream, mask, "upstream") / (1.0 - check_rate(rate))


def paper_dropout(h: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Drop units and leave the survivors as they are, as the paper does in training.

    Args:
        h: Activations, any shape (or, going backward, the upstream gradient).
        mask: True where a unit is kept; broadcast against `h`.

    Returns:
        An array of the shape of `h`.

    Raises:
        TypeError: If an argument is not numeric.
        ValueError: If the shapes do not fit.

    Source:
        Srivastava et al. (2014), section 4, equation 3.

    Example:
        >>> paper_dropout(np.array([1.0, 2.0, 3.0]), np.array([True, False, True]))
        array([1., 0., 3.])
    """
    return _masked(h, mask, "h")


def paper_inference(h: np.ndarray, keep_prob: float) -> np.ndarray:
    """Scale every unit by the keep probability, as the paper does at test time.

    Args:
        h: Activations, any shape.
        keep_prob: Probability of keeping, 0 < keep_prob <= 1.

    Returns:
        An array of the shape of `h`.

    Raises:
        TypeError: If an argument is not numeric.
        ValueError: If `keep_prob` is outside (0, 1].

    Source:
        Srivastava et al. (2014), section 4, figure 2.

    Example:
        >>> paper_inference(np.array([1.0, 2.0]), 0.5)
        array([0.5, 1. ])
    """
    rate_of_keep_prob(keep_prob)
    return check_array(h, "h") * float(keep_prob)


def moments(h: np.ndarray, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and variance that a unit has under inverted dropout, over masks.

    Args:
        h: Activations, any shape.
        rate: Probability of dropping, 0 <= rate < 1.

    Returns:
        The mean, which is h, and the variance h**2 * rate / (1 - rate), both of the shape of `h`.

    Raises:
        TypeError: If an argument is not numeric.
        ValueError: If `rate` is outside [0, 1).

    Source:
        Srivastava et al. (2014), section 10: the Gaussian with the same two moments.

    Example:
        >>> moments(np.array([1.0, 2.0]), 0.5)
        (array([1., 2.]), array([1., 4.]))
    """
    rate = check_rate(rate)
    h = check_array(h, "h").astype(float)
    return h, h**2 * rate / (1.0 - rate)


def sampled_moments(
    h: np.ndarray, rate: float, draws: int, *, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and variance of a unit over freshly drawn masks.

    Args:
        h: Activations, any shape.
        rate: Probability of dropping, 0 <= rate < 1.
        draws: How many masks to draw, at least 2.
        rng: Where the random numbers come from.

    Returns:
        Sample mean and sample variance, both of the shape of `h`.

    Raises:
        TypeError: If an argument is not numeric.
        ValueError: If `rate` is outside [0, 1) or there are fewer than two draws.

    Source:
        The sampled side of :func:`moments`.

    Example:
        >>> mean, variance = sampled_moments([1.0], 0.5, 10_000, rng=np.random.default_rng(0))
        >>> bool(abs(mean[0] - 1) < 0.05 and abs(variance[0] - 1) < 0.05)
        True
    """
    h = check_array(h, "h").astype(float)
    draws, rate = check_count(draws, "draws", minimum=2), check_rate(rate)
    mask = sample_mask((draws, *h.shape), rate, rng=rng)
    dropped = inverted_dropout(np.broadcast_to(h, mask.shape), mask, rate)
    return dropped.mean(axis=0), dropped.var(axis=0, ddof=1)


def all_masks(units: int) -> np.ndarray:
    """List every mask that a layer can have: 2**units of them.

    Args:
        units: Number of units, 1 to 16.

    Returns:
        A boolean array of shape (2**units, units); the first row keeps nothing.

    Raises:
        TypeError: If `units` is not a whole number.
        ValueError: If it is below 1 or above 16.

    Source:
        Srivastava et al. (2014), section 1: n units, 2**n thinned networks.

    Example:
        >>> all_masks(2).astype(int).tolist()
        [[0, 0], [0, 1], [1, 0], [1, 1]]
    """
    units = check_count(units, "units", maximum=MAX_UNITS)
    bits = np.arange(2**units)[:, None] >> np.arange(units - 1, -1, -1)
    return (bits & 1).astype(bool)


@dataclass(frozen=True)
class ThinnedNetworks:
    """Every thinned network of one layer, and three ways to sum them up.

    Args:
        masks: All masks, shape (2**units, units).
        weights: Probability of each mask, shape (2**units,); they sum to 1.
        outputs: Class probabilities of each thinned network, shape (2**units, classes).
        arithmetic_mean: Weighted mean of the outputs, shape (classes,).
        geometric_mean: Weighted geometric mean, normalised to sum to 1, shape (classes,).
        weight_scaling: Output of the one full network, shape (classes,).

    Example:
        >>> softmax = lambda h: np.exp(h) / np.exp(h).sum(axis=-1, keepdims=True)
        >>> thinned = thinned_networks(np.array([1.0, 2.0]), softmax, 0.5)
        >>> bool(np.allclose(thinned.geometric_mean, thinned.weight_scaling))
        True
    """

    masks: np.ndarray
    weights: np.ndarray
    outputs: np.ndarray
    arithmetic_mean: np.ndarray
    geometric_mean: np.ndarray
    weight_scaling: np.ndarray


def thinned_networks(
    h: np.ndarray, predict: Callable[[np.ndarray], np.ndarray], rate: float
) -> ThinnedNetworks:
    """Run every thinned network on one example and compare the averages with weight scaling.

    Args:
        h: The units that are dropped, shape (units,), at most 16.
        predict: The rest of the network: maps rows of shape (m, units) to class probabilities
            of shape (m, classes).
        rate: Probability of dropping, 0 <= rate < 1.

    Returns:
        All masks, their probabilities and outputs, and the three averages.

    Raises:
        TypeError: If `h` or `rate` is not numeric, or `predict` cannot be called.
        ValueError: If `rate` is outside [0, 1), there are too many units, or `predict` does not
            return probabilities.

    Source:
        Srivastava et al. (2014), sections 1 and 4; Baldi and Sadowski (2013).

    Example:
        >>> softmax = lambda h: np.exp(h) / np.exp(h).sum(axis=-1, keepdims=True)
        >>> thinned_networks(np.array([1.0, 2.0, 3.0]), softmax, 0.5).outputs.shape
        (8, 3)
    """
    rate = check_rate(rate)
    check_type(predict, "predict", Callable)
    h = check_array(h, "h", ndim=1).astype(float)
    masks = all_masks(h.size)
    kept = masks.sum(axis=1)
    weights = (1.0 - rate) ** kept * rate ** (h.size - kept)
    outputs = _probabilities(predict, inverted_dropout(h, masks, rate))
    log_mean = weights @ np.log(outputs)
    geometric = np.exp(log_mean - log_mean.max())
    return ThinnedNetworks(
        masks=masks,
        weights=weights,
        outputs=outputs,
        arithmetic_mean=weights @ outputs,
        geometric_mean=geometric / geometric.sum(),
        weight_scaling=_probabilities(predict, h[None])[0],
    )


def _probabilities(predict: Callable, rows: np.ndarray) -> np.ndarray:
    outputs = check_array(predict(rows), "what predict returns", ndim=2)
    if len(outputs) != len(rows) or outputs.min() <= 0 or not np.allclose(outputs.sum(axis=1), 1):
        raise ValueError(
            f"predict must return one row of positive probabilities for each of {len(rows)} rows, "
            f"received shape {outputs.shape} and values from {outputs.min()} to {outputs.max()}"
        )
    return outputs


def _drawn_shape(shape: tuple[int, ...], noise_shape: tuple[int | None, ...]) -> tuple[int, ...]:
    entries = check_sequence(noise_shape, "noise_shape", minimum=0)
    noise_shape = tuple(
        None if entry is None else check_count(entry, "an entry of noise_shape")
        for entry in entries
    )
    missing = len(shape) - len(noise_shape)
    wanted = (1,) * missing + tuple(noise_shape)
    if (
        missing < 0
        or (missing and None in noise_shape)
        or any(entry not in (None, 1, size) for entry, size in zip(wanted, shape, strict=True))
    ):
        raise ValueError(
            f"noise_shape needs one entry for each axis of shape {shape}: None, 1 or the axis' "
            f"length; received {noise_shape}"
        )
    return tuple(
        size if entry is None else entry for entry, size in zip(wanted, shape, strict=True)
    )


def _masked(h: object, mask: object, name: str) -> np.ndarray:
    h, mask = check_array(h, name), check_array(mask, "mask")
    if mask.dtype.kind != "b":
        raise TypeError(f"mask must be boolean (True keeps), received dtype {mask.dtype}")
    try:
        return h * mask
    except ValueError:
        raise ValueError(
            f"mask does not fit {name}, received shapes {mask.shape} and {h.shape}"
        ) from None
