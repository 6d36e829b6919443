"""Counts by owner, and the membership test's error rate."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from verbatim.audit.owners import OwnerSettings, count_owners, membership_test, normal_scores
from verbatim.io.records import to_table

SETTINGS = OwnerSettings(("a", "b"), least=5, least_controls=8, confidence=0.95)


def table(owners):
    """owner -> (captions, verdict); the owner "control" is nobody and marked so."""
    rows = [
        {"owner": "" if owner == "control" else owner, "control": owner == "control", "verdict": verdict}
        for owner, (count, verdict) in owners.items()
        for _ in range(count)
    ]  # fmt: skip
    frame = pd.DataFrame(rows)
    frame["image"] = frame["prompt_id"] = range(len(frame))
    return frame.assign(status="ok", duplicate_of=-1)


def counted(frame, values=None):
    scores = pd.DataFrame(
        np.random.default_rng(0).normal(size=(len(frame), 2)) if values is None else values,
        columns=["a", "b"], index=frame["prompt_id"],
    )  # fmt: skip
    out = count_owners(frame.drop(columns="verdict"), frame[["image", "verdict"]], scores, SETTINGS)
    to_table("audit_owners", out)
    return out.set_index("owner")


def test_an_owners_share_is_of_the_tested_images_with_an_exact_interval():
    frame = table({"Ada": (10, "no_copy"), "control": (8, "no_copy")})
    frame.loc[:2, "verdict"] = "given_back"
    frame.loc[3, "verdict"] = "not_tested"
    one = counted(frame).loc["Ada"]
    assert (one["images"], one["tested"], one["given_back"]) == (10, 9, 3)
    exact = stats.binomtest(3, 9).proportion_ci(0.95)
    assert (one["low"], one["high"]) == pytest.approx((exact.low, exact.high))


def test_images_that_show_the_same_count_once():
    frame = table({"Ada": (6, "given_back"), "control": (8, "no_copy")})
    frame.loc[1:3, "duplicate_of"] = 0
    assert counted(frame).loc["Ada", ["images", "given_back"]].tolist() == [3, 3]


@pytest.mark.parametrize(
    ("owners", "words"),
    [
        ({"Ada": (1, "no_copy"), "control": (8, "no_copy")}, "1 captions, at least 5"),
        ({"Ada": (9, "no_copy"), "control": (3, "no_copy")}, "3 controls, at least 8"),
        ({"Ada": (9, "no_copy")}, "no controls"),
    ],
)
def test_an_owner_that_cannot_be_tested_says_why(owners, words):
    one = counted(table(owners)).loc["Ada"]
    assert np.isnan(one["p"])
    assert words in one["note"]


def test_a_caption_that_owner_and_control_share_tells_nothing():
    frame = table({"Ada": (5, "no_copy"), "control": (8, "no_copy")})
    frame.loc[0, "prompt_id"] = frame.loc[5, "prompt_id"]
    one = counted(frame.drop_duplicates("prompt_id")).loc["Ada"]
    assert "4 captions" in one["note"] or one["controls"] == 7


def test_higher_scores_give_a_small_p_and_lower_ones_none():
    rng = np.random.default_rng(0)
    high, low = rng.normal(2, 1, (20, 2)), rng.normal(0, 1, (40, 2))
    assert membership_test(high, low)[1] < 1e-6
    assert membership_test(low, high)[1] > 0.99


def test_normal_scores_depend_on_the_order_alone():
    x = np.array([[3.0], [1.0], [2.0]])
    np.testing.assert_allclose(normal_scores(x), normal_scores(np.exp(5 * x)))
    np.testing.assert_allclose(normal_scores(x).ravel(), stats.norm.ppf([0.75, 0.25, 0.5]))


@pytest.mark.slow
@pytest.mark.parametrize("alpha", [0.05, 0.01])
def test_owners_that_were_not_trained_on_are_called_members_no_more_often_than_said(alpha):
    """Heavy tails, and two scores that depend on each other."""
    rng = np.random.default_rng(3)
    n, alarms = 1000, 0
    for _ in range(n):
        common = rng.standard_cauchy((60, 1))
        scores = common + rng.standard_cauchy((60, 2))
        alarms += membership_test(scores[:20], scores[20:])[1] <= alpha
    assert stats.binomtest(alarms, n, alpha, alternative="greater").pvalue > 0.001
