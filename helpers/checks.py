"""Checks of arguments, so that every helper refuses bad input in the same words."""

import math
import numbers
import operator
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

_T = TypeVar("_T")
LARGEST_COUNT = 2**31 - 1
_LONGEST_QUOTE = 200


def shown(value: object) -> str:
    """Return a value as an error quotes it.

    Args:
        value: Anything.

    Returns:
        Its repr, cut where it is long; its type where it has none.

    Example:
        >>> print(shown("a"), shown(np.float64))
        'a' <class 'numpy.float64'>
    """
    try:
        text = repr(value)
    # Python does not print a number of thousands of digits, and a class may do as it likes
    except Exception:
        return f"an object of type {type(value).__name__}"
    return text if len(text) <= _LONGEST_QUOTE else text[:_LONGEST_QUOTE] + "…"


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
    if not _is_number(rate):
        raise TypeError(f"{name} must be a number with 0 <= {name} < 1, received {shown(rate)}")
    number = _float(rate)
    if not 0 <= number < 1:
        raise ValueError(f"{name} must satisfy 0 <= {name} < 1, received {shown(rate)}")
    return number


def check_number(value: float, name: str, above: float = -math.inf) -> float:
    """Return `value` as a float if it is a finite real number.

    Args:
        value: The number to check.
        name: What the caller calls it, for the message.
        above: What it must be larger than.

    Returns:
        The same number as a Python float.

    Raises:
        TypeError: If `value` is not a real number (a bool or a string is not).
        ValueError: If it is NaN, infinite or not above the limit.

    Example:
        >>> check_number(0.3, "margin")
        0.3
    """
    limit = "" if above == -math.inf else f" above {above:g}"
    if not _is_number(value):
        raise TypeError(f"{name} must be a number{limit}, received {shown(value)}")
    number = _float(value)
    if not (math.isfinite(number) and number > above):
        raise ValueError(f"{name} must be a finite number{limit}, received {shown(value)}")
    return number


def check_count(value: int, name: str, minimum: int = 1, maximum: int = LARGEST_COUNT) -> int:
    """Return `value` as an int if it is a whole number from `minimum` to `maximum`.

    Args:
        value: The number to check.
        name: What the caller calls it, for the message.
        minimum: The smallest value that is accepted.
        maximum: The largest; what 32 bits hold by default.

    Returns:
        The same number as a Python int.

    Raises:
        TypeError: If `value` is not a whole number (a bool or a float is not).
        ValueError: If it is below `minimum` or above `maximum`.

    Example:
        >>> check_count(3, "epochs")
        3
    """
    accepted = f"{name} must be a whole number of at least {minimum}"
    if isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{accepted}, received {shown(value)}")
    try:
        count = operator.index(value)
    except TypeError:
        raise TypeError(f"{accepted}, received {shown(value)}") from None
    if count < minimum:
        raise ValueError(f"{accepted}, received {shown(value)}")
    if count > maximum:
        raise ValueError(f"{name} must be at most {maximum}, received {shown(value)}")
    return count


def check_flag(value: bool, name: str) -> bool:
    """Return `value` as a bool if it is one.

    Args:
        value: True or False, of Python or of NumPy.
        name: What the caller calls it, for the message.

    Returns:
        The same as a Python bool.

    Raises:
        TypeError: If it is anything else, such as 1 or "yes".

    Example:
        >>> check_flag(np.True_, "paired")
        True
    """
    if not isinstance(value, (bool, np.bool_)):
        raise TypeError(f"{name} must be True or False, received {shown(value)}")
    return bool(value)


def check_type(value: _T, name: str, kind: type) -> _T:
    """Return `value` if it is of the kind that is needed.

    Args:
        value: The value to check.
        name: What the caller calls it, for the message.
        kind: A class, such as `str`, `Mapping` or `Callable`.

    Returns:
        The same value.

    Raises:
        TypeError: If `value` is not an instance of `kind`.

    Example:
        >>> check_type("epoch", "xlabel", str)
        'epoch'
    """
    if not isinstance(value, kind):
        raise TypeError(f"{name} must be a {kind.__name__}, received {shown(value)}")
    return value


def check_sequence(value: Sequence, name: str, minimum: int = 1) -> tuple:
    """Return the entries of `value` if it is a sequence: a list, a tuple, a range, an array.

    Args:
        value: The sequence to check; a string is none.
        name: What the caller calls it, for the message.
        minimum: How many entries it must have at least.

    Returns:
        The entries.

    Raises:
        TypeError: If `value` has no order or no length, as a set or a generator, or is a string.
        ValueError: If it has too few entries.

    Example:
        >>> check_sequence(range(3), "seeds")
        (0, 1, 2)
    """
    text = isinstance(value, (str, bytes, bytearray, memoryview))
    if text or not (isinstance(value, Sequence) or (isinstance(value, np.ndarray) and value.ndim)):
        raise TypeError(f"{name} must be a sequence such as a list, received {shown(value)}")
    if len(value) < minimum:
        raise ValueError(f"{name} must hold at least {minimum}, received {len(value) or 'none'}")
    return tuple(value)


def check_path(value: str | os.PathLike, name: str) -> Path:
    """Return `value` as a path.

    Args:
        value: The name of a file or folder.
        name: What the caller calls it, for the message.

    Returns:
        The path.

    Raises:
        TypeError: If `value` is neither a string nor a path.
        ValueError: If it holds a null character, which no file system allows.

    Example:
        >>> check_path("results", "folder").name
        'results'
    """
    try:
        path = Path(value)
    except TypeError:
        raise TypeError(f"{name} must be a path, received {shown(value)}") from None
    if "\0" in str(path):
        raise ValueError(f"{name} must not hold a null character, received {shown(value)}")
    return path


def check_array(
    value: object, name: str, ndim: int | None = None, *, finite: bool = True
) -> np.ndarray:
    """Return `value` as a NumPy array if it is numeric, finite and not empty.

    Args:
        value: Anything that NumPy turns into an array of numbers.
        name: What the caller calls it, for the message.
        ndim: The number of axes that it must have; any when None.
        finite: Whether NaN and infinity are refused.

    Returns:
        The array; a view of `value` where that is possible.

    Raises:
        TypeError: If the values are not real numbers.
        ValueError: If the array is empty or ragged, holds NaN or infinity, or has another number
            of axes.

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
    # whole numbers are finite, and looking costs memory
    if finite and array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, received NaN or infinity in it")
    return array


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _float(number: numbers.Real) -> float:
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf
