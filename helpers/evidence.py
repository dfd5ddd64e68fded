"""Means with their intervals, findings, and the table of claims that closes every lesson."""

import html
import json
import os
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

_CLONE = Path(__file__).resolve().parents[1] / "notebooks"
_RESULTS = _CLONE / "results" if _CLONE.is_dir() else Path(__file__).with_name("results")
REPLICATION = _RESULTS / "replication.json"


@dataclass(frozen=True)
class Interval:
    """A mean of n measured values, and the ends of its 95 % confidence interval.

    Example:
        >>> gain = Interval(0.0152, 0.0081, 0.0223, 50)
        >>> print(gain)
        0.015 (0.008 to 0.022)
        >>> print(f"{gain:.1%}")
        1.5% (0.8% to 2.2%)
        >>> gain.above(0), gain.within(-0.01, 0.01)
        (True, False)
    """

    mean: float
    low: float
    high: float
    n: int

    def above(self, limit: float) -> bool:
        """Return whether the whole interval lies above `limit`."""
        return self.low > limit

    def below(self, limit: float) -> bool:
        """Return whether the whole interval lies below `limit`."""
        return self.high < limit

    def within(self, low: float, high: float) -> bool:
        """Return whether the whole interval lies between `low` and `high`."""
        return low < self.low and self.high < high

    def __format__(self, spec: str) -> str:
        mean, low, high = (format(x, spec or ".3f") for x in (self.mean, self.low, self.high))
        return f"{mean} ({low} to {high})"

    def __str__(self) -> str:
        return format(self, "")


def interval(values: np.ndarray) -> Interval:
    """Return the mean of measurements with its 95 % t interval.

    Args:
        values: At least two finite measurements, one axis.

    Source:
        Student (1908), The probable error of a mean.

    Example:
        >>> print(interval([0.70, 0.72, 0.74]))
        0.720 (0.670 to 0.770)
    """
    values = _repeats(values, "values")
    return _tested(values.mean(), stats.ttest_1samp, values, popmean=0.0)


def difference(a: np.ndarray, b: np.ndarray, paired: bool = False) -> Interval:
    """Return mean(a) - mean(b) with its 95 % interval; n counts the values of the smaller side.

    Args:
        a: Measurements under one condition, at least two, one axis.
        b: Measurements under the other.
        paired: Whether a[i] and b[i] share their seed or split, so that each pair is one value.

    Source:
        Welch (1947), The generalization of Student's problem, for unpaired values.

    Example:
        >>> print(difference([0.80, 0.82, 0.81], [0.70, 0.74, 0.72], paired=True))
        0.090 (0.065 to 0.115)
    """
    a, b = _repeats(a, "a"), _repeats(b, "b")
    if paired:
        return interval(a - b)
    return _tested(a.mean() - b.mean(), stats.ttest_ind, a, b, equal_var=False)


def base_seed() -> int:
    """Return the seed that all seeds of a notebook derive from: DROPOUT_SEED, or else 0.

    Example:
        >>> base_seed() >= 0
        True
    """
    text = os.environ.get("DROPOUT_SEED", "0")
    if not (text.isascii() and text.isdecimal() and len(text) <= 6):
        raise ValueError(
            f"DROPOUT_SEED must be a whole number from 0 to 999999, received {text[:50]!r}"
        )
    return int(text)


@dataclass(frozen=True)
class Finding:
    """One claim, what was measured, and whether that supports it.

    Example:
        >>> Finding("Dropout lowers the loss", "0.13 (0.09 to 0.17)", True)
        Measured here. Dropout lowers the loss: 0.13 (0.09 to 0.17)
    """

    claim: str
    measured: str
    holds: bool

    def __str__(self) -> str:
        return f"{self.claim}: {self.measured}"

    def __repr__(self) -> str:
        return f"Measured here. {self}" + ("" if self.holds else " (so the claim does not hold)")


