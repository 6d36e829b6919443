import re

import numpy as np
import pytest
from scipy.stats import binomtest

from verbatim.tables.statistics import (
    auc_interval,
    pass_threshold,
    roc_points,
    share_interval,
    split_groups,
    t_interval,
    wilson,
)


def test_wilson_is_that_of_scipy_for_every_count():
    found = np.array([0, 1, 5, 10, 37, 40])
    n = np.array([10, 10, 10, 10, 40, 40])
    low, high = wilson(found, n, 0.9)
    for i in range(len(n)):
        theirs = binomtest(int(found[i]), int(n[i])).proportion_ci(0.9, method="wilson")
        assert (low[i], high[i]) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


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


def naive_auc(scores, positive, strata=None):
    above = total = 0.0
    for i in range(len(scores)):
        for j in range(len(scores)):
            if positive[i] and not positive[j] and (strata is None or strata[i] == strata[j]):
                total += 1
                above += 1.0 if scores[i] > scores[j] else 0.5 if scores[i] == scores[j] else 0.0
    return above / total


@pytest.mark.parametrize("seed", range(5))
def test_auc_is_the_share_of_ordered_pairs(seed):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 8, 40).astype(float)  # with ties
    positive = rng.random(40) < 0.4
    strata = rng.integers(0, 3, 40)
    groups = rng.integers(0, 15, 40)
    assert auc_interval(scores, positive, groups, 10, 0.95, 0)[0] == pytest.approx(
        naive_auc(scores, positive)
    )
    assert auc_interval(scores, positive, groups, 10, 0.95, 0, strata)[0] == pytest.approx(
        naive_auc(scores, positive, strata)
    )


def test_bootstrap_draws_are_of_whole_groups():
    rng = np.random.default_rng(3)
    scores, positive = rng.random(30), np.arange(30) < 12
    groups = np.array([f"g{i % 10}" for i in range(30)])
    _, low, high = auc_interval(scores, positive, groups, 50, 0.8, seed=7)
    names = list(dict.fromkeys(groups))  # codes are given in order of appearance
    draws = np.random.default_rng(7).multinomial(10, np.full(10, 0.1), size=50)
    aucs = []
    for draw in draws:
        picked = [
            i
            for g, times in zip(names, draw, strict=True)
            for _ in range(times)
            for i in np.flatnonzero(groups == g)
        ]
        aucs.append(naive_auc(scores[picked], positive[picked]))
    assert (low, high) == pytest.approx(tuple(np.quantile(aucs, [0.1, 0.9])))


def test_copied_captions_widen_the_interval_instead_of_narrowing_it():
    rng = np.random.default_rng(1)
    scores = np.concatenate([rng.normal(1, 1, 15), rng.normal(0, 1, 15)])
    positive, groups = np.arange(30) < 15, np.arange(30)
    _, low, high = auc_interval(scores, positive, groups, 400, 0.95, 0)
    again = [np.repeat(x, 10) for x in (scores, positive, groups)]
    _, low10, high10 = auc_interval(*again, 400, 0.95, 0)
    assert high10 - low10 == pytest.approx(high - low, rel=0.15)


def test_a_score_that_is_not_a_number_is_refused():
    with pytest.raises(ValueError, match="1 of 2 scores are not finite"):
        auc_interval([np.nan, 1.0], [True, False], [0, 1], 10, 0.95, 0)


def test_without_negatives_there_is_no_auc():
    assert np.isnan(auc_interval([1.0, 2.0], [True, True], [0, 1], 10, 0.95, 0)).all()


def test_one_group_a_side_has_an_auc_but_no_interval():
    auc, low, high = auc_interval([3.0, 2.0, 1.0], [True, True, False], [0, 0, 1], 10, 0.95, 0)
    assert auc == 1
    assert np.isnan(low)
    assert np.isnan(high)


