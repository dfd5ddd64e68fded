"""Intervals cover what they promise, and a false claim fails."""

import numpy as np
import pytest

from helpers import evidence


def test_intervals_cover_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(0)
    runs = [evidence.interval(row) for row in rng.normal(3, 2, size=(2000, 8))]
    covered = np.mean([run.low <= 3 <= run.high for run in runs])
    assert 0.935 < covered < 0.965


def test_differences_cover_the_truth_with_unequal_spread():
    rng = np.random.default_rng(1)
    a, b = rng.normal(1, 1, size=(2000, 6)), rng.normal(0, 4, size=(2000, 20))
    runs = [evidence.difference(x, y) for x, y in zip(a, b, strict=True)]
    covered = np.mean([run.low <= 1 <= run.high for run in runs])
    assert 0.93 < covered < 0.97


def test_pairing_removes_what_the_pairs_share():
    rng = np.random.default_rng(2)
    shared = rng.normal(0, 5, size=30)
    a, b = shared + 1 + rng.normal(0, 0.1, 30), shared + rng.normal(0, 0.1, 30)
    paired, loose = evidence.difference(a, b, paired=True), evidence.difference(a, b)
    assert paired.mean == pytest.approx(loose.mean)
    assert paired.high - paired.low < (loose.high - loose.low) / 10


def test_equal_values_have_no_width():
    assert evidence.difference([1, 1], [0, 0]) == evidence.Interval(1.0, 1.0, 1.0, 2)


def test_unmatched_pairs_are_refused():
    with pytest.raises(ValueError, match="received 2 and 3"):
        evidence.difference([1, 2], [1, 2, 3], paired=True)


def test_a_false_claim_fails_with_its_measurement(capsys):
    claims = evidence.Claims()
    claims.add("true", 1, True)
    claims.verdict()
    assert capsys.readouterr().out == "1 of 1 claims hold\n"
    claims.add("wrong <b>", 0.25, np.False_)
    with pytest.raises(AssertionError, match=r"wrong <b> \(measured: 0.25\)"):
        claims.verdict()
    assert "wrong &lt;b&gt;" in claims.table()._repr_html_()
    assert str(claims.table()).splitlines()[1] == "no | wrong <b> | 0.25"


def test_a_claim_that_is_measured_again_replaces_its_row():
    claims = evidence.Claims()
    claims.add("same", 1, False)
    claims.add("same", 2, True)
    assert claims.table().rows == (("same", "2", True),)


def test_an_empty_verdict_is_refused():
    with pytest.raises(ValueError, match="no claims"):
        evidence.Claims().verdict()


@pytest.mark.parametrize(("text", "seed"), [(None, 0), ("7", 7)])
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
