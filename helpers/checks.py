"""Checks of arguments, so that every helper refuses bad input in the same words."""

import math
import numbers
import operator

import numpy as np


def check_rate(rate: float, name: str = "rate") -> float:
    """Return `rate` as a float if it is a usable probability of dropping.

    Args:
        rate: Probability of dropping a unit, 0 <= rate < 1.
        name: What the caller calls it, for the message.

    Returns:
        The same number as a Python float.

    Raises:
        TypeError: If `rate` is not a real number (a bool or a string is not).
        ValueError: If it is NaN, negative, 1 or more.

    Example:
        >>> check_rate(0.5)
        0.5
    """
    if isinstance(rate, (bool, np.bool_)) or not isinstance(rate, numbers.Real):
        raise TypeError(f"{name} must be a number with 0 <= {name} < 1, received {rate!r}")
    if math.isnan(rate) or not 0 <= rate < 1:
        raise ValueError(f"{name} must satisfy 0 <= {name} < 1, received {rate!r}")
    return float(rate)


def check_count(value: int, name: str, minimum: int = 1) -> int:
    """Return `value` as an int if it is a whole number of at least `minimum`.

    Args:
        value: The number to check.
        name: What the caller calls it, for the message.
        minimum: The smallest value that is accepted.

    Returns:
        The same number as a Python int.

    Raises:
        TypeError: If `value` is not a whole number (a bool or a float is not).
        ValueError: If it is below `minimum`.

    Example:
        >>> check_count(3, "epochs")
        3
    """
    accepted = f"{name} must be a whole number of at least {minimum}"
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{accepted}, received {value!r}")
    try:
        count = operator.index(value)
    except TypeError:
        raise TypeError(f"{accepted}, received {value!r}") from None
    if count < minimum:
        raise ValueError(f"{accepted}, received {value!r}")
    return count


def check_array(value: object, name: str, ndim: int | None = None) -> np.ndarray:
    """Return `value` as a NumPy array if it is numeric, finite and not empty.

    Args:
        value: Anything that NumPy turns into an array of numbers.
        name: What the caller calls it, for the message.
        ndim: The number of axes that it must have; any when None.

    Returns:
        The array; a view of `value` where that is possible.

    Raises:
        TypeError: If the values are not real numbers.
        ValueError: If the array is empty, holds NaN or infinity, or has another number of axes.

    Example:
        >>> check_array([1, 2, 3], "h", ndim=1)
        array([1, 2, 3])
    """
    try:
        array = np.asarray(value)
    except ValueError:
        raise ValueError(f"{name} must be a regular array, received a ragged sequence") from None
    if array.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold real numbers, received dtype {array.dtype}")
    if ndim is not None and array.ndim != ndim:
        raise ValueError(f"{name} must have {ndim} axes, received shape {array.shape}")
    if array.size == 0:
        raise ValueError(f"{name} must not be empty, received shape {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, received NaN or infinity in it")
    return array
