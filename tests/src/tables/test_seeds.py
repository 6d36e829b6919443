import pandas as pd
import pytest
from scipy.stats import t

from verbatim.tables.seeds import compare_seeds


def recall(value):
    return pd.DataFrame(
        {"model": ["sd1"], "kind": ["full"], "count": ["all"], "recall": [value], "found": [value * 40],
         "found_any": [0], "planted": [40]}
    )  # fmt: skip


def one(table, quantity):
    return table[table["quantity"] == quantity].iloc[0]


def test_mean_range_and_interval_over_runs():
    table = compare_seeds({"recall": {"0": recall(0.8), "1": recall(0.9), "2": recall(0.85)}}, 0.9)
    line = one(table, "found")
    assert (line["model"], line["item"], line["runs"]) == ("sd1", "full / all", 3)
    assert (line["mean"], line["min"], line["max"]) == pytest.approx((34, 32, 36))
    half = t.ppf(0.95, 2) * 2 / 3**0.5
    assert (line["low"], line["high"]) == pytest.approx((34 - half, 34 + half))


def test_shares_stay_between_0_and_1():
    line = one(compare_seeds({"recall": {"0": recall(1.0), "1": recall(0.7)}}, 0.95), "recall")
    assert (line["low"], line["high"]) == (0.0, 1.0)


def test_one_run_has_a_mean_and_no_interval():
    line = one(compare_seeds({"recall": {"0": recall(0.5)}}, 0.95), "recall")
    assert line["mean"] == 0.5
    assert pd.isna(line["low"])


def test_a_run_without_the_value_is_not_counted():
    line = one(
        compare_seeds({"recall": {"0": recall(0.5), "1": recall(float("nan"))}}, 0.95), "recall"
    )
    assert line["runs"] == 1


def test_a_line_of_labels_that_a_run_lacks_is_a_count_of_0_and_no_share():
    lines = pd.DataFrame(
        {"model": "sd1", "label": ["N", "TV"], "kind": "all", "share_planted": [float("nan"), 0.5],
         "prompts": [10, 4], "sources": [0, 3]}
    )  # fmt: skip
    table = compare_seeds({"confusion": {"0": lines, "1": lines.iloc[:1]}}, 0.95)
    got = table[table["item"] == "TV / all"].set_index("quantity")
    assert got.loc["prompts", ["runs", "mean", "min", "max"]].tolist() == [2, 2, 0, 4]
    assert got.loc["sources", ["runs", "mean"]].tolist() == [2, 1.5]
    assert got.loc["share_planted", ["runs", "mean"]].tolist() == [1, 0.5]
