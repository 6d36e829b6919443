"""The mitigation table: theirs beside ours, and what is missing said."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_claims import made_grid, made_measures, made_states

from verbatim.claims.mitigation_table import PAPER, mitigation_table

ROOT = Path(__file__).resolve().parents[3]


def made_table(measures, states):
    paper = pd.read_csv(
        ROOT / "config" / "claims_paper_values.tsv", sep="\t", keep_default_na=False
    )
    assert tuple(paper.columns) == PAPER
    found = mitigation_table(measures, states, made_grid(), paper, 0.95)
    return found.set_index(["stage", "mitigation", "copies"])


@pytest.fixture(scope="module")
def table():
    return made_table(made_measures(), made_states())


def test_ours_stands_beside_theirs(table):
    line = table.loc[("train", "mc", "full 10")]
    assert line["theirs"] == 0.470
    assert line["ours"] == pytest.approx(0.515, abs=0.01)
    assert line["change"] == pytest.approx(-0.2, abs=0.01)
    assert line["theirs_change"] == pytest.approx(0.470 - 0.663)
    assert line["change_low"] < line["change"] < line["change_high"] < 0
    assert line["status"] == "ok"


def test_every_mitigation_has_a_line_of_each_duplication_and_missing_ones_say_so(table):
    assert len(table) == 3 * (1 + 5 + 5)
    assert table.loc[("train", "rc", "none"), "status"] == "not run"
    assert np.isnan(table.loc[("train", "rc", "none"), "ours"])
    assert table.loc[("inference", "gni", "full 10"), "change"] == pytest.approx(-0.1)


def test_the_price_in_quality_stands_beside(table):
    line = table.loc[("train", "mc", "none")]
    assert line["frechet_change"] == pytest.approx(0.15, abs=0.01)
    assert line["clip_score_change"] == pytest.approx(-30 * 0.15, abs=0.3)
    assert line["recall_change"] == pytest.approx(-0.075, abs=0.01)


def test_several_captions_are_one_model_in_the_lines_of_both_kinds(table):
    both = table.loc[[("train", "mc", "image_only 10"), ("train", "mc", "full 10")]]
    assert both["ours"].nunique() == 1
    assert both["duplication"].tolist() == ["image_only", "full"]
    assert both["change"].tolist() == pytest.approx([-0.11, -0.2], abs=0.01)
    assert both["status"].tolist() == ["ok", "ok"]


def test_what_is_not_mitigated_has_no_change(table):
    assert np.isnan(table.loc[("none", "none", "none"), "change"])


def test_a_seed_that_diverged_is_named_beside_the_one_that_did_not():
    measures, states = made_measures(), made_states()
    lost = states["point"].eq("gn") & states["seed"].eq(1) | states["point"].eq("mc")
    states.loc[lost, ["status", "reason"]] = "failed", "step 9: the loss is inf"
    gone = measures["point"].eq("gn") & measures["seed"].eq(1) | measures["point"].eq("mc")
    table = made_table(measures[~gone], states)
    line = table.loc[("train", "gn", "none")]
    assert (line["seeds"], line["status"]) == (1, "ok; seed 1 failed: step 9: the loss is inf")
    line = table.loc[("train", "mc", "none")]
    assert (line["seeds"], line["status"]) == (0, "failed: step 9: the loss is inf")
    assert table.loc[("none", "none", "none"), "status"] == "ok"


@pytest.mark.slow
def test_no_interval_of_a_share_leaves_what_a_share_can_be():
    measures = made_measures()
    recall = measures["measure"].eq("recall")
    measures.loc[recall, "value"] = np.resize([0.0, 1.0, 1.0, 0.0], recall.sum())
    line = made_table(measures, made_states()).loc[("none", "none", "none")]
    assert line["recall_low"] == 0
    assert line["recall_high"] == 1
