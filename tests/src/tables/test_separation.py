"""Copy detectors on unseen pairs: shares above thresholds and areas, of raw and of normalized scores."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from verbatim.metrics.intervals import Draws
from verbatim.tables.separation import compare_descriptors

RNG = np.random.default_rng(0)
N = 60


def make_pairs() -> pd.DataFrame:
    means = {"distorted": 0.8, "same_drawing": 0.4, "unrelated": 0.3}
    parts = []
    for descriptor, width in (("sscd", 0.15), ("clip", 0.4)):
        for kind, mean in means.items():
            for normalized in (False, True):
                values = RNG.normal(mean - 0.5 * normalized, width, N)
                parts.append(
                    pd.DataFrame({"descriptor": descriptor, "normalized": normalized, "pair": kind,
                                  "number": range(N), "drawing": np.arange(N) % 20, "similarity": values})
                )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


PAIRS = make_pairs()
TABLE = compare_descriptors(PAIRS, [0.5, 0.7], Draws(300, 0.95, 0))


def values_of(descriptor: str, kind: str) -> np.ndarray:
    chosen = PAIRS["descriptor"].eq(descriptor) & PAIRS["pair"].eq(kind) & ~PAIRS["normalized"]
    return PAIRS.loc[chosen, "similarity"].to_numpy()


@pytest.mark.parametrize("descriptor", ["sscd", "clip"])
@pytest.mark.parametrize("threshold", [0.5, 0.7])
def test_shares_above_a_threshold_are_counted_with_an_interval(descriptor, threshold):
    raw = TABLE[~TABLE["normalized"] & TABLE["descriptor"].eq(descriptor)]
    for line in raw[raw["threshold"].eq(threshold)].to_dict("records"):
        values = values_of(descriptor, line["pair"])
        assert line["n"] == N
        assert line["above"] == (values > threshold).sum()
        assert line["share"] == pytest.approx((values > threshold).mean())
        assert line["low"] <= line["share"] <= line["high"]
        assert line["median"] == pytest.approx(np.median(values))


def test_the_area_is_against_unrelated_pairs():
    for line in TABLE[~TABLE["normalized"]].to_dict("records"):
        if line["pair"] == "unrelated":
            assert np.isnan(line["auc"])
            continue
        two = [values_of(line["descriptor"], kind) for kind in (line["pair"], "unrelated")]
        want = roc_auc_score(np.repeat([1, 0], N), np.concatenate(two))
        assert line["auc"] == pytest.approx(want)
        assert line["auc_low"] <= want <= line["auc_high"]


def test_a_normalized_score_has_an_area_and_no_threshold():
    normal = TABLE[TABLE["normalized"]]
    assert len(normal) == 6
    assert normal[["threshold", "above", "share"]].isna().all().all()
    assert normal.loc[normal["pair"].ne("unrelated"), "auc"].notna().all()
