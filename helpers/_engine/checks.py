"""Checks of what readers get wrong, in the same words everywhere. No TensorFlow."""

import numbers
from collections.abc import Iterable
from typing import TypeVar

_T = TypeVar("_T")


def shown(value: object) -> str:
    """Return a value as an error quotes it: its repr, cut after 200 characters."""
    text = repr(value)
    return text if len(text) <= 200 else text[:200] + "…"


def check_rate(rate: float, name: str = "rate") -> float:
    """Return `rate` as a float if it is a probability of dropping, 0 <= rate < 1.

    Example:
        >>> check_rate(40)
        Traceback (most recent call last):
        ValueError: rate must satisfy 0 <= rate < 1, received 40 (40 percent is a rate of 0.4)
    """
    if not isinstance(rate, numbers.Real) or isinstance(rate, bool):
        raise TypeError(f"{name} must be a number with 0 <= {name} < 1, received {shown(rate)}")
    if not 0 <= rate < 1:
        hint = ""
        if rate == 1:
            hint = " (the rate is what is dropped: the paper's p = 1 keeps all, a rate of 0)"
        elif 2 <= rate < 100:
            hint = f" ({rate:g} percent is a rate of {rate / 100:g})"
        raise ValueError(f"{name} must satisfy 0 <= {name} < 1, received {shown(rate)}{hint}")
    return float(rate)


def check_choice(value: _T, name: str, accepted: Iterable[_T]) -> _T:
    """Return `value` if it is one of those accepted, else say which they are.

    Example:
        >>> check_choice("imbd", "name", ["imdb", "mnist"])
        Traceback (most recent call last):
        ValueError: name must be one of 'imdb', 'mnist', received 'imbd'
    """
    accepted = list(accepted)
    if value not in accepted:
        listed = ", ".join(map(repr, accepted))
        raise ValueError(f"{name} must be one of {listed}, received {shown(value)}")
    return value
