"""Counts of published sets: families, overlaps between sides, rows left out."""

from pathlib import Path

import made_sets
import pandas as pd
import pytest
from made_sets import headlines, sentences, side

from verbatim.inputs.prompt_sets import SetSettings, build_sets
from verbatim.tables.set_counts import count_overlaps, count_sets, list_families, list_matches
from verbatim.tables.set_detectors import list_comparisons, score_baselines
from verbatim.tables.sets_page import render_captions, render_scores
from verbatim.tables.statistics import EvaluationSettings

REPORT = Path(__file__).resolve().parents[3] / "workflow/report"
PAGE = [(REPORT / name).read_text("utf-8") for name in ("tables/page.html", "tables.css")]
SETTINGS = EvaluationSettings(0.1, (0.01,), 20, 3, 0.9, 0)


@pytest.fixture
def sets(tmp_path):
    h, s = headlines(), sentences()
    lines = made_sets.write_lines
    blocks = {
        "wen": {
            "positives": side(made_sets.write_wen(tmp_path / "wen.jsonl", [*h, h[3]])),
            "negatives": side(lines(tmp_path / "neg.txt", [*s, h[0]])),
            "pool": side(lines(tmp_path / "pool.txt", [h[2].replace("Sahara", "Jade") + "9"])),
        },
        "membench": {
            "positives": side(
                made_sets.write_membench(
                    tmp_path / "mb.csv", [h[4], h[5].lower(), h[7] + " Extra"], [["a"], ["b"], ["b", "c"]]
                )
            )
        },
    }  # fmt: skip
    return build_sets(blocks, SetSettings(1, 200, 0.5, 0.5, 0.25, 1000, 0))


def counted(sets):
    comparisons = list(list_comparisons(sets, 0.5))
    baselines = pd.concat([score_baselines(one, SETTINGS) for one in comparisons if one.compares])
    return comparisons, baselines, count_sets(sets, comparisons, baselines)


def test_a_set_is_counted_with_what_was_left_out(sets):
    _, baselines, table = counted(sets)
    table = table.set_index(["set", "negatives"])
    wen = table.loc[("wen", "published")]
    assert (wen["n_pos"], wen["n_neg"]) == (23, 24)
    assert (wen["repeated"], wen["both"], wen["unusable"]) == (1, 1, 0)
    assert wen["largest"] == 8  # the carpets
    assert wen["in_families"] == pytest.approx(8 / 23)
    assert wen["mixed"] == 0
    mine = baselines[(baselines["set"] == "wen") & (baselines["negatives"] == "published")]
    assert wen["auc"] == mine["auc"].max() > 0.9
    assert (table.loc[("wen", "same_template"), ["n_pos", "n_neg", "mixed"]] == 1).all()


def test_a_set_without_negatives_is_counted_and_has_no_area(sets):
    line = counted(sets)[2].set_index("set").loc["membench"]
    assert (line["negatives"], line["n_neg"], line["best_blind"]) == ("none", 0, "")
    assert pd.isna(line["auc"])
    assert line["families"] == 2  # two prompts share an image


def test_what_sides_share_is_counted_both_ways_round(sets):
    table = count_overlaps(sets, 0.5).set_index(["set", "side", "other_set", "other_side"])
    assert len(table) == 6
    here = table.loc[("membench", "positive", "wen", "positive")]
    assert here[["prompts", "equal", "same_words", "near"]].tolist() == [3, 1, 2, 3]
    there = table.loc[("wen", "positive", "membench", "positive")]
    assert there[["prompts", "equal", "same_words"]].tolist() == [24, 1, 2]
    assert there["near"] == 1 + 8 + 1  # all carpets are near the one
    both = table.loc[("wen", "negative", "wen", "positive")]
    assert both[["prompts", "equal", "near"]].tolist() == [25, 1, 1]


def test_families_are_listed_the_largest_first(sets):
    comparisons = list(list_comparisons(sets, 0.5))
    table = list_families(comparisons)
    wen = table[(table["set"] == "wen") & (table["negatives"] == "published")]
    assert wen.iloc[0][["prompts", "positives"]].tolist() == [8, 8]
    assert wen.iloc[0]["caption"].startswith("Shaw Floors")
    assert table["prompts"].min() >= 2


def test_matched_negatives_are_listed_beside_their_positive(sets):
    table = list_matches(sets)
    assert table.loc[0, ["negatives", "positive"]].tolist() == ["same_template", headlines()[2]]


@pytest.mark.slow
def test_the_page_of_captions_needs_nothing_beside_it_and_says_how_far_they_go(sets):
    comparisons, baselines, table = counted(sets)
    page = render_captions(
        *PAGE,
        {
            "sets": table, "baselines": baselines, "overlaps": count_overlaps(sets, 0.5),
            "families": list_families(comparisons), "matches": list_matches(sets),
        }
    )  # fmt: skip
    best = table.set_index(["set", "negatives"]).loc[("wen", "published")]
    assert f"area under the ROC curve of {best['auc']:.3f}" in page
    assert "membench is published without negatives" in page
    assert "<link" not in page
    assert "<script" not in page
    assert "src=" not in page
    for heading in (
        "How far captions alone go",
        "Blind baselines",
        "What sides share",
        "Matched negatives",
    ):
        assert f"<h2>{heading}</h2>" in page


def test_captions_on_the_page_are_text_and_no_markup(tmp_path):
    file = made_sets.write_lines(
        tmp_path / "p.txt", ["<script>alert(1)</script> a b", "<script>alert(1)</script> a c"]
    )
    sets = build_sets({"x": {"positives": side(file)}}, SetSettings(1, 200, 0.5, 0.5, 0.25, 9, 0))
    comparisons = list(list_comparisons(sets, 0.5))
    empty = pd.DataFrame(columns=["set", "negatives", "detector", "auc"])
    tables = {"sets": count_sets(sets, comparisons, empty), "families": list_families(comparisons)}
    page = render_captions(*PAGE, tables)
    assert "&lt;script&gt;alert(1)" in page
    assert "<script" not in page


def test_the_page_of_scores_shows_each_score_beside_the_best_baseline():
    line = {
        "model": "sd1", "set": "wen", "negatives": "published", "detector": "dcs_reference", "blind": False, "auc": 0.981,
        "low": 0.97, "high": 0.99, "best_blind": "style", "best_auc": 0.994, "gain": -0.013, "gain_low": -0.03,
        "gain_high": 0.002,
    }  # fmt: skip
    baseline = line | {"detector": "style", "blind": True, "auc": 0.994, "gain": float("nan")}
    page = render_scores(*PAGE, pd.DataFrame([line, baseline]))
    assert "-0.013 [-0.030, 0.002]" in page
    assert page.count("<td>style</td>") == 2  # best_blind of the score, and the baseline itself
