"""Bad arguments are refused in words that name what came and what is accepted."""

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import checks

ANYTHING = st.one_of(
    st.none(), st.booleans(), st.text(), st.binary(), st.floats(), st.integers(), st.complex_numbers(),
    st.lists(st.floats(), max_size=2), st.dictionaries(st.text(), st.integers(), max_size=2),
)  # fmt: skip


@given(ANYTHING)
def test_a_rate_is_returned_or_refused(value):
    good = type(value) in (int, float) and 0 <= value < 1
    if good:
        assert checks.check_rate(value) == value
    else:
        with pytest.raises((TypeError, ValueError), match="0 <= rate < 1, received"):
            checks.check_rate(value)


@given(ANYTHING)
def test_a_count_is_returned_or_refused(value):
    if type(value) is int and 2 <= value <= 10**9:
        assert checks.check_count(value, "epochs", minimum=2, maximum=10**9) == value
    else:
        with pytest.raises(
            (TypeError, ValueError), match=r"epochs must be .*at (least 2|most 10{9}), received"
        ):
            checks.check_count(value, "epochs", minimum=2, maximum=10**9)


@given(ANYTHING)
def test_a_number_is_returned_or_refused(value):
    if type(value) in (int, float) and 0 < value < float("inf"):
        assert checks.check_number(value, "width", above=0) == float(value)
    else:
        with pytest.raises((TypeError, ValueError), match=r"width must be .* above 0, received"):
            checks.check_number(value, "width", above=0)


def test_numpy_numbers_are_numbers():
    assert checks.check_rate(np.float32(0.5)) == 0.5
    assert checks.check_count(np.int64(3), "n") == 3
    assert checks.check_number(np.float32(0.5), "width") == 0.5


@pytest.mark.parametrize("huge", [10**400, -(10**400), Fraction(10**400, 3)])
def test_numbers_too_large_for_a_float_are_refused(huge):
    for check in (checks.check_rate, checks.check_number, checks.check_count):
        with pytest.raises((TypeError, ValueError), match="n must"):
            check(huge, "n")


def test_a_rate_that_rounds_to_one_is_refused():
    with pytest.raises(ValueError, match="0 <= rate < 1"):
        checks.check_rate(1 - Fraction(1, 10**30))


def test_whole_numbers_fit_32_bits_unless_told_otherwise():
    assert checks.check_count(2**31 - 1, "n") == 2**31 - 1
    with pytest.raises(ValueError, match="n must be at most 2147483647, received 2147483648"):
        checks.check_count(2**31, "n")


@pytest.mark.parametrize("value", [0, 1, 1.0, None, "yes", np.nan, [True], np.array(True)])
def test_only_a_bool_is_a_flag(value):
    assert checks.check_flag(np.False_, "paired") is False
    with pytest.raises(TypeError, match="paired must be True or False, received"):
        checks.check_flag(value, "paired")


@pytest.mark.parametrize("value", [(1, 2), [1, 2], range(1, 3), np.array([1, 2])])
def test_a_sequence_has_order_and_length(value):
    assert checks.check_sequence(value, "seeds", minimum=2) == (1, 2)
    with pytest.raises(ValueError, match="seeds must hold at least 3, received 2"):
        checks.check_sequence(value, "seeds", minimum=3)


@pytest.mark.parametrize("value", [{1, 2}, {1: 2}, iter([1]), "12", b"12", 3, None, np.array(3)])
def test_what_has_no_order_or_no_length_is_no_sequence(value):
    with pytest.raises(TypeError, match="seeds must be a sequence such as a list, received"):
        checks.check_sequence(value, "seeds")


@pytest.mark.parametrize(
    ("value", "error"), [(None, TypeError), (3, TypeError), (b"a", TypeError), ("a\0b", ValueError)]
)
def test_what_names_no_file_is_no_path(value, error):
    assert checks.check_path("a", "folder") == checks.check_path(Path("a"), "folder") == Path("a")
    with pytest.raises(error, match=r"folder must .*received"):
        checks.check_path(value, "folder")


def test_a_type_is_named_with_what_came_instead():
    with pytest.raises(TypeError, match="title must be a str, received 3"):
        checks.check_type(3, "title", str)


def test_errors_quote_any_value_and_none_at_length():
    class Shy:
        def __repr__(self):
            raise RuntimeError

    assert checks.shown(Shy()) == "an object of type Shy"
    assert checks.shown([0] * 1000) == str([0] * 1000)[:200] + "…"


def test_an_array_may_be_allowed_to_hold_nan():
    assert np.isnan(checks.check_array([np.nan], "loss", finite=False)).all()


@pytest.mark.parametrize(
    ("value", "error"),
    [([], ValueError), ([1, np.inf], ValueError), (["a"], TypeError), ([None], TypeError),
     ([[1], [1, 2]], ValueError), ([1j], TypeError), ([[1]], ValueError)],
)  # fmt: skip
def test_bad_arrays_are_refused(value, error):
    with pytest.raises(error, match="x must"):
        checks.check_array(value, "x", ndim=1)
