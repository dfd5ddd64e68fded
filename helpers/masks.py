"""The arithmetic of dropout in NumPy: the reference that Keras is tested against.

`rate` is Keras's probability of dropping, 0 <= rate < 1, and `keep_prob` that of keeping: p in "the
paper", Srivastava et al. (2014).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from helpers._engine.checks import check_rate, shown

Shape = tuple[int | None, ...]


def keep_prob_of_rate(rate: float) -> float:
    """Return the paper's keep probability for a Keras rate: 1 - rate.

    Example:
        >>> keep_prob_of_rate(0.8)  # rounded at the twelfth decimal: not 0.19999999999999996
        0.2
    """
    return round(1.0 - check_rate(rate), 12)


def rate_of_keep_prob(keep_prob: float) -> float:
    """Return the Keras rate for the paper's keep probability: 1 - keep_prob.

    Args:
        keep_prob: Probability of keeping, 0 < keep_prob <= 1.

    Example:
        >>> rate_of_keep_prob(0.8)
        0.2
    """
    if not 0 < keep_prob <= 1:
        raise ValueError(f"keep_prob must satisfy 0 < keep_prob <= 1, received {shown(keep_prob)}")
    return round(1.0 - keep_prob, 12)


def sample_mask(
    shape: Shape, rate: float, *, noise_shape: Shape | None = None, rng: np.random.Generator
) -> np.ndarray:
    """Draw a boolean mask, True where a unit is kept (the paper, section 4, equation 2).

    Args:
        shape: Shape of the activations, for example (batch, units).
        noise_shape: As in Keras: one entry an axis; 1 shares one draw along that axis, None or the
            axis' length does not. A shorter one, without None, stands for the last axes.
        rng: Where the random numbers come from.

    Example:
        >>> sample_mask((2, 3), 0.5, noise_shape=(None, 1), rng=np.random.default_rng(1)).tolist()
        [[True, True, True], [True, True, True]]
    """
    drawn = shape if noise_shape is None else _drawn_shape(tuple(shape), tuple(noise_shape))
    return np.broadcast_to(rng.random(drawn) >= check_rate(rate), shape).copy()


def inverted_dropout(h: np.ndarray, mask: np.ndarray, rate: float) -> np.ndarray:
    """Drop units and scale the survivors by 1 / (1 - rate), as Keras does (the paper, section 10).

    Args:
        h: Activations, any shape.
        mask: True where a unit is kept; broadcast against `h`.
        rate: The rate that drew the mask.

    Example:
        >>> inverted_dropout([1.0, 2.0, 3.0], np.array([True, False, True]), 0.5)
        array([2., 0., 6.])
    """
    if np.asarray(mask).dtype != bool:
        raise TypeError(f"mask must be boolean (True keeps), received {shown(mask)}")
    return np.asarray(h) * mask / (1.0 - check_rate(rate))


def inverted_dropout_gradient(upstream: np.ndarray, mask: np.ndarray, rate: float) -> np.ndarray:
    """Pass a gradient back through inverted dropout: same mask, same factor (paper, section 5.1).

    Args:
        upstream: Gradient of the loss with respect to the layer's output.
        mask: The mask of the forward pass, drawn at `rate`.
    """
    return inverted_dropout(upstream, mask, rate)


def moments(h: np.ndarray, rate: float) -> tuple[np.ndarray, np.ndarray]:
    """Return a unit's mean, h, and variance, h**2 * rate / (1 - rate), over masks (section 10).

    Args:
        h: Activations, any shape.

    Example:
        >>> moments([1.0, 2.0], 0.5)
        (array([1., 2.]), array([1., 4.]))
    """
    h = np.asarray(h, float)
    return h, h**2 * check_rate(rate) / (1.0 - rate)


def all_masks(units: int) -> np.ndarray:
    """List every mask of a layer, shape (2**units, units): its thinned networks (section 1).

    Args:
        units: Number of units, 1 to 16.

    Example:
        >>> all_masks(2).astype(int).tolist()
        [[0, 0], [0, 1], [1, 0], [1, 1]]
    """
    if not 1 <= units <= 16:
        raise ValueError(f"units must satisfy 1 <= units <= 16, received {shown(units)}")
    bits = np.arange(2**units)[:, None] >> np.arange(units - 1, -1, -1)
    return (bits & 1).astype(bool)


class ThinnedNetworks(NamedTuple):
    """Every thinned network of one layer, and three ways to sum them up."""

    masks: np.ndarray  # all of them, shape (2**units, units)
    weights: np.ndarray  # probability of each mask, shape (2**units,)
    outputs: np.ndarray  # class probabilities of each network, shape (2**units, classes)
    arithmetic_mean: np.ndarray  # weighted mean of the outputs, shape (classes,)
    geometric_mean: np.ndarray  # weighted geometric mean, normalised to sum to 1
    weight_scaling: np.ndarray  # output of the one full network


def thinned_networks(
    h: np.ndarray, predict: Callable[[np.ndarray], np.ndarray], rate: float
) -> ThinnedNetworks:
    """Run every thinned network on one example, as Baldi and Sadowski (2013) did on paper.

    Args:
        h: The units that are dropped, shape (units,), at most 16.
        predict: The rest of the network: from (m, units) to class probabilities (m, classes).

    Example:
        >>> softmax = lambda h: np.exp(h) / np.exp(h).sum(axis=-1, keepdims=True)
        >>> thinned = thinned_networks(np.array([1.0, 2.0]), softmax, 0.5)
        >>> bool(np.allclose(thinned.geometric_mean, thinned.weight_scaling))
        True
    """
    masks = all_masks(len(h))
    kept = masks.sum(axis=1)
    weights = (1.0 - rate) ** kept * rate ** (len(h) - kept)
    rows = np.vstack([inverted_dropout(h, masks, rate), h])  # the last: nothing dropped or scaled
    outputs = np.asarray(predict(rows))
    if len(outputs) != len(rows) or outputs.min() <= 0 or not np.allclose(outputs.sum(axis=-1), 1):
        raise ValueError(f"predict must return positive probabilities, received {shown(outputs)}")
    thinned, full = outputs[:-1], outputs[-1]
    geometric = np.exp(weights @ np.log(thinned))
    return ThinnedNetworks(
        masks, weights, thinned, weights @ thinned, geometric / geometric.sum(), full
    )


def _drawn_shape(shape: Shape, noise_shape: Shape) -> Shape:
    """Return the shape of the random numbers: 1 along each axis that shares them."""
    missing = len(shape) - len(noise_shape)
    wanted = (1,) * missing + noise_shape
    fits = len(wanted) == len(shape) and not (missing and None in noise_shape)
    if not fits or any(w not in (None, 1, s) for w, s in zip(wanted, shape, strict=True)):
        raise ValueError(
            f"noise_shape needs one entry for each axis of shape {shape}: None, 1 or the axis' "
            f"length; received {noise_shape}"
        )
    return tuple(s if w is None else w for w, s in zip(wanted, shape, strict=True))
