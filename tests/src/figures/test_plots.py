"""The figures: what they show is read back from the Matplotlib figure, not from pixels."""

import numpy as np
import pandas as pd
import pytest
from figure_texts import texts
from made_results import make_labels, make_truth, rows_of

from verbatim.figures.histogram import plot_histogram
from verbatim.figures.image_grid import Example, plot_grid
from verbatim.figures.precision_plot import plot_precision
from verbatim.figures.recall_plot import plot_recall
from verbatim.figures.style import plain_text, save_figure
from verbatim.figures.triples import Triple, choose_examples, plot_triples
from verbatim.figures.unpicked import Drawn, choose_prompts, plot_unpicked

NAMES = {"sd1": "SD V1", "sd2": "SD V2"}


@pytest.mark.slow
def test_a_figure_has_the_same_bytes_on_every_run(tmp_path):
    table = pd.DataFrame({"model": "sd1", "detector": "DCS", "k": [1, 2], "found": [1, 1], "found_unique": 1,
                          "precision": [1, 0.5], "low": [0.2, 0.1], "high": [1, 0.9]})  # fmt: skip
    files = []
    for run in "ab":
        png, pdf = tmp_path / f"{run}.png", tmp_path / f"{run}.pdf"
        save_figure(plot_precision(table, NAMES), png, 50)
        files.append((png.read_bytes(), pdf.read_bytes()))
    assert files[0] == files[1]
    assert files[0][0].startswith(b"\x89PNG")
    assert files[0][1].startswith(b"%PDF")
    assert b"CreationDate" not in files[0][1]
    assert not list(tmp_path.glob("*.tmp"))


def test_captions_are_one_line_without_signs_that_the_font_lacks():
    assert plain_text("a  b\nc\t☃ 🦄", 40) == "a b c ☃ □"
    assert plain_text("x" * 10000, 10) == "x" * 9 + "…"
    assert plain_text("", 10) == ""


def test_examples_run_from_the_closest_to_the_furthest_each_source_once():
    truth = make_truth()
    labels = make_labels(
        truth,
        {f"planted thing {i}": ("MV", rows_of(truth, f"planted thing {i}")[0]) for i in range(5)},
    )
    mv = labels["label"] == "MV"
    labels.loc[mv, "distance"] = [0.1, 0.02, 0.05, 0.03, 0.01]
    labels.loc[labels["distance"] == 0.02, "source_row"] = labels.loc[
        labels["distance"] == 0.01, "source_row"
    ].item()
    assert choose_examples(labels, 3)["distance"].tolist() == [0.01, 0.05, 0.1]
    assert choose_examples(labels, 9)["distance"].tolist() == [0.01, 0.03, 0.05, 0.1]
    labels.loc[labels["distance"] == 0.1, "review"] = True
    labels.loc[labels["distance"] == 0.01, "extra"] = True
    assert choose_examples(labels, 2)["distance"].tolist() == [0.02, 0.05]
    assert choose_examples(labels.iloc[:0], 2).empty


def image(value=0.5):
    return np.full((8, 8, 3), value)


def shown(figure):
    """The images of a grid in the order in which they were drawn."""
    return [np.asarray(image.get_array()) for image in figure.axes[0].get_images()]


def test_triples_show_every_image_and_the_mask_of_templates_only():
    mask = np.ones((8, 8), bool)
    one = Triple("costs $5_000 & \\n", 0.0512, image(0.1), image(0.2), mask, image(0.3))
    figure = plot_triples({"SD V1": {"MV": [one], "TV": [one]}, "IF": {}})
    assert [float(a.flat[0]) for a in shown(figure)] == [0.3, 0.1, 0.2] * 2 + [255]
    assert sum("costs $5_000" in text and "0.051" in text for text in texts(figure)) == 2
    assert sum(text == "none found" for text in texts(figure)) == 1 + 3
    figure.canvas.draw()


def test_a_image_that_is_not_there_leaves_its_place():
    figure = plot_grid({"A": ("x", "y")}, {"m": {"A": [Example([None, image()], "c", "f")]}})
    (shown,) = figure.axes[0].get_images()
    left, right, low, high = shown.get_extent()
    dash = next(text for text in figure.axes[0].texts if text.get_text() == "–")
    assert dash.get_position()[0] < left
    assert right - left == pytest.approx(high - low)


def test_a_image_that_is_not_square_is_not_stretched():
    wide = np.zeros((10, 20, 3))
    figure = plot_grid({"A": ("x",)}, {"m": {"A": [Example([wide], "c", "f")]}})
    left, right, low, high = figure.axes[0].get_images()[0].get_extent()
    assert (right - left) == pytest.approx(2 * (high - low))
    figure.canvas.draw()
    box = figure.axes[0].get_window_extent()
    assert box.width == pytest.approx(figure.bbox.width)  # an inch of the axes is an inch
    assert figure.axes[0].get_ylim()[1] == pytest.approx(figure.get_figheight())


