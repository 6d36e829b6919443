"""LiRA and the loss threshold against naive loops over models, pictures and thresholds."""

import math

import numpy as np
import pytest

from verbatim.study.membership import auc_share, difference, lira_scores, tpr_interval

RESAMPLES, CONFIDENCE = 200, 0.95


def made(models=6, pictures=40, gap=1.0, seed=0):
    rng = np.random.default_rng(seed)
    member = rng.random((models, pictures)) < 0.5
    hard = rng.normal(0, 3, pictures)  # how hard each picture is, member or not
    losses = hard + rng.normal(0, 1, (models, pictures)) - gap * member
    return losses, member


def naive_lira(losses, member):
    models, pictures = losses.shape
    scores = np.full(losses.shape, np.nan)
    for target in range(models):
        shadows = [m for m in range(models) if m != target]
        residuals = {True: [], False: []}
        free = {True: 0, False: 0}
        means = {True: {}, False: {}}
        for i in range(pictures):
            for side in (True, False):
                x = [losses[m, i] for m in shadows if member[m, i] == side]
                if x:
                    means[side][i] = sum(x) / len(x)
                    residuals[side] += [(v - means[side][i]) ** 2 for v in x]
                    free[side] += len(x) - 1
        variance = {side: sum(residuals[side]) / free[side] for side in (True, False)}
        for i in range(pictures):
            if i not in means[True] or i not in means[False]:
                continue
            logs = {}
            for side in (True, False):
                v = variance[side]
                logs[side] = -0.5 * math.log(2 * math.pi * v) - (
                    losses[target, i] - means[side][i]
                ) ** 2 / (2 * v)
            scores[target, i] = logs[True] - logs[False]
    return scores


def naive_tpr(scores, member, fpr):
    best = 0.0
    for threshold in [*scores, np.inf]:
        passed = scores >= threshold
        if passed[~member].mean() <= fpr:
            best = max(best, passed[member].mean())
    return best


def test_lira_equals_a_loop_over_models_and_pictures():
    losses, member = made()
    np.testing.assert_allclose(lira_scores(losses, member), naive_lira(losses, member))


def test_lira_says_nothing_of_a_picture_that_all_shadows_have_seen():
    losses, member = made()
    member[:, 3] = True
    assert np.isnan(lira_scores(losses, member)[:, 3]).all()


def test_lira_of_two_shadows_ranks_by_which_mean_is_nearer():
    losses = np.array([[0.0, 5.0], [1.0, 4.0], [0.1, 4.1]])
    member = np.array([[True, False], [False, True], [True, False]])
    scores = lira_scores(losses, member)
    assert np.isnan(scores[1]).all()  # both of its shadows have, or have not, seen the picture
    assert scores[0, 0] > 0 > scores[0, 1]


def test_lira_refuses_a_loss_that_is_not_finite():
    losses, member = made()
    losses[0, 0] = np.nan
    with pytest.raises(ValueError, match="1 of 240 losses are not finite"):
        lira_scores(losses, member)


def test_lira_is_better_than_a_threshold_where_pictures_differ_in_difficulty():
    losses, member = made(models=10, pictures=200)
    pictures = np.tile(np.arange(200), 10)
    inside = member.ravel()
    lira = auc_share(
        lira_scores(losses, member).ravel(), inside, pictures, RESAMPLES, CONFIDENCE, 0
    )
    loss = auc_share(-losses.ravel(), inside, pictures, RESAMPLES, CONFIDENCE, 0)
    gain = difference(lira, loss, CONFIDENCE)
    assert gain.low > 0.05
    assert gain.value == pytest.approx(lira.value - loss.value)


@pytest.mark.parametrize("fpr", [0.01, 0.1, 0.3])
def test_tpr_equals_a_loop_over_all_thresholds_ties_and_all(fpr):
    rng = np.random.default_rng(1)
    member = rng.random(300) < 0.4
    scores = np.round(rng.normal(0, 1, 300) + member, 1)
    found = tpr_interval(scores, member, np.arange(300), fpr, RESAMPLES, CONFIDENCE, 0)
    assert found.value == pytest.approx(naive_tpr(scores, member, fpr))
    assert found.low <= found.value <= found.high


def test_auc_equals_the_share_of_pairs_in_order():
    rng = np.random.default_rng(2)
    member = rng.random(80) < 0.5
    scores = np.round(rng.normal(0, 1, 80) + member, 1)
    pairs = [(a > b) + 0.5 * (a == b) for a in scores[member] for b in scores[~member]]
    found = auc_share(scores, member, np.arange(80), RESAMPLES, CONFIDENCE, 0)
    assert found.value == pytest.approx(np.mean(pairs))


def test_a_false_positive_rate_that_the_negatives_cannot_show_has_no_value_but_a_note():
    member = np.arange(120) < 60
    found = tpr_interval(np.arange(120.0), member, np.arange(120), 0.01, 50, CONFIDENCE, 0)
    assert np.isnan(found.value)
    assert found.note == "FPR 0.01: 60 different negatives, 100 needed"


def test_the_same_picture_in_many_models_is_one_negative():
    member = np.tile([True, False], 100)
    pictures = np.tile(np.arange(20), 10)
    found = tpr_interval(np.arange(200.0), member, pictures, 0.01, 50, CONFIDENCE, 0)
    assert np.isnan(found.value)


def test_an_attack_on_members_alone_has_no_value():
    found = auc_share(np.arange(5.0), np.ones(5, bool), np.arange(5), 50, CONFIDENCE, 0)
    assert np.isnan(found.value)
    assert found.note
