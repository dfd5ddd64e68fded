"""Intervals cover what they promise, a false claim fails, and its replications stand beside it."""

import json
import warnings

import numpy as np
import pytest
from scipy import stats

from helpers import evidence

# Student (1908): hours of sleep gained with two drugs by the same ten patients
FIRST = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
SECOND = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]


def ends(interval):
    return interval.low, interval.high


def test_interval_and_difference_give_the_textbook_figures():
    # as R's t.test prints them for its data set `sleep`
    assert ends(evidence.difference(FIRST, SECOND)) == pytest.approx((-3.3654832, 0.2054832))
    paired = evidence.difference(FIRST, SECOND, paired=True)
    assert ends(paired) == pytest.approx((-2.4598858, -0.7001142))
    assert (paired.mean, paired.n) == (pytest.approx(-1.58), 10)
    assert ends(evidence.interval(FIRST)) == pytest.approx((-0.5297804, 2.0297804))


def test_difference_takes_the_degrees_of_freedom_of_welch():
    a, b = [1.0, 2.0, 3.0], [0.0, 4.0, 8.0, 12.0, 16.0]
    va, vb = 1 / 3, 40 / 5  # variance / n
    freedom = (va + vb) ** 2 / (va**2 / 2 + vb**2 / 4)  # 4.33, neither 2 nor 4 nor 6
    reach = stats.t.ppf(0.975, freedom) * np.sqrt(va + vb)
    found = evidence.difference(a, b)
    assert ends(found) == pytest.approx((-6 - reach, -6 + reach))
    assert found.n == 3


def test_intervals_cover_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(0)
    runs = [evidence.interval(row) for row in rng.normal(3, 2, size=(2000, 8))]
    assert 0.935 < np.mean([run.low <= 3 <= run.high for run in runs]) < 0.965


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ([0.81, 0.71, 0.61], [0.80, 0.70, 0.60]),  # nearly equal differences
        ([0.5, 0.5], [0.25, 0.25]),
        ([0.5, 0.5, 0.5], [0.4, 0.6, 0.2]),
        ([0.5 + 1e-15, 0.5, 0.5], [0.5, 0.5, 0.5]),
    ],
)
@pytest.mark.parametrize("paired", [True, False])
def test_nearly_equal_values_give_an_interval_without_a_warning(a, b, paired):
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        found = evidence.difference(a, b, paired=paired)
    assert not warned
    assert found.mean == pytest.approx(np.mean(a) - np.mean(b))
    assert found.low <= found.mean <= found.high
    assert (found.high - found.low > 0.01) == (0.2 in b or (b[0] == 0.8 and not paired))


def test_equal_values_have_no_width():
    assert evidence.difference([1, 1], [0, 0]) == evidence.Interval(1.0, 1.0, 1.0, 2)
    assert evidence.interval([3, 3, 3]) == evidence.Interval(3.0, 3.0, 3.0, 3)


def test_unmatched_pairs_are_refused():
    with pytest.raises(ValueError, match=r"\(2,\) \(3,\)"):
        evidence.difference([1, 2], [1, 2, 3], paired=True)


def test_above_below_and_within_look_at_the_ends():
    some = evidence.Interval(0.2, 0.1, 0.3, 5)
    assert [some.above(x) for x in (0.05, 0.1, 0.15, 0.25)] == [True, False, False, False]
    assert [some.below(x) for x in (0.15, 0.25, 0.3, 0.35)] == [False, False, False, True]
    assert some.within(0.0, 0.4)
    assert not any(some.within(*pair) for pair in [(0.1, 0.4), (0.15, 0.4), (0, 0.3), (0, 0.25)])


def test_a_false_claim_fails_with_its_measurement(capsys):
    claims = evidence.Claims("99_lesson")
    claims.add("true", 1, True)
    claims.verdict()
    assert capsys.readouterr().out == "1 of 1 claims hold\n"
    finding = claims.add("wrong <b>", 0.25, np.False_)
    assert repr(finding) == "Measured here. wrong <b>: 0.25 (so the claim does not hold)"
    with pytest.raises(AssertionError, match=r"hold: wrong <b> \(measured: 0.25\)$"):
        claims.verdict()
    assert "wrong &lt;b&gt;" in claims.table()._repr_html_()
    assert str(claims.table()).splitlines()[2] == "wrong <b> | 0.25 | no"


def test_a_claim_that_is_measured_again_replaces_its_row():
    claims = evidence.Claims("99_lesson")
    claims.add("same", 1, False)
    claims.add("same", 2, True)
    assert claims.table().rows == [("same", "2", "yes")]


@pytest.mark.parametrize("holds", [1, None, "yes", np.array([True]), np.nan])
def test_a_claim_holds_or_not(holds):
    with pytest.raises(TypeError, match="holds must be a bool, received"):
        evidence.Claims("99_lesson").add("claim", 1, holds)


def test_an_empty_verdict_is_refused():
    with pytest.raises(ValueError, match="no claims"):
        evidence.Claims("99_lesson").verdict()


def test_replications_stand_beside_each_claim_and_in_the_summary(tmp_path, monkeypatch):
    record = tmp_path / "replication.json"
    monkeypatch.setattr(evidence, "REPLICATION", record)
    assert evidence.replications("01_a") == {}
    assert evidence.replication_summary().rows == []
    one, two = {"held": 3, "of": 3, "failed": []}, {"held": 1, "of": 3, "failed": [5, 7]}
    entry = {"seeds": [5, 6, 7], "claims": {"one": one, "two": two}}
    record.write_text(json.dumps({"lessons": {"01_a": entry}}), "utf-8")
    claims = evidence.Claims("01_a")
    for claim in ("two", "three"):
        claims.add(claim, 1, True)
    table = claims.table()
    assert table.header[-1] == "Held in 3 other runs"
    assert [row[-1] for row in table.rows] == ["1 of 3", ""]
    assert evidence.replication_summary().rows == [("01_a", 2, 3, 1, "1 of 3")]


@pytest.mark.parametrize(("text", "seed"), [(None, 0), ("7", 7), ("999999", 999_999)])
def test_the_base_seed_comes_from_the_environment(monkeypatch, text, seed):
    monkeypatch.delenv("DROPOUT_SEED", raising=False)
    if text is not None:
        monkeypatch.setenv("DROPOUT_SEED", text)
    assert evidence.base_seed() == seed


@pytest.mark.parametrize("text", ["-1", "a", "1.5", "", "²", "9" * 7, "9" * 5000])
def test_a_bad_base_seed_is_refused(monkeypatch, text):
    monkeypatch.setenv("DROPOUT_SEED", text)
    with pytest.raises(ValueError, match=r"DROPOUT_SEED must be .*received"):
        evidence.base_seed()
