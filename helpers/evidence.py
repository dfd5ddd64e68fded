"""Means with their intervals, and the table of claims that closes every lesson."""

import html
import os
from dataclasses import dataclass, field

import numpy as np
from scipy.special import stdtrit

from helpers.checks import check_array, check_flag, check_type, shown


@dataclass(frozen=True)
class Interval:
    """A mean and its 95 % confidence interval.

    Args:
        mean: The mean of the measured values.
        low: Lower end of the interval.
        high: Upper end of the interval.
        n: How many values were measured.

    Example:
        >>> str(Interval(0.786, 0.782, 0.790, 30))
        '0.786 ± 0.004 (n = 30)'
    """

    mean: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.mean:.3f} ± {(self.high - self.low) / 2:.3f} (n = {self.n})"


def interval(values: np.ndarray) -> Interval:
    """Return the mean of repeated measurements with its 95 % t interval.

    Args:
        values: At least two measurements, one axis.

    Returns:
        The mean, both ends of the interval, and n.

    Raises:
        TypeError: If the values are not numbers.
        ValueError: If there are fewer than two, or one is not finite.

    Source:
        Student (1908), The probable error of a mean.

    Example:
        >>> print(interval([0.70, 0.72, 0.74]))
        0.720 ± 0.050 (n = 3)
    """
    values = _repeats(values, "values")
    half = stdtrit(values.size - 1, 0.975) * values.std(ddof=1) / np.sqrt(values.size)
    mean = values.mean()
    return Interval(float(mean), float(mean - half), float(mean + half), values.size)


def difference(a: np.ndarray, b: np.ndarray, paired: bool = False) -> Interval:
    """Return mean(a) - mean(b) with its 95 % interval.

    Args:
        a: Measurements under one condition, one axis.
        b: Measurements under the other.
        paired: Whether a[i] and b[i] share their seed or split; then n is the number of pairs.

    Returns:
        The difference; n counts the values of the smaller side.

    Raises:
        TypeError: If the values are not numbers, or `paired` is not a bool.
        ValueError: If a side has fewer than two values, or pairs do not match.

    Source:
        Welch (1947), The generalization of Student's problem, for unpaired values.

    Example:
        >>> print(difference([0.80, 0.82, 0.81], [0.70, 0.74, 0.72], paired=True))
        0.090 ± 0.025 (n = 3)
    """
    a, b = _repeats(a, "a"), _repeats(b, "b")
    if check_flag(paired, "paired"):
        if a.size != b.size:
            raise ValueError(
                f"a and b need equally many values to be paired, received {a.size} and {b.size}"
            )
        return interval(a - b)
    va, vb = a.var(ddof=1) / a.size, b.var(ddof=1) / b.size
    mean = float(a.mean() - b.mean())
    if va + vb == 0:
        return Interval(mean, mean, mean, min(a.size, b.size))
    df = (va + vb) ** 2 / (va**2 / (a.size - 1) + vb**2 / (b.size - 1))
    half = float(stdtrit(df, 0.975) * np.sqrt(va + vb))
    return Interval(mean, mean - half, mean + half, min(a.size, b.size))


def base_seed() -> int:
    """Return the seed that every other seed of a notebook derives from.

    Returns:
        0, or the value of the environment variable DROPOUT_SEED.

    Raises:
        ValueError: If the variable is not a whole number from 0 to 999,999.

    Example:
        >>> base_seed() >= 0
        True
    """
    text = os.environ.get("DROPOUT_SEED", "0")
    if not text.isdecimal() or len(text) > 6:
        raise ValueError(
            f"DROPOUT_SEED must be a whole number from 0 to 999999, received {shown(text)}"
        )
    return int(text)


def _repeats(values: object, name: str) -> np.ndarray:
    array = check_array(values, name, ndim=1).astype(float)
    if array.size < 2:
        raise ValueError(f"{name} needs at least two measurements, received {array.size}")
    return array


@dataclass
class Claims:
    """What a lesson claims, what it measured, and whether that holds.

    Example:
        >>> claims = Claims()
        >>> claims.add("two and two are four", 2 + 2, 2 + 2 == 4)
        >>> claims.verdict()
        1 of 1 claims hold
    """

    _rows: list[tuple[str, str, bool]] = field(default_factory=list)

    def add(self, claim: str, measured: object, holds: bool) -> None:
        """Note one claim.

        Args:
            claim: The sentence that is claimed.
            measured: What this run measured; shown by its `str`.
            holds: Whether the measurement supports the claim.

        Raises:
            TypeError: If `claim` is not a string, or `holds` is not a bool.

        Example:
            >>> Claims().add("one is positive", 1, 1 > 0)
        """
        check_type(claim, "claim", str)
        # NaN and arrays of one value would pass for true
        holds = check_flag(holds, "holds")
        self._rows = [row for row in self._rows if row[0] != claim]
        self._rows.append((claim, str(measured), holds))

    def table(self) -> "ClaimsTable":
        """Return the claims so far as a table for the notebook to show.

        Example:
            >>> claims = Claims()
            >>> claims.add("one is positive", 1, True)
            >>> print(claims.table())
            yes | one is positive | 1
        """
        return ClaimsTable(tuple(self._rows))

    def verdict(self) -> None:
        """Print how many claims hold, and fail if one does not.

        Raises:
            AssertionError: Naming each claim that does not hold, and what was measured.
            ValueError: If nothing was claimed.

        Example:
            >>> claims = Claims()
            >>> claims.add("one is positive", 1, True)
            >>> claims.verdict()
            1 of 1 claims hold
        """
        if not self._rows:
            raise ValueError("no claims were added: a verdict needs at least one")
        failed = [f"{claim} (measured: {value})" for claim, value, holds in self._rows if not holds]
        if failed:
            raise AssertionError("these claims do not hold: " + "; ".join(failed))
        print(f"{len(self._rows)} of {len(self._rows)} claims hold")


@dataclass(frozen=True)
class ClaimsTable:
    """Claims as a notebook shows them.

    Args:
        rows: One (claim, measured, holds) each.

    Example:
        >>> print(ClaimsTable((("one is positive", "1", True),)))
        yes | one is positive | 1
    """

    rows: tuple[tuple[str, str, bool], ...]

    def __str__(self) -> str:
        return "\n".join(f"{_yes(holds)} | {claim} | {value}" for claim, value, holds in self.rows)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        left = 'style="text-align:left"'
        body = "".join(
            f"<tr><td {left}>{html.escape(claim)}</td><td {left}>{html.escape(value)}</td>"
            f"<td {left}>{_yes(holds)}</td></tr>"
            for claim, value, holds in self.rows
        )
        head = "".join(f"<th {left}>{title}</th>" for title in ("Claim", "Measured", "Holds"))
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _yes(holds: bool) -> str:
    return "yes" if holds else "no"
