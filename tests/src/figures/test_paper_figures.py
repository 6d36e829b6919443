"""Figures 1, 2, 4 and 5 of the paper, and Table 1 as a page: what is chosen, and what is drawn."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from figure_texts import texts
from made_results import make_labels, make_prompts, make_truth, rows_of

from verbatim.figures.duplication import (
    ATTACKED,
    RANDOM,
    VERBATIM,
    describe_duplication,
    plot_duplication,
    weighted_shares,
)
from verbatim.figures.fig1_generations import Generation, choose_generations, plot_generations
from verbatim.figures.image_grid import Example
from verbatim.figures.near_misses import (
    ABOVE,
    CROP,
    DISTORTED,
    choose_near_misses,
    plot_near_misses,
)
from verbatim.figures.table1_plot import plot_table1
from verbatim.figures.templates import masked_difference, plot_templates
from verbatim.figures.triples import Triple


def image(value=0.5):
    return np.full((8, 8, 3), value)


def labels_of(n=5):
    truth = make_truth()
    return make_labels(
        truth, {f"planted thing {i}": ("MV", rows_of(truth, f"planted thing {i}")[0]) for i in range(n)}
    )  # fmt: skip


def test_fig_1_takes_the_median_of_each_kind_that_has_one_step_images():
    labels = labels_of()
    mv = labels["label"].eq("MV")
    labels.loc[mv, "distance"] = [0.05, 0.01, 0.02, 0.04, 0.03]
    ranked = labels[["prompt_id"]].assign(ecs=0.5)
    chosen = choose_generations(labels, ranked)
    assert set(chosen) == {"MV", "N"}
    assert chosen["MV"]["distance"] == 0.03
    few = choose_generations(labels, ranked[mv & labels["distance"].gt(0.035)])
    assert few["MV"]["distance"] == 0.05
    assert "N" not in few
    labels.loc[labels["distance"].eq(0.03), "review"] = True
    assert choose_generations(labels, ranked)["MV"]["distance"] != 0.03


def test_fig_1_shows_a_row_a_kind_and_says_which_is_missing():
    one = Generation("a cat", "MV, distance 0.05", image(0.1), [image(0.2), None], [image(0.3)] * 2)
    figure = plot_generations({"SD V1": {"MV": one}}, {"one_step": [0, 1], "full": [0, 1]})
    values = [float(np.asarray(i.get_array()).flat[0]) for i in figure.axes[0].get_images()]
    assert values == [0.1, 0.2, 0.3, 0.3]
    said = texts(figure)
    assert {"Exact (MV)\n", "a cat\n", "MV, distance 0.05\n"} <= set(said)
    assert sum("none found" in text for text in said) == 2  # TV and N
    assert "no model" in texts(plot_generations({}, {"one_step": [], "full": []}))[0]


def triple(distance, crop="whole"):
    mask = np.zeros((8, 8), bool)
    mask[:4] = True
    return Triple("c", distance, image(0.5), image(0.55), mask, None, crop)


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
    first = trained.groupby("image_id")["row"].transform("min")
    again = trained.groupby("image_id")["row"].transform("size") > 1
    clusters = pd.DataFrame({"row": trained["row"], "cluster": first})[again]
    stats = clusters.groupby("cluster").size().rename("size").reset_index()
    stats["share_equal_captions"] = 0.5
    table = describe_duplication(labels, make_prompts(truth), clusters, stats, len(trained))
    return trained, table


def test_fig_4_counts_every_image_once_on_all_sides():
    truth, labels = make_truth(), labels_of(2)
    again = labels["caption"].eq("lone thing 0")  # a second copy of the first image, by another row
    labels.loc[again, ["label", "source_row"]] = ["RV", rows_of(truth, "planted thing 0")[1]]
    trained, table = duplication_of(labels)
    by = dict(iter(table.groupby("group")))
    sizes = trained.groupby("image_id").size()
    assert by[RANDOM]["weight"].sum() == len(sizes)
    mean = np.average(by[RANDOM]["size"], weights=by[RANDOM]["weight"])
    assert mean == pytest.approx(sizes.mean())
    assert by[VERBATIM]["size"].tolist() == [3, 3]
    assert by[VERBATIM]["share"].tolist() == [0.5, 0.5]
    assert by[ATTACKED]["size"].value_counts().to_dict() == {1: 6, 3: 4, 2: 3}
    lone = by[ATTACKED][by[ATTACKED]["size"].eq(1)]
    assert lone["share"].isna().all()  # what has no duplicate has no share of equal captions


@pytest.mark.slow
def test_fig_4_says_how_many_images_each_line_stands_for():
    _, table = duplication_of(labels_of(2))
    figure = plot_duplication({"SD V1": table})
    n = table.loc[table["group"].eq(RANDOM), "weight"].sum()
    assert {f"{RANDOM} ({n})", f"{VERBATIM} (2)"} <= set(texts(figure))
    figure.canvas.draw()


def test_shares_of_a_histogram_sum_to_1():
    shares = weighted_shares(np.array([1, 3, 3]), np.array([2.0, 1, 1]), np.array([0, 2, 4]))
    assert shares.tolist() == [0.5, 0.5]
    assert weighted_shares(np.empty(0), np.empty(0), np.array([0, 1])).tolist() == [0]


def near_labels():
    labels = labels_of()
    n = labels["label"].eq("N") & ~labels["extra"]
    labels.loc[n, "distance"] = np.linspace(0.13, 0.18, n.sum())
    labels.loc[n, "source_row"] = np.arange(n.sum()) + 100
    labels.loc[labels["label"].eq("MV"), "crop"] = ["center", "squash", "pad", "whole", "whole"]
    return labels, labels[n]


def verification_of(missed, rows):
    """A verifier's word on some of the prompts labelled N."""
    return pd.DataFrame(
        {"prompt_id": missed["prompt_id"].iloc[rows], "seed": 1, "source_row": [7, 8, 9, 10, 11],
         "flip": [False, True, False, False, False], "side": [1.25, 1.0, 1.0, 1.0, 1.3],
         "top": [-0.1, 0, 0.1, 0, 0], "left": 0.0, "q": [0.001, 0.003, 0.003, 0.004, 0.005],
         "relative": [0.5, 0.4, 0.3, 0.2, 0.1],
         "verified": [True, True, True, False, True], "doubt": ["", "", "", "", "white"]}
    )  # fmt: skip


