"""q-values against the step-up procedure, a rank at a time."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verbatim.metrics.fdr import benjamini_hochberg


@given(st.lists(st.floats(0, 1), max_size=30))
def test_what_is_found_at_a_rate_is_what_the_step_up_procedure_finds(p):
    q = benjamini_hochberg(p)
    for rate in (0.01, 0.05, 0.3, 1.0):
        ordered = sorted(p)
        below = [i for i, x in enumerate(ordered) if x <= (i + 1) / len(p) * rate]
        bound = ordered[below[-1]] if below else -1.0
        at_edge = np.isclose(q, rate)  # rounding may decide either way there
        assert (((q <= rate) == (np.array(p) <= bound)) | at_edge).all()


def test_a_p_value_that_is_missing_is_no_test():
    q = benjamini_hochberg([0.01, np.nan, 0.04])
    assert q == pytest.approx([0.02, np.nan, 0.04], nan_ok=True)
    assert len(benjamini_hochberg([])) == 0
