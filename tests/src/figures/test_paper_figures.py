"""Figures 1, 2, 4 and 5 of the paper, and Table 1 as a page: what is chosen, and what is drawn."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from made_results import make_labels, make_prompts, make_truth, rows_of

from verbatim.figures.duplication import (
    ATTACKED,
    RANDOM,
    VERBATIM,
    describe_duplication,
    plot_duplication,
    weighted_shares,
)
from verbatim.figures.grid import Example
from verbatim.figures.near_misses import (
    ABOVE,
    CROP,
    DISTORTED,
    choose_near_misses,
    correlate,
    plot_near_misses,
)
from verbatim.figures.syntheses import Synthesis, choose_syntheses, plot_syntheses
from verbatim.figures.table1 import plot_table1
from verbatim.figures.templates import masked_difference, plot_templates
from verbatim.figures.triples import Triple


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def texts(figure):
    return [text.get_text() for text in figure.findobj(plt.Text) if text.get_text()]


def picture(value=0.5):
    return np.full((8, 8, 3), value)


def labels_of(n=5):
    truth = make_truth()
    return make_labels(
        truth, {f"planted thing {i}": ("MV", rows_of(truth, f"planted thing {i}")[0]) for i in range(n)}
    )  # fmt: skip


def test_fig_1_takes_the_median_of_each_kind_that_has_one_step_pictures():
    labels = labels_of()
    mv = labels["label"].eq("MV")
    labels.loc[mv, "distance"] = [0.05, 0.01, 0.02, 0.04, 0.03]
    ranked = labels[["prompt_id"]].assign(ecs=0.5)
    chosen = choose_syntheses(labels, ranked)
    assert set(chosen) == {"MV", "N"}
    assert chosen["MV"]["distance"] == 0.03
    few = choose_syntheses(labels, ranked[mv & labels["distance"].gt(0.035)])
    assert few["MV"]["distance"] == 0.05
    assert "N" not in few
    labels.loc[labels["distance"].eq(0.03), "review"] = True
    assert choose_syntheses(labels, ranked)["MV"]["distance"] != 0.03


def test_fig_1_shows_a_row_a_kind_and_says_which_is_missing():
    one = Synthesis(
        "a cat", "MV, distance 0.05", picture(0.1), [picture(0.2), None], [picture(0.3)] * 2
    )
    figure = plot_syntheses({"SD V1": {"MV": one}}, {"one_step": [0, 1], "full": [0, 1]})
    values = [float(np.asarray(i.get_array()).flat[0]) for i in figure.axes[0].get_images()]
    assert values == [0.1, 0.2, 0.3, 0.3]
    said = texts(figure)
    assert {"Exact (MV)\n", "a cat\n", "MV, distance 0.05\n"} <= set(said)
    assert sum("none found" in text for text in said) == 2  # TV and N
    assert "no model" in texts(plot_syntheses({}, {"one_step": [], "full": []}))[0]


def triple(distance, crop="whole"):
    mask = np.zeros((8, 8), bool)
    mask[:4] = True
    return Triple("c", distance, picture(0.5), picture(0.55), mask, None, crop)


def test_fig_2_shows_the_difference_under_the_mask_and_grey_elsewhere():
    shown = masked_difference(triple(0.1))
    assert shown[0, 0] == pytest.approx([0.2] * 3)
    assert shown[7, 7] == pytest.approx([0.75] * 3)
    assert masked_difference(triple(0.1, "center")) is None  # the mask is of a crop


def test_fig_2_names_the_closest_and_the_furthest_also_where_there_are_two():
    figure = plot_templates({"SD V1": [triple(0.01), triple(0.11)], "IF": []})
    said = texts(figure)
    assert {"c\ndistance 0.010", "c\ndistance 0.110"} <= set(said)
    place = {t.get_text(): t.get_position()[0] for t in figure.findobj(plt.Text)}
    assert place["c\ndistance 0.110"] == place["Furthest"]
    assert said.count("none found") == 1 + 3


def duplication_of(labels):
    truth = make_truth()
    trained = truth[truth["row"] >= 0]
    first = trained.groupby("picture_id")["row"].transform("min")
    again = trained.groupby("picture_id")["row"].transform("size") > 1
    clusters = pd.DataFrame({"row": trained["row"], "cluster": first})[again]
    stats = clusters.groupby("cluster").size().rename("size").reset_index()
    stats["share_equal_captions"] = 0.5
    table = describe_duplication(labels, make_prompts(truth), clusters, stats, len(trained))
    return trained, table


def test_fig_4_counts_every_picture_once_on_all_sides():
    truth, labels = make_truth(), labels_of(2)
    again = labels["caption"].eq(
        "lone thing 0"
    )  # a second copy of the first picture, by another row
    labels.loc[again, ["label", "source_row"]] = ["RV", rows_of(truth, "planted thing 0")[1]]
    trained, table = duplication_of(labels)
    by = dict(iter(table.groupby("group")))
    sizes = trained.groupby("picture_id").size()
    assert by[RANDOM]["weight"].sum() == len(sizes)
    mean = np.average(by[RANDOM]["size"], weights=by[RANDOM]["weight"])
    assert mean == pytest.approx(sizes.mean())
    assert by[VERBATIM]["size"].tolist() == [3, 3]
    assert by[VERBATIM]["share"].tolist() == [0.5, 0.5]
    assert by[ATTACKED]["size"].value_counts().to_dict() == {1: 6, 3: 4, 2: 3}
    lone = by[ATTACKED][by[ATTACKED]["size"].eq(1)]
    assert lone["share"].isna().all()  # what has no duplicate has no share of equal captions


def test_fig_4_says_how_many_pictures_each_line_stands_for():
    _, table = duplication_of(labels_of(2))
    figure = plot_duplication({"SD V1": table})
    n = table.loc[table["group"].eq(RANDOM), "weight"].sum()
    assert {f"{RANDOM} ({n})", f"{VERBATIM} (2)"} <= set(texts(figure))
    figure.canvas.draw()


def test_shares_of_a_histogram_sum_to_1():
    shares = weighted_shares(np.array([1, 3, 3]), np.array([2.0, 1, 1]), np.array([0, 2, 4]))
    assert shares.tolist() == [0.5, 0.5]
    assert weighted_shares(np.empty(0), np.empty(0), np.array([0, 1])).tolist() == [0]


def test_correlation_forgives_tone_and_nothing_else():
    one = np.random.default_rng(0).random((8, 8, 3)).astype(np.float32)
    assert correlate(one, 0.3 + 0.5 * one) == pytest.approx(1, abs=1e-5)
    assert correlate(one, 1 - one) == pytest.approx(-1, abs=1e-5)
    assert abs(correlate(one, one[::-1, ::-1])) < 0.3
    assert correlate(one, picture()) == 0


def near_labels():
    labels = labels_of()
    n = labels["label"].eq("N") & ~labels["extra"]
    labels.loc[n, "distance"] = np.linspace(0.13, 0.18, n.sum())
    labels.loc[n, "source_row"] = np.arange(n.sum()) + 100
    labels.loc[labels["label"].eq("MV"), "crop"] = ["center", "squash", "pad", "whole", "whole"]
    return labels, labels[n]


def test_fig_5_has_the_nearest_the_cropped_and_the_alike():
    labels, missed = near_labels()
    like = missed["prompt_id"].iloc[4]
    rng = np.random.default_rng(0)

    def read(row):
        one = rng.random((8, 8, 3))
        return one, 0.5 * one if row["prompt_id"] == like else rng.random((8, 8, 3))

    got = choose_near_misses(labels, read, 2, 0.12)
    assert got[ABOVE]["distance"].tolist() == [0.13, missed["distance"].iloc[1]]
    assert sorted(got[CROP]["crop"]) == ["center", "pad"]
    assert got[DISTORTED]["prompt_id"].iloc[0] == like
    assert got[DISTORTED]["facts"].tolist() == ["correlation 1.00"]  # noise is not alike
    assert not set(got[ABOVE]["prompt_id"]) & set(got[DISTORTED]["prompt_id"])
    assert choose_near_misses(labels, read, 2, 0.05)[ABOVE].empty  # nothing is near


def test_fig_5_takes_a_verifier_s_word_where_there_is_one():
    labels, missed = near_labels()
    found = pd.DataFrame({"prompt_id": missed["prompt_id"].iloc[[3, 5, 6, 7, 8]], "seed": 1,
                          "source_row": [7, 8, 9, 10, 11], "flip": [False, True, False, False, False],
                          "side": [1.25, 1.0, 1.0, 1.0, 1.3], "top": [-0.1, 0, 0.1, 0, 0], "left": 0.0,
                          "q": [0.001, 0.002, 0.003, 0.004, 0.005],
                          "verified": [True, True, True, False, True], "doubt": ["", "", "", "", "white"]})  # fmt: skip
    got = choose_near_misses(labels, lambda row: (picture(), picture()), 2, 0.12, found)
    assert got[CROP]["facts"].tolist() == ["cropped ×1.25, q 0.001"]
    assert got[CROP]["source_row"].tolist() == [7]  # the verifier's pair is shown, not the label's
    assert got[DISTORTED]["facts"].tolist() == ["flipped, q 0.002", "shifted, q 0.003"]


def test_fig_5_shows_pairs_and_says_where_there_are_none():
    one = Example([picture(0.1), picture(0.2)], "c", "distance 0.130")
    figure = plot_near_misses({"SD V1": {ABOVE: [one, one], CROP: [], DISTORTED: [one]}}, 2)
    assert len(figure.axes[0].get_images()) == 6
    assert texts(figure).count("none found") == 1
    assert texts(figure).count(ABOVE) == 1


def test_table_1_has_both_sides_and_a_dash_where_one_is_silent():
    table = pd.DataFrame(
        {"Model": ["SD V1", "Midjourney v4"], "Deduplicated training": ["no", None],
         "Deduplicated training (paper)": ["no", "unknown"], "Retrieved": [20, None],
         "Retrieved (paper)": [37, 5], "Template": [11, None], "Template (paper)": [45, 8],
         "Exact": [1217, None], "Exact (paper)": [71, 2], "Judged": [359, None]}
    )  # fmt: skip
    figure = plot_table1(table, {"SD V1": 60}, "paper")
    said = texts(figure)
    assert {"1,217", "71", "60", "359", "unknown"} <= set(said)
    assert said.count("–") == 5
    assert any("preset paper" in text for text in said)
    figure.canvas.draw()
