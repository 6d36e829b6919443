"""Curves, areas and thresholds against scikit-learn's, naive loops and exchangeable scores."""

import re
from math import ceil

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from law_examples import examples
from sklearn.metrics import roc_auc_score

from verbatim.metrics.intervals import Draws
from verbatim.metrics.roc import (
    Attack,
    auc_interval,
    difference,
    find_threshold,
    least_negatives,
    pass_threshold,
    roc_points,
    weighted_auc,
    weighted_tpr,
)
from verbatim.tables.statistics import split_groups

SCORES = st.lists(st.integers(0, 6), min_size=2, max_size=60)
RATES = st.sampled_from([0.01, 0.05, 0.1, 0.2, 1 / 3, 0.5, 0.9])


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
    assert auc_interval(scores, positive, groups, Draws(10, 0.95, 0))[0] == pytest.approx(
        naive_auc(scores, positive)
    )
    assert auc_interval(scores, positive, groups, Draws(10, 0.95, 0), strata)[0] == pytest.approx(
        naive_auc(scores, positive, strata)
    )


@examples(200)
@given(SCORES, RATES)
def test_an_exchangeable_negative_passes_at_most_at_the_rate(scores, rate):
    """Each of n + 1 exchangeable scores, ties and all, is as likely to be the one that is judged."""
    passed = 0
    for i, judged in enumerate(scores):
        threshold = find_threshold(scores[:i] + scores[i + 1 :], rate)
        passed += judged > threshold  # of NaN: no
    assert passed <= rate * len(scores) + 1e-9


@examples(100)
@given(st.integers(0, 400), RATES)
def test_a_threshold_is_the_highest_that_the_rate_allows(n, rate):
    """Of n different negatives, one more above it would let an exchangeable one through too often."""
    threshold = find_threshold(np.arange(n), rate)
    if n + 1 < ceil(1 / rate - 1e-9):
        assert np.isnan(threshold)
        assert n < least_negatives(rate)
    else:
        above = int((np.arange(n) > threshold).sum())
        assert (above + 1) / (n + 1) <= rate + 1e-9
        assert (above + 2) / (n + 1) > rate
        assert n >= least_negatives(rate)


def test_one_per_cent_of_a_hundred_negatives_is_not_two():
    negatives = np.arange(100.0)
    assert find_threshold(negatives, 0.01) == 99  # floor(0.01 * 100) from 0 would be 98: 2 of 101
    assert np.isnan(find_threshold(negatives[:98], 0.01))


@pytest.mark.parametrize("seed", range(3))
def test_a_weighted_area_is_scikit_learns(seed):
    rng = np.random.default_rng(seed)
    scores, positive = rng.integers(0, 9, 60).astype(float), rng.random(60) < 0.4
    weight = rng.integers(0, 4, (5, 60)).astype(float)
    theirs = [roc_auc_score(positive, scores, sample_weight=w) for w in weight]
    assert weighted_auc(scores, positive, weight) == pytest.approx(theirs, abs=1e-12)


def naive_tpr(scores, member, fpr):
    threshold = find_threshold(scores[~member], fpr)
    return np.mean([x > threshold for x in scores[member]])


@pytest.mark.parametrize("fpr", [0.01, 0.1, 0.3])
def test_a_weighted_true_positive_rate_is_that_of_the_prompts_as_often_as_they_are_drawn(fpr):
    rng = np.random.default_rng(1)
    member = rng.random(300) < 0.4
    scores = np.round(rng.normal(0, 1, 300) + member, 1)
    weight = np.stack([np.ones(300), *rng.integers(0, 3, (4, 300))])
    naive = []
    for w in weight.astype(int):
        again = np.repeat(np.arange(300), w)
        naive.append(naive_tpr(scores[again], member[again], fpr))
    assert weighted_tpr(scores, member, weight, fpr) == pytest.approx(naive)


def test_a_draw_with_too_few_negatives_or_no_positive_has_no_rate():
    member = np.array([True, False, False])
    weight = np.array([[1.0, 1, 0], [0, 1, 1], [1, 1, 1]])
    found = weighted_tpr(np.array([3.0, 2, 1]), member, weight, 1 / 3)
    assert np.isnan(found[:2]).all()
    assert found[2] == 1


