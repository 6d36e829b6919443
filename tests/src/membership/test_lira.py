"""LiRA and the loss threshold against naive loops over models, images and thresholds."""

import math
import statistics

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from verbatim.membership.lira import VARIANCES, lira_scores
from verbatim.metrics.roc import Attack, difference


def made(models=6, images=40, gap=1.0, seed=0):
    rng = np.random.default_rng(seed)
    member = rng.random((models, images)) < 0.5
    hard = rng.normal(0, 3, images)  # how hard each image is, member or not
    losses = hard + rng.normal(0, 1, (models, images)) - gap * member
    return losses, member


def naive_lira(losses, member, variance):
    """Carlini 2022's estimator as its public code has it, a model, an image and a side at a time."""
    models, images = losses.shape
    scores = np.full(losses.shape, np.nan)
    for target in range(models):
        shadows = [m for m in range(models) if m != target]
        seen = [losses[m, i] for i in range(images) for m in shadows if member[m, i]]
        for i in range(images):
            logs = []
            for side in (True, False):
                x = [losses[m, i] for m in shadows if member[m, i] == side]
                if len(x) < (2 if variance == "per_example" else 1):
                    break
                spread = statistics.pstdev(seen if variance == "fixed" else x)
                z = (losses[target, i] - statistics.median(x)) / spread
                logs.append(-0.5 * z**2 - math.log(spread * math.sqrt(2 * math.pi)))
            if len(logs) == 2:
                scores[target, i] = logs[0] - logs[1]
    return scores


@pytest.mark.parametrize("variance", VARIANCES)
def test_lira_equals_a_loop_over_models_and_images(variance):
    losses, member = made(models=9)
    naive = naive_lira(losses, member, variance)
    np.testing.assert_allclose(lira_scores(losses, member, variance), naive, rtol=1e-9)
    assert np.isfinite(naive).mean() > 0.9


@pytest.mark.parametrize("variance", VARIANCES)
def test_lira_says_nothing_of_a_image_that_all_shadows_have_seen(variance):
    losses, member = made()
    member[:, 3] = True
    assert np.isnan(lira_scores(losses, member, variance)[:, 3]).all()


def test_one_loss_a_side_has_no_variance_of_its_own_but_the_fixed_one():
    losses = np.array([[0.0, 5.0], [1.0, 4.0], [0.1, 4.1]])
    member = np.array([[True, False], [False, True], [True, False]])
    scores = lira_scores(losses, member, "fixed")
    assert np.isnan(scores[1]).all()  # both of its shadows have, or have not, seen the image
    assert scores[0, 0] > 0 > scores[0, 1]
    assert np.isnan(lira_scores(losses, member, "per_example")).all()


def test_one_number_for_all_ranks_better_than_each_images_own_with_few_shadow_models():
    """Carlini 2022, section VI-A: below some dozens of models; with many it is the other way round."""
    areas = {}
    for models in (5, 64):
        rng = np.random.default_rng(0)
        member = rng.random((models, 150)) < 0.5
        spread = rng.uniform(0.2, 3, 150)
        losses = rng.normal(0, 1, (models, 150)) * spread - 1.0 * spread * member
        for variance in VARIANCES:
            scores = lira_scores(losses[:], member, variance)[:5]
            known = np.isfinite(scores)
            areas[models, variance] = roc_auc_score(member[:5][known], scores[known])
    assert areas[5, "fixed"] > areas[5, "per_example"]
    assert areas[64, "per_example"] > areas[64, "fixed"]


def test_an_unknown_variance_is_refused():
    with pytest.raises(ValueError, match="'own' is unknown; known: fixed, per_example"):
        lira_scores(*made(), "own")


def test_lira_refuses_a_loss_that_is_not_finite():
    losses, member = made()
    losses[0, 0] = np.nan
    with pytest.raises(ValueError, match="1 of 240 losses are not finite"):
        lira_scores(losses, member, "fixed")


def test_lira_is_better_than_a_threshold_where_images_differ_in_difficulty():
    losses, member = made(models=10, images=200)
    images, inside = np.tile(np.arange(200), 10), member.ravel()
    draws = (100, 0.95, 0)
    lira, loss = (
        Attack(x.ravel(), inside, images).measure(None, *draws)
        for x in (lira_scores(losses, member, "fixed"), -losses)
    )
    gain = difference(lira, loss, *draws)
    assert gain.low > 0.05
    assert gain.value == pytest.approx(lira.value - loss.value)
