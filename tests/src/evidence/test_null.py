"""p- and q-values of pairs that do and do not match."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import false_discovery_control

from verbatim.evidence.null import (
    adjust_for_prompts,
    adjust_for_tries,
    empirical_p,
    relative_null,
    relative_residuals,
)
from verbatim.metrics.fdr import benjamini_hochberg

rng = np.random.default_rng(0)


def test_an_empirical_p_counts_the_null_with_one_added_and_is_never_zero():
    null = rng.random(99)
    tested = np.array([0.5, -1.0, 2.0, np.inf, null[3]])
    p = empirical_p(tested, null)
    for value, one in zip(tested[:3], p[:3], strict=True):
        assert one == (1 + sum(n <= value for n in null)) / 100
    assert p[1] == 0.01
    assert p[3] == 1.0
    assert p[4] == (1 + sum(n <= null[3] for n in null)) / 100


def test_without_a_null_nothing_is_found():
    assert empirical_p(np.array([0.0, 1.0]), np.zeros(0)).tolist() == [1.0, 1.0]


def test_p_values_of_unrelated_pairs_are_at_most_as_small_as_they_should_be():
    wrong = []
    for _ in range(200):
        null = rng.gamma(2, size=60)
        held_out = rng.gamma(2, size=60)
        measured = relative_residuals(null, 0.05, held_out)
        wrong.append(empirical_p(measured, relative_null(null, 0.05)))
    assert np.mean(np.concatenate(wrong) <= 0.05) == pytest.approx(0.05, abs=0.015)


def test_each_null_pair_is_measured_by_the_others_alone():
    null = rng.random(21)
    for i, value in enumerate(relative_null(null, 0.1)):
        others = np.delete(null, i)
        assert value == pytest.approx(relative_residuals(others, 0.1, null[i : i + 1])[0])


def test_a_measure_of_nothing_gives_no_match():
    assert relative_residuals(np.zeros(9), 0.05, np.array([0.0])).tolist() == [np.inf]
    assert relative_residuals(np.full(9, np.inf), 0.05, np.array([0.1])).tolist() == [np.inf]
    assert relative_residuals(np.ones(9), 0.05, np.array([np.inf, 0.5])).tolist() == [np.inf, 0.5]


def test_q_values_are_those_of_benjamini_and_hochberg_and_skip_what_was_not_tested():
    p = rng.random(50) ** 3
    p[[3, 20]] = np.nan
    q = benjamini_hochberg(p)
    there = np.isfinite(p)
    np.testing.assert_allclose(q[there], false_discovery_control(p[there]))
    assert np.isnan(q[~there]).all()


def test_the_least_of_many_p_values_is_paid_for():
    assert adjust_for_tries(np.array([0.01, 0.5]), np.array([4, 4])).tolist() == [0.04, 1.0]


@given(st.lists(st.floats(1e-9, 1.0), max_size=40))
def test_q_values_by_numpy_alone_are_those_of_scipy(p):
    rising = np.sort(np.array(p))
    np.testing.assert_allclose(adjust_for_prompts(rising), benjamini_hochberg(rising), rtol=1e-12)