class Claims:
    """What a lesson claims, what it measured, and whether that holds.

    Args:
        lesson: Name of the lesson's file without its ending, to look up its replications.

    Example:
        >>> claims = Claims("01_what_dropout_does")
        >>> claims.add("Two and two are four", 2 + 2, 2 + 2 == 4)
        Measured here. Two and two are four: 4
        >>> claims.verdict()
        1 of 1 claims hold
    """

    def __init__(self, lesson: str):
        self.lesson = lesson
        self.findings: dict[str, Finding] = {}

    def add(self, claim: str, measured: object, holds: bool) -> Finding:
        """Note one claim; a claim that is measured again replaces the first.

        Args:
            claim: The sentence that is claimed, without figures that change with the seed.
            measured: What this run measured and the check looked at; shown by its `str`.
            holds: Whether the measurement supports the claim.

        Returns:
            The finding: end a cell with it, or hand it to `plots.show` as a figure's title.

        Example:
            >>> gain = interval([0.01, 0.02, 0.03])
            >>> Claims("").add("Dropout raises the accuracy", gain, gain.above(-0.01))
            Measured here. Dropout raises the accuracy: 0.020 (-0.005 to 0.045)
        """
        if not isinstance(holds, (bool, np.bool_)):  # NaN or an array would pass for true
            raise TypeError(f"holds must be a bool, received {type(holds).__name__}")
        self.findings[claim] = Finding(claim, str(measured), bool(holds))
        return self.findings[claim]

    def table(self) -> "Table":
        """Return the claims so far; where the lesson was replicated, with how often each held."""
        recorded, header = replications(self.lesson), ("Claim", "Measured", "Holds")
        rows = [(f.claim, f.measured, "yes" if f.holds else "no") for f in self.findings.values()]
        if not recorded:
            return Table(header, rows)
        runs = max(one["of"] for one in recorded.values())
        held = [f"{recorded[f]['held']} of {runs}" if f in recorded else "" for f in self.findings]
        rows = [(*row, again) for row, again in zip(rows, held, strict=True)]
        return Table((*header, f"Held in {runs} other runs"), rows)

    def verdict(self) -> None:
        """Print how many claims hold, and fail with what was measured if one does not."""
        if not self.findings:
            raise ValueError("no claims were added: a verdict needs at least one")
        findings = self.findings.values()
        failed = [f"{f.claim} (measured: {f.measured})" for f in findings if not f.holds]
        if failed:
            raise AssertionError("these claims do not hold: " + "; ".join(failed))
        print(f"{len(findings)} of {len(findings)} claims hold")


def replications(lesson: str) -> dict[str, dict[str, Any]]:
    """Return each claim of a lesson with its `held` and `of`, where its replications are recorded.

    Args:
        lesson: Name of the lesson's file without its ending.
    """
    return recorded().get(lesson, {"claims": {}})["claims"]


def replication_summary() -> "Table":
    """Return how often the claims of each lesson held in runs with other base seeds."""
    rows = []
    for lesson, entry in sorted(recorded().items()):
        held, runs = [one["held"] for one in entry["claims"].values()], len(entry["seeds"])
        least = f"{min(held, default=0)} of {runs}"
        rows.append((lesson, len(held), runs, held.count(runs), least))
    return Table(("Lesson", "Claims", "Other runs", "Held in all", "The least"), rows)


def recorded() -> dict[str, Any]:
    """Return the replication record: each lesson to its seeds, date, versions and claims."""
    if not REPLICATION.exists():
        return {}
    return json.loads(REPLICATION.read_text("utf-8"))["lessons"]


@dataclass(frozen=True)
class Table:
    """A table that a notebook shows.

    Args:
        header: Titles of the columns.
        rows: As many cells each; shown by their `str`.

    Example:
        >>> print(Table(("rate", "loss"), [(0.5, interval([1.0, 1.2]))]))
        rate | loss
        0.5 | 1.100 (-0.171 to 2.371)
    """

    header: Sequence[str]
    rows: Sequence[Sequence[object]]

    def __repr__(self) -> str:
        return "\n".join(" | ".join(map(str, row)) for row in (self.header, *self.rows))

    def _repr_html_(self) -> str:
        def line(tag: str, row: Sequence[object]) -> str:
            cells = (f'<{tag} style="text-align:left">{html.escape(str(c))}</{tag}>' for c in row)
            return f"<tr>{''.join(cells)}</tr>"

        body = "".join(line("td", row) for row in self.rows)
        return f"<table><thead>{line('th', self.header)}</thead><tbody>{body}</tbody></table>"


def _tested(mean: float, test: Callable, *samples: np.ndarray, **options: object) -> Interval:
    """Return a mean with the interval of a scipy test."""
    with warnings.catch_warnings():
        # "precision loss": nearly equal values, as paired accuracies are now and then
        warnings.simplefilter("ignore", RuntimeWarning)
        low, high = test(*samples, **options).confidence_interval(0.95)
    return Interval(float(mean), float(low), float(high), min(map(len, samples)))


def _repeats(values: np.ndarray, name: str) -> np.ndarray:
    values = np.asarray(values, float)
    if values.ndim != 1 or values.size < 2 or not np.isfinite(values).all():
        finite = "" if np.isfinite(values).all() else " with NaN or infinity in it"
        raise ValueError(
            f"{name} must hold at least two finite measurements along one axis, received shape "
            f"{values.shape}{finite}"
        )
    return values
