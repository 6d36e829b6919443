import pandas as pd
import pytest
from scipy.stats import t

from verbatim.tables.seeds import compare_seeds


def recall(value):
    return pd.DataFrame(
        {"model": ["sd1"], "kind": ["full"], "count": ["all"], "recall": [value], "found": [value * 40],
         "found_any": [0], "planted": [40], "preset": "paper"}
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
         "prompts": [10, 4], "sources": [0, 3], "preset": "paper"}
    )  # fmt: skip
    table = compare_seeds({"confusion": {"0": lines, "1": lines.iloc[:1]}}, 0.95)
    got = table[table["item"] == "TV / all"].set_index("quantity")
    assert got.loc["prompts", ["runs", "mean", "min", "max"]].tolist() == [2, 2, 0, 4]
    assert got.loc["sources", ["runs", "mean"]].tolist() == [2, 1.5]
    assert got.loc["share_planted", ["runs", "mean"]].tolist() == [1, 0.5]


def evaluation(tpr, preset="reference"):
    return pd.DataFrame(
        {"model": ["sd1"], "detector": "dcs_reference", "positives": "full", "negatives": "single",
         "auc": 0.9, "auc_scored": 0.9, "tpr": 0.5, "fpr": 0.05, "found": 0.5, "alarms": 0.0,
         "tpr_0.01": tpr, "fpr_0.01": 0.01, "tpr_0.01_low": 0.1, "tpr_note": "", "n_pos": [50],
         "preset": preset, "label_preset": "paper"}
    )  # fmt: skip


def test_stricter_rates_are_compared_and_a_number_says_its_preset_and_what_it_counts():
    table = compare_seeds({"evaluation": {"0": evaluation(1.0), "1": evaluation(0.6)}}, 0.95)
    line = one(table, "tpr_0.01")
    assert (line["mean"], line["high"]) == (0.8, 1.0)
    assert (line["n"], line["preset"]) == (50, "reference/paper")
    assert "tpr_0.01_low" not in set(table["quantity"])


def test_a_score_without_a_preset_names_that_of_the_labels():
    runs = {"0": evaluation(1.0, float("nan"))}
    assert one(compare_seeds({"evaluation": runs}, 0.95), "auc")["preset"] == "paper"


def test_precision_at_a_depth_is_compared_too():
    lines = pd.DataFrame(
        {"model": "sd1", "detector": "seed_ssim", "k": [10, 50], "precision": [0.9, 0.5],
         "precision_planted": 1.0, "base_planted": 0.4, "preset": "world", "label_preset": "paper"}
    )  # fmt: skip
    table = compare_seeds({"depths": {"0": lines, "1": lines}}, 0.95)
    got = table[(table["item"] == "seed_ssim / 50") & (table["quantity"] == "precision")].iloc[0]
    assert (got["mean"], got["n"], got["runs"]) == (0.5, 50, 2)


def test_every_score_is_compared_with_its_cost_and_its_precision_at_the_depths_of_the_run():
    lines = pd.DataFrame(
        {"model": "sd1", "detector": ["words", "wen"], "auc": [0.5, 1.0], "low": 0.4, "tpr": [None, 1.0],
         "unet_rows": [0.0, 400.0], "tpr_0.01": [None, 0.9], "precision_7": [0.2, 1.0], "n_pos": 40}
    )  # fmt: skip
    table = compare_seeds({"scores": {"1": lines, "2": lines.assign(auc=[0.6, 0.9])}}, 0.95)
    wen = table[table["item"] == "wen"].set_index("quantity")["mean"]
    assert wen.to_dict() == {
        "auc": pytest.approx(0.95), "tpr": 1, "unet_rows": 400, "tpr_0.01": 0.9, "precision_7": 1,
    }  # fmt: skip
    assert set(table["preset"]) == {""}
