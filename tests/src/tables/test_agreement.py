"""Agreement with the authors' labels, against scikit-learn and a resampling loop."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import cohen_kappa_score

from verbatim.tables.agreement import compare_authors, kappa, kappa_interval, verdicts

TYPES = ("MV", "RV", "TV", "N")


@pytest.fixture(scope="module")
def pair():
    rng = np.random.default_rng(0)
    theirs = rng.choice(4, 80, p=[0.3, 0.1, 0.2, 0.4])
    ours = np.where(rng.random(80) < 0.6, theirs, rng.integers(0, 4, 80))
    return theirs, ours


def square(theirs, ours):
    out = np.zeros((4, 4), int)
    for a, b in zip(theirs, ours, strict=True):
        out[a, b] += 1
    return out


def test_kappa_is_scikit_learns_and_takes_whole_stacks(pair):
    counts = square(*pair)
    expected = cohen_kappa_score(*pair)
    assert kappa(counts) == pytest.approx(expected)
    assert kappa(np.stack([counts, np.eye(4)])) == pytest.approx([expected, 1.0])
    assert np.isnan(kappa(np.diag([5, 0, 0, 0])))  # all agree, but chance would too


def test_the_interval_is_that_of_drawing_prompts_again(pair):
    theirs, ours = pair
    value, low, high = kappa_interval(square(theirs, ours), 4000, 0.9, seed=1)
    rng = np.random.default_rng(2)
    drawn = []
    for _ in range(4000):
        take = rng.integers(0, 80, 80)
        counts = np.bincount(4 * theirs[take] + ours[take], minlength=16)
        drawn.append(float(kappa(counts.reshape(4, 4))))  # which is scikit-learn's, see above
    assert value == pytest.approx(cohen_kappa_score(theirs, ours))
    # two draws of 4,000: the ends of the interval are known to about 0.005
    assert [low, high] == pytest.approx(np.quantile(drawn, [0.05, 0.95]), abs=0.02)
    assert kappa_interval(square(theirs, ours), 50, 0.9, 1) == kappa_interval(
        square(theirs, ours), 50, 0.9, 1
    )
    assert np.isnan(kappa_interval(np.zeros((4, 4), int), 10, 0.9, 1)).all()


def labels(*rows):
    frame = pd.DataFrame(rows, columns=["caption", "label", "review"])
    return frame.assign(row=np.arange(len(frame)))


def authors(*rows):
    return pd.DataFrame(rows, columns=["caption", "overfit_type"])


def test_prompts_are_matched_by_caption_and_counted_once():
    ours = labels(
        ("a", "MV", False), ("b", "MV", False), ("c", "TV", True), ("d", "missing", False),
        ("e", "N", False), ("only ours", "RV", False),
    )  # fmt: skip
    theirs = authors(
        ("e", "N"), ("a", "MV"), ("b", "TV"), ("c", "N"), ("d", "RV"), ("gone", "N"), ("a", "N")
    )
    out = compare_authors(ours, theirs, 100, 0.95, 0)
    cells = out[out["measure"] == "prompts"].set_index(["theirs", "ours"])["value"]
    assert cells.to_dict() == {
        ("MV", "MV"): 1, ("TV", "MV"): 1, ("N", "review"): 1, ("RV", "missing"): 1, ("N", "N"): 1,
    }  # fmt: skip
    by = out.set_index("measure")
    assert by.loc["agreement", ["value", "n"]].tolist() == [3 / 4, 4]
    assert by.loc["kappa", "value"] == pytest.approx(
        cohen_kappa_score(["MV", "TV", "N", "N"], ["MV", "MV", "N", "N"])
    )
    assert by.loc["kappa_copy", "value"] == 1
    alone = out[out["measure"] == "not_compared"].set_index("theirs")["value"].to_dict()
    assert alone == {"only theirs": 1, "only ours": 1, "theirs twice": 1}


def test_no_common_prompt_gives_a_table_without_an_agreement():
    out = compare_authors(labels(("a", "MV", False)), authors(("b", "N")), 10, 0.95, 0)
    by = out.set_index("measure")
    assert by.loc["kappa", "n"] == 0
    assert np.isnan(by.loc["agreement", "value"])


def test_a_verdict_is_what_table_1_counts():
    frame = labels(("a", "MV", True), ("b", "missing", True), ("c", "N", False))
    assert verdicts(frame).tolist() == ["review", "missing", "N"]