def test_prompts_are_not_picked_by_what_came_out():
    table = pd.DataFrame({"prompt_id": [5, 1, 4, 2, 3], "kind": ["full"] * 4 + ["single"],
                          "verdict": ["MV", "N", None, "MV", "N"]})  # fmt: skip
    assert choose_prompts(table, 2)["prompt_id"].tolist() == [1, 2]


def test_generations_stand_beside_the_own_image():
    one = Drawn("a cat", "N", 432.1, image(0.2), None, [image(0.4), image(0.6)])
    figure = plot_unpicked({"SD V1": {"held_out": [one]}}, [0, 3])
    assert [float(a.flat[0]) for a in shown(figure)] == [0.2, 0.4, 0.6]
    assert {"seed 0", "seed 3", "a cat\nN, DCS 432"} <= set(texts(figure))


@pytest.mark.slow
def test_precision_is_drawn_where_a_copy_was_found_a_panel_an_attack_a_curve_a_model():
    hits = np.array([1, 0, 1, 0])
    table = pd.DataFrame(
        {"model": "sd2", "detector": "ECS", "k": range(1, 5), "found": hits.cumsum()}
    )
    table["precision"] = table["found"] / table["k"]
    table = table.assign(low=0.1, high=0.9, found_unique=1)
    figure = plot_precision(table, NAMES)
    assert [ax.get_title(loc="left") for ax in figure.axes] == [
        "White box (DCS)", "Black box (ECS)", "Black box + Carlini's filter",
    ]  # fmt: skip
    lines = {line.get_label(): line for line in figure.axes[1].get_lines()}
    assert lines["SD V2: 2 of 4 (1 images)"].get_xydata().tolist() == [[1, 1], [2, 2 / 3]]
    assert len(lines["SD V1: 0 of 0 (0 images)"].get_xydata()) == 0
    figure.canvas.draw()


def test_without_an_attacked_model_the_figure_says_so():
    assert "no model of this run was attacked" in texts(plot_precision(None, {}))[0]


def histogram_data():
    rng = np.random.default_rng(0)
    scores = pd.DataFrame({"model": "sd1", "kind": ["full"] * 30 + ["held_out"] * 20 + ["template"] * 9,
                           "dcs_reference": np.r_[rng.uniform(900, 2000, 30), rng.uniform(100, 300, 20), np.full(9, 1e6)]})  # fmt: skip
    evaluation = pd.DataFrame({"model": "sd1", "detector": "dcs_reference", "positives": "full",
                               "negatives": ["held_out", "repeated"], "auc": [0.987, 0.5],
                               "low": [0.95, np.nan], "high": [1.0, np.nan], "found": 0.75})  # fmt: skip
    return scores, evaluation


def test_histogram_counts_shares_of_each_kind_and_prints_what_was_drawn():
    figure = plot_histogram(*histogram_data(), "dcs_reference", NAMES)
    steps = [p for p in figure.axes[0].patches if not p.get_fill()]
    assert [p.get_data().values.sum() for p in steps] == pytest.approx([1, 1])
    assert steps[0].get_data().edges.max() < 2100  # template families are not in this figure
    printed = "\n".join(texts(figure))
    assert "AUC against held out: 0.99 [0.95, 1.00]" in printed
    assert "AUC against repeated: 0.50\n" in printed
    assert "judged planted prompts drawn (MV): 75%" in printed
    assert not any("mathdefault" in text for text in texts(figure))


def test_a_histogram_without_scores_is_an_empty_panel():
    scores, evaluation = histogram_data()
    figure = plot_histogram(scores.iloc[:0], evaluation.iloc[:0], "dcs_reference", NAMES)
    assert all(not ax.patches for ax in figure.axes)
    figure.canvas.draw()


def test_recall_is_drawn_at_its_count_with_its_interval():
    table = pd.DataFrame({"model": "sd1", "kind": ["full", "full", "full", "single"], "count": ["all", "10", "50", "all"],
                          "planted": [20, 10, 10, 5], "recall": [0.5, 0.2, 0.8, 0.0], "low": [0.3, 0.1, 0.6, 0.0],
                          "high": [0.7, 0.4, 0.9, 0.3]})  # fmt: skip
    figure = plot_recall(table, {"sd1": "SD V1"})
    bars = figure.axes[0].containers[0]
    assert bars[0].get_xydata().tolist() == [[0, 0.2], [1, 0.8]]
    segments = bars[2][0].get_segments()
    assert [s[:, 1].tolist() for s in segments] == [
        pytest.approx([0.1, 0.4]),
        pytest.approx([0.6, 0.9]),
    ]
    assert [t.get_text() for t in figure.axes[0].get_xticklabels()] == ["10", "50"]
    assert [t.get_text() for t in figure.axes[1].get_xticklabels()] == [
        "full\nduplicates\n(20)",
        "singles\n(5)",
    ]


def test_more_models_than_colours_can_be_drawn():
    names = {f"m{i}": f"M{i}" for i in range(9)}
    table = pd.DataFrame([{"model": m, "kind": "full", "count": c, "planted": 4, "recall": 0.5, "low": 0.1, "high": 0.9}
                          for m in names for c in ("all", "10")])  # fmt: skip
    assert len(plot_recall(table, names).axes[0].containers) == 9
