"""Figures that only a world with known copies can have."""

import numpy as np
import pandas as pd
import pytest
from figure_texts import texts

from verbatim.figures.confusion_plot import count_cells, plot_confusion
from verbatim.figures.roc_plot import choose_scores, plot_detector_recall, plot_roc

NAMES = {"sd1": "SD V1", "sd2": "SD V2"}
SCORES = choose_scores("reference", "world")


def kinds_of(counts=("all", "10", "20"), matched=True):
    return pd.DataFrame(
        [
            {"model": "sd1", "detector": score, "kind": "full", "count": count, "auc": 0.91, "tpr": 0.5,
             "tpr_low": 0.4, "tpr_high": 0.7, "n_pos": 10, "n_neg": 20, "matched": matched}
            for score in ("dcs_reference", "bag_of_words") for count in counts
        ]
    )  # fmt: skip


def roc_of():
    return pd.DataFrame({"model": "sd1", "detector": "dcs_reference", "kind": "full",
                         "fpr": [0, 0.1, 1], "tpr": [0, 0.8, 1]})  # fmt: skip


def test_a_curve_is_drawn_as_it_stands_in_the_table_with_its_area():
    figure = plot_roc(roc_of(), kinds_of(), NAMES, SCORES)
    line = next(one for one in figure.axes[0].get_lines() if one.get_label() == "DCS (reference)")
    assert line.get_xydata().tolist() == [[0, 0], [0.1, 0.8], [1, 1]]
    assert figure.axes[0].get_title(loc="left") == "Full duplicates (10)\nmatched"
    assert texts(figure).count("0.91") == 2
    assert "SD V2\ntrue positive rate" in texts(figure)
    figure.canvas.draw()


def test_a_kind_whose_negatives_are_not_matched_is_marked():
    figure = plot_roc(roc_of(), kinds_of(matched=False), NAMES, SCORES)
    assert figure.axes[0].get_title(loc="left") == "Full duplicates (10)\nnegatives not matched"


def test_every_score_has_a_look_of_its_own_and_the_blind_ones_are_dotted():
    looks = [(look["color"], look["ls"]) for _, look in SCORES.values()]
    assert len(set(looks)) == len(looks)
    assert [SCORES[name][1]["ls"] for name in ("bag_of_words", "caption_length")] == [":", ":"]
    assert "dcs_paper" in choose_scores("paper", "world")


def test_reach_by_count_stands_beside_what_was_found():
    kinds = kinds_of()
    kinds.loc[kinds["detector"].eq("bag_of_words"), ["tpr", "tpr_low", "tpr_high"]] = np.nan
    recall = pd.DataFrame({"model": "sd1", "kind": "full", "count": ["all", "10", "20"],
                           "recall": [0.5, 0.25, 0.75], "low": 0.1, "high": 0.9})  # fmt: skip
    figure = plot_detector_recall(kinds, recall, NAMES, SCORES, 0.05)
    bars = {one.get_label(): one for one in figure.axes[0].containers}
    assert set(bars) == {
        "DCS (reference)",
        "found (labels)",
    }  # a score without a threshold is not drawn
    assert bars["found (labels)"][0].get_ydata().tolist() == [0.25, 0.75]
    segments = bars["DCS (reference)"][2][0].get_segments()
    assert segments[0][:, 1].tolist() == pytest.approx([0.4, 0.7])
    assert [t.get_text() for t in figure.axes[0].get_xticklabels()] == ["10", "20"]
    figure.canvas.draw()


def confusion_of():
    return pd.DataFrame(
        {"model": "sd1", "label": ["copy", "MV", "N", "N", "MV"], "prompts": [8, 7, 3, 40, 8],
         "kind": ["full", "full", "full", "held_out", "all"]}
    )  # fmt: skip


def test_cells_count_labels_by_kind_and_no_sums():
    cells = count_cells(confusion_of(), "sd1")
    assert cells.to_dict() == {"full": {"MV": 7, "N": 3}, "held_out": {"MV": 0, "N": 40}}
    # panels of several models have the same rows and columns
    assert count_cells(confusion_of(), "sd2").to_numpy().tolist() == [[0, 0], [0, 0]]


def test_labels_against_truth_has_a_panel_a_model():
    figure = plot_confusion(confusion_of(), NAMES)
    assert {"7", "40", "held out", "SD V2"} <= set(texts(figure))
    figure.canvas.draw()