def test_copied_captions_widen_the_interval_instead_of_narrowing_it():
    rng = np.random.default_rng(1)
    scores = np.concatenate([rng.normal(1, 1, 15), rng.normal(0, 1, 15)])
    positive, groups = np.arange(30) < 15, np.arange(30)
    _, low, high = auc_interval(scores, positive, groups, Draws(400, 0.95, 0))
    again = [np.repeat(x, 10) for x in (scores, positive, groups)]
    _, low10, high10 = auc_interval(*again, Draws(400, 0.95, 0))
    assert high10 - low10 == pytest.approx(high - low, rel=0.15)


def test_a_score_that_is_not_a_number_is_refused():
    with pytest.raises(ValueError, match="1 of 2 scores are not finite"):
        auc_interval([np.nan, 1.0], [True, False], [0, 1], Draws(10, 0.95, 0))


def test_without_negatives_there_is_no_auc():
    assert np.isnan(auc_interval([1.0, 2.0], [True, True], [0, 1], Draws(10, 0.95, 0))).all()


def test_one_group_a_side_has_an_auc_but_no_interval():
    auc, low, high = auc_interval(
        [3.0, 2.0, 1.0], [True, True, False], [0, 0, 1], Draws(10, 0.95, 0)
    )
    assert auc == 1
    assert np.isnan(low)
    assert np.isnan(high)


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
        allowed = int(0.05 * (len(others) + 1)) - 1
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
    assert re.fullmatch(r"FPR 0.05: 1\d negatives in a half, 19 needed", why)
    none = pass_threshold(scores, np.zeros(45, bool), np.arange(45) % 2, 0.05)
    assert none == (None, "FPR 0.05: no positive in a half")


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


def test_an_attacks_area_and_interval_are_those_of_its_pairs():
    rng = np.random.default_rng(2)
    member = rng.random(80) < 0.5
    scores = np.round(rng.normal(0, 1, 80) + member, 1)
    found = Attack(scores, member, np.arange(80)).measure(None, 200, 0.95, 0)
    assert found.value == pytest.approx(roc_auc_score(member, scores), abs=1e-12)
    assert (found.low, found.high) == pytest.approx(
        auc_interval(scores, member, np.arange(80), Draws(200, 0.95, 0))[1:]
    )
    assert found.n == (~member).sum()


def test_an_images_pairs_are_drawn_together():
    rng = np.random.default_rng(2)
    member = rng.random(60) < 0.5
    scores = rng.normal(0, 1, 60) + member
    alone = Attack(scores, member, np.arange(60)).measure(None, 200, 0.95, 0)
    again = [np.tile(x, 5) for x in (scores, member, np.arange(60))]
    copied = Attack(*again).measure(None, 200, 0.95, 0)
    assert (copied.low, copied.high) == pytest.approx((alone.low, alone.high))


def test_a_false_positive_rate_that_the_negatives_cannot_show_has_no_value_but_a_note():
    member = np.arange(120) < 60
    found = Attack(np.arange(120.0), member, np.arange(120)).measure(0.01, 50, 0.95, 0)
    assert np.isnan(found.value)
    assert found.note == "FPR 0.01: 60 different negatives, 99 needed"


def test_the_same_image_in_many_models_is_one_negative():
    member = np.tile([True, False], 100)
    found = Attack(np.arange(200.0), member, np.tile(np.arange(20), 10)).measure(0.01, 50, 0.95, 0)
    assert np.isnan(found.value)


def test_an_attack_on_members_alone_has_no_value():
    found = Attack(np.arange(5.0), np.ones(5, bool), np.arange(5)).measure(None, 50, 0.95, 0)
    assert np.isnan(found.value)
    assert found.note


def test_what_two_attacks_have_in_common_cancels_in_their_difference():
    rng = np.random.default_rng(0)
    member = rng.random(200) < 0.5
    scores = rng.normal(0, 1, 200) + member
    one, two = (Attack(x, member, np.arange(200)) for x in (scores, scores + 1e-9 * member))
    draws = (200, 0.95, 0)
    a, b = one.measure(None, *draws), two.measure(None, *draws)
    same = difference(b, a, *draws)
    assert same.value == pytest.approx(b.value - a.value)
    assert same.high - same.low < 1e-3 < a.high - a.low
    none = Attack(scores, np.ones(200, bool), np.arange(200)).measure(None, *draws)
    assert difference(a, none, *draws).note == none.note