def test_fig_5_has_the_nearest_and_those_that_a_verifier_calls_copies():
    labels, missed = near_labels()
    found = verification_of(missed, [3, 5, 6, 7, 8])
    got = choose_near_misses(labels, found, 2, 0.12)
    assert got[ABOVE]["distance"].tolist() == [0.13, missed["distance"].iloc[1]]
    assert got[CROP]["facts"].iloc[0] == "crop ×1.25, q 0.001"
    assert got[CROP]["source_row"].iloc[0] == 7  # the verifier's pair is shown, not the label's
    assert got[DISTORTED]["facts"].tolist() == ["shift, q 0.003", "flip, q 0.003"]
    assert got[DISTORTED]["seed"].tolist() == [1, 1]
    assert choose_near_misses(labels, found, 2, 0.05)[ABOVE].empty  # nothing is near


def test_where_a_verifier_finds_few_crops_fig_5_has_copies_that_only_a_crop_shows():
    labels, missed = near_labels()
    nobody = verification_of(missed, [3, 5, 6, 7, 8]).assign(verified=False)
    got = choose_near_misses(labels, nobody, 2, 0.12)
    assert sorted(got[CROP]["facts"]) == ["MV, crop center", "MV, crop pad"]
    assert got[DISTORTED].empty
    some = verification_of(missed, [3, 5, 6, 7, 8])
    assert len(choose_near_misses(labels, some, 2, 0.12)[CROP]) == 2


def test_a_prompt_just_above_the_threshold_is_not_shown_as_distorted_too():
    labels, missed = near_labels()
    found = verification_of(missed, [3, 0, 6, 7, 8])
    got = choose_near_misses(labels, found, 2, 0.12)
    assert got[DISTORTED]["facts"].tolist() == ["shift, q 0.003"]


def test_fig_5_shows_pairs_and_says_where_there_are_none():
    one = Example([image(0.1), image(0.2)], "c", "distance 0.130")
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
