"""Intervals against scipy's and statsmodels' own, and how often they hold the truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, bootstrap, norm, spearmanr

from verbatim.metrics.intervals import (
    Draws,
    bootstrap_interval,
    count_units,
    newcombe,
    percentile_interval,
    rank_correlation,
    share_interval,
    t_interval,
    wilson,
)
from verbatim.metrics.roc import auc_interval

COUNTS = st.integers(1, 200).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
CONFIDENCE = st.floats(0.5, 0.99)
HITS = st.lists(st.booleans(), min_size=1, max_size=30)


@given(COUNTS, CONFIDENCE)
def test_wilson_is_that_of_scipy_for_every_count(counts, confidence):
    low, high = wilson(*counts, confidence)
    theirs = binomtest(*counts).proportion_ci(confidence, method="wilson")
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


@given(HITS, HITS, CONFIDENCE)
def test_a_difference_of_shares_turned_round_has_the_interval_turned_round(a, b, confidence):
    one, other = newcombe(a, b, confidence), newcombe(b, a, confidence)
    assert one == pytest.approx((-other.value, -other.high, -other.low), abs=1e-12)
    assert -1 <= one.low <= one.value <= one.high <= 1


@given(
    st.lists(st.integers(-50, 50), min_size=2, max_size=20),
    st.integers(-9, 9),
    st.integers(1, 9),
    CONFIDENCE,
)
def test_t_interval_moves_and_stretches_with_its_values_and_has_the_mean_in_its_middle(
    values, shift, scale, confidence
):
    x = np.array(values, float)
    low, high = t_interval(x, confidence)
    assert (low + high) / 2 == pytest.approx(x.mean(), abs=1e-9)
    assert t_interval(scale * x + shift, confidence) == pytest.approx(
        (scale * low + shift, scale * high + shift), abs=1e-6
    )
    assert np.ptp(x) == 0 or low < high


def test_a_share_of_nothing_has_no_interval():
    low, high = wilson([0], [0], 0.95)
    assert np.isnan(low[0])
    assert np.isnan(high[0])


def test_more_found_than_there_are_is_refused():
    with pytest.raises(ValueError, match="between 0 and n"):
        wilson([3], [2], 0.95)


def test_t_interval_of_three_values_is_the_textbook_one():
    # t(0.975, 2) = 4.302653, sd 1, n 3
    assert t_interval([1.0, 2.0, 3.0], 0.95) == pytest.approx((2 - 2.48414, 2 + 2.48414), abs=1e-5)
    assert np.isnan(t_interval([1.0], 0.95)).all()


def test_a_share_of_all_or_none_has_the_interval_of_its_groups():
    share, low, high = share_interval(np.ones(40, bool), np.arange(40) // 4, 50, 0.95, 0)
    assert (share, high) == (1.0, 1.0)
    assert low == pytest.approx(wilson(10, 10, 0.95)[0])  # ten images, not forty captions
    assert np.isnan(share_interval([], [], 50, 0.95, 0)).all()


def test_a_mean_of_equal_values_has_no_width():
    assert t_interval([0.5, 0.5], 0.95) == (0.5, 0.5)


def test_newcombes_interval_is_the_papers():
    """Newcombe 1998, table II, method 10: (a) 56/70 - 48/80, (c) 9/10 - 3/10, (h) 10/10 - 0/10."""
    for (a, n), (b, m), low, high in (
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((10, 10), (0, 10), 0.6075, 1.0000),
    ):
        found = newcombe(np.arange(n) < a, np.arange(m) < b, 0.95)
        assert found == pytest.approx((a / n - b / m, low, high), abs=1e-4)
    assert np.isnan(newcombe(np.zeros(3, bool), [], 0.95)).all()


def test_a_bootstrap_is_scipys_bias_corrected_and_accelerated_one():
    x = np.random.default_rng(0).gamma(1, 1, 40)
    found = bootstrap_interval(lambda at: x[at].mean(1), 40, 300, 0.9, seed=7)
    theirs = bootstrap(
        (np.arange(40),), lambda at, axis: x[at].mean(axis), n_resamples=300, batch=100,
        confidence_level=0.9, method="BCa", rng=np.random.default_rng(7), vectorized=True,
    ).confidence_interval  # fmt: skip
    assert found == pytest.approx((x.mean(), theirs.low, theirs.high))


def test_draws_without_a_value_leave_the_percentiles_of_the_others():
    x = np.array([0.0, 1.0, 2.0, 3.0])
    some = bootstrap_interval(
        lambda at: np.where((at == 0).any(1), x[at].mean(1), np.nan), 4, 400, 0.9, 0
    )
    assert 0 <= some.low < some.high <= 2.25
    none = bootstrap_interval(lambda at: np.full(len(at), np.nan), 4, 50, 0.9, 0)
    assert np.isnan(none).all()


def test_one_unit_has_a_value_and_no_interval():
    value, low, high = percentile_interval([3.0], 95, 20, 0.95, 0)
    assert value == 3
    assert np.isnan([low, high]).all()
    assert np.isnan(percentile_interval([], 95, 20, 0.95, 0)).all()


def test_units_are_counted_draw_by_draw():
    assert count_units(np.array([[0, 0, 2], [1, 1, 1]]), 3).tolist() == [[2, 0, 1], [0, 3, 0]]


@given(st.lists(st.booleans(), min_size=2, max_size=30), st.integers(1, 6))
def test_a_share_lies_in_its_interval_whatever_the_groups(hits, size):
    share, low, high = share_interval(hits, np.arange(len(hits)) // size, 60, 0.95, 0)
    assert share == pytest.approx(np.mean(hits))
    assert 0 <= low <= high <= 1
    if share in (0, 1):
        assert low <= share <= high


def test_the_interval_of_a_share_draws_whole_groups():
    hits = np.tile([True] * 6 + [False] * 4, 6)
    alone = share_interval(hits, np.arange(60), 400, 0.95, 0)
    copied = share_interval(np.repeat(hits, 10), np.repeat(np.arange(60), 10), 400, 0.95, 0)
    assert copied == pytest.approx(alone)
    assert alone.low == pytest.approx(0.467, abs=0.03)
    assert alone.high == pytest.approx(0.717, abs=0.03)


def test_rank_correlation_is_scipys():
    rng = np.random.default_rng(0)
    a = rng.integers(0, 9, 50).astype(float)
    b = np.append(a[:-1] + rng.normal(0, 3, 49), np.nan)
    found = rank_correlation(a, b, 100, 0.95, 0)
    assert found.value == pytest.approx(spearmanr(a[:-1], b[:-1]).statistic)
    assert found.low < found.value < found.high
    assert np.isnan(rank_correlation(np.ones(9), np.arange(9.0), 10, 0.95, 0)).all()


@pytest.mark.slow
def test_intervals_of_an_area_hold_the_truth_as_often_as_they_say():
    """Nominal 90 %; 200 simulated detectors of 40 positives and 60 negatives, within three standard errors."""
    truth, covered = norm.cdf(1 / np.sqrt(2)), 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        x = np.concatenate([rng.normal(1, 1, 40), rng.normal(0, 1, 60)])
        _, low, high = auc_interval(x, np.arange(100) < 40, np.arange(100), Draws(200, 0.9, 0))
        covered += low <= truth <= high
    assert covered / 200 == pytest.approx(0.9, abs=0.064)


def test_a_percentile_is_numpys_and_its_interval_holds_it_and_narrows():
    x = np.random.default_rng(0).uniform(size=400)
    value, low, high = percentile_interval(x, 95, 200, 0.95, 0)
    assert value == np.percentile(x, 95)
    assert low < value < high
    _, few_low, few_high = percentile_interval(x[:40], 95, 200, 0.95, 0)
    assert high - low < few_high - few_low
    assert np.isnan(percentile_interval(x[:0], 95, 200, 0.95, 0)).all()
    assert percentile_interval(x[:1], 95, 20, 0.95, 0)[0] == x[0]