def test_groups_are_never_split_and_both_classes_reach_every_part():
    groups = np.repeat(np.arange(40), 3)
    positive = groups < 12
    part = split_groups(groups, positive, 4, 0)
    assert all(len(set(part[groups == g])) == 1 for g in range(40))
    assert [int((part[positive] == p).sum()) for p in range(4)] == [9, 9, 9, 9]
    order = np.random.default_rng(0).permutation(len(groups))
    assert (split_groups(groups[order], positive[order], 4, 0) == part[order]).all()


def test_threshold_of_one_half_is_judged_on_the_other():
    rng = np.random.default_rng(0)
    scores = np.concatenate([rng.normal(3, 1, 40), rng.normal(0, 1, 100)])
    positive, groups = np.arange(140) < 40, np.arange(140)
    part = split_groups(groups, positive, 2, 5)
    passed, _ = pass_threshold(scores, positive, part, 0.05)
    tpr, fpr = passed[positive].mean(), passed[~positive].mean()
    hits = alarms = 0
    for half in (0, 1):
        others = sorted(scores[i] for i in range(140) if not positive[i] and part[i] != half)
        allowed = int(0.05 * len(others))
        threshold = others[len(others) - 1 - allowed]
        assert sum(x > threshold for x in others) == allowed
        hits += sum(scores[i] > threshold for i in range(140) if positive[i] and part[i] == half)
        alarms += sum(
            scores[i] > threshold for i in range(140) if not positive[i] and part[i] == half
        )
    assert (tpr, fpr) == (hits / 40, alarms / 100)


def test_why_there_is_no_threshold_is_said():
    scores, positive = np.arange(45.0), np.arange(45) < 10
    half = split_groups(np.arange(45), positive, 2, 0)
    passed, why = pass_threshold(scores, positive, half, 0.05)
    assert passed is None
    assert re.fullmatch(r"FPR 0.05: 1\d negatives in a half, 20 needed", why)
    none = pass_threshold(scores, np.zeros(45, bool), np.arange(45) % 2, 0.05)
    assert none == (None, "FPR 0.05: no positive in a half")


def test_the_interval_of_a_share_draws_whole_groups():
    hits, groups = np.array([1, 1, 1, 0, 0, 1, 0, 0], bool), np.array(list("aaabbcdd"))
    share, low, high = share_interval(hits, groups, 60, 0.8, 4)
    draws = np.random.default_rng(4).multinomial(4, np.full(4, 0.25), size=60)
    shares = []
    for draw in draws:
        picked = [hits[groups == g] for g, n in zip("abcd", draw, strict=True) for _ in range(n)]
        shares.append(np.concatenate(picked).mean())
    assert share == 0.5
    assert (low, high) == pytest.approx(tuple(np.quantile(shares, [0.1, 0.9])))


def test_a_share_of_all_or_none_has_the_interval_of_its_groups():
    share, low, high = share_interval(np.ones(40, bool), np.arange(40) // 4, 50, 0.95, 0)
    assert (share, high) == (1.0, 1.0)
    assert low == pytest.approx(wilson(10, 10, 0.95)[0])  # ten pictures, not forty captions
    assert np.isnan(share_interval([], [], 50, 0.95, 0)).all()


def test_the_curve_is_that_of_a_loop_over_thresholds_and_ties_are_slopes():
    rng = np.random.default_rng(0)
    scores, positive = rng.integers(0, 12, 60).astype(float), rng.random(60) < 0.4
    fpr, tpr = roc_points(scores, positive)
    loop = {(0.0, 0.0)} | {
        ((scores[~positive] >= t).mean(), (scores[positive] >= t).mean()) for t in scores
    }
    got = set(zip(fpr, tpr, strict=True))
    assert got <= loop
    assert {(0.0, 0.0), (1.0, 1.0)} <= got
    area = np.trapezoid(tpr, fpr)  # what was left out lay on a straight line
    assert area == pytest.approx(naive_auc(scores, positive))
