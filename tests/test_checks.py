"""Bad arguments are refused in words that name what came and what is accepted."""

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
    if type(value) is int and value >= 2:
        assert checks.check_count(value, "epochs", minimum=2) == value
    else:
        with pytest.raises(
            (TypeError, ValueError), match=r"epochs must be .* at least 2, received"
        ):
            checks.check_count(value, "epochs", minimum=2)


def test_numpy_numbers_are_numbers():
    assert checks.check_rate(np.float32(0.5)) == 0.5
    assert checks.check_count(np.int64(3), "n") == 3


@pytest.mark.parametrize(
    ("value", "error"),
    [([], ValueError), ([1, np.inf], ValueError), (["a"], TypeError), ([None], TypeError),
     ([[1], [1, 2]], ValueError), ([1j], TypeError), ([[1]], ValueError)],
)  # fmt: skip
def test_bad_arrays_are_refused(value, error):
    with pytest.raises(error, match="x must"):
        checks.check_array(value, "x", ndim=1)
