"""Every figure is drawn of what there is, and says so where there is nothing."""

import numpy as np
import pandas as pd
import pytest
from figure_texts import whole_text
from made_claims import made_grid, made_measures, row

from verbatim.claims import curves, plots
from verbatim.claims.designs import Series
from verbatim.claims.mitigation_table import table_runs

LINES = ["stage", "mitigation", "duplication", "copies", "point", "defence"]


def test_a_series_has_a_panel_of_similarity_and_one_of_recall():
    figure = plots.plot_series(
        made_measures(), made_grid(), {"full": Series("ddf", "full")}, "x", 0.95
    )
    assert len(figure.axes) == 2
    x, y = figure.axes[0].lines[0].get_data()
    np.testing.assert_allclose(x, [1, 5, 10])
    assert (np.diff(y) > 0).all()


def test_a_series_of_a_run_without_it_says_so():
    figure = plots.plot_series(
        made_measures().iloc[:0], made_grid(), {"full": Series("ddf", "full")}, "ddf", 0.95
    )
    assert "no points of this run" in whole_text(figure)


def test_conditionings_are_those_that_were_trained():
    shown = whole_text(plots.plot_conditioning(made_measures(), made_grid(), 0.95))
    assert "fixed" in shown
    assert "class" not in shown


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["train", "inference"])
def test_mitigations_have_quality_beside_similarity(stage):
    lines = pd.DataFrame(table_runs(made_grid()), columns=LINES)
    figure = plots.plot_mitigations(made_measures(), lines, stage, 0.95)
    assert len([ax for ax in figure.axes if ax.get_title(loc="left")]) == 4
    assert ("MC" if stage == "train" else "GNI") in whole_text(figure)


@pytest.mark.slow
def test_several_captions_are_drawn_under_both_kinds_of_duplication():
    lines = pd.DataFrame(table_runs(made_grid()), columns=LINES)
    at = lines["stage"].eq("train") & lines["mitigation"].eq("mc")
    assert dict(zip(lines["copies"][at], lines["point"][at], strict=True)) == {
        "none": "mc", "image_only 10": "mc_full10", "full 10": "mc_full10",
    }  # fmt: skip
    figure = plots.plot_mitigations(made_measures(), lines, "train", 0.95)
    names = [text.get_text() for text in figure.axes[2].get_xticklabels()]  # of the lower row
    bars = figure.axes[0].containers
    drawn = [float(bar.lines[0].get_ydata()[names.index("MC")]) for bar in bars]
    assert drawn == pytest.approx([0.465, 0.515, 0.515], abs=0.01)
    assert drawn[1] == drawn[2]


def test_attacks_behind_mitigations_are_drawn_beside_guessing_or_said_to_be_missing():
    lines = pd.DataFrame(table_runs(made_grid()), columns=LINES)
    areas = {"dcs": 0.9, "ecs": 0.7, "clique": 0.6}
    rows = [
        row(point, seed, "none", f"auc_copied:{attack}", area)
        for attack, area in areas.items()
        for point in ("none", "full10", "mc_full10")
        for seed in (0, 1)
    ]
    others = made_measures()[lambda table: ~table["measure"].str.startswith("auc_copied")]
    measures = pd.concat([others, pd.DataFrame(rows)], ignore_index=True)
    panels = plots.plot_attacks(measures, lines, 0.95).axes
    for panel, area in zip(panels, areas.values(), strict=True):
        drawn = np.concatenate([bar.lines[0].get_ydata() for bar in panel.containers])
        assert set(drawn[np.isfinite(drawn)]) == {area}
        assert [0.5, 0.5] in [list(line.get_ydata()) for line in panel.lines]
    assert "no mitigated points" in whole_text(
        plots.plot_attacks(made_measures().iloc[:0], lines, 0.95)
    )


@pytest.mark.slow
def test_membership_is_a_curve_an_attack():
    rng = np.random.default_rng(0)
    member = rng.random(300) < 0.5
    table = pd.DataFrame(
        {"point": "half0", "image_id": np.arange(300), "member": member,
         "loss": rng.normal(size=300) - member, "lira": rng.normal(size=300) + 2 * member}
    )  # fmt: skip
    figure = curves.plot_membership(table, 50, 0.95)
    assert "LiRA" in whole_text(figure)
    assert "too few shadow models" in whole_text(curves.plot_membership(None, 50, 0.95))


def test_relative_distances_are_drawn_a_line_a_run():
    table = pd.DataFrame(
        {"point": "uncond", "seed": [0] * 5 + [1] * 5, "relative": np.linspace(0.5, 2, 10)}
    )
    figure = curves.plot_relative(table, {"uncond": "no captions"})
    assert "no captions" in whole_text(figure)
    assert "no model without captions" in whole_text(curves.plot_relative(table.iloc[:0], {}))


def test_complexity_names_its_correlation():
    table = pd.DataFrame({"similarity": [0.9, 0.7, 0.5, 0.4], "match": [0, 1, 2, 3]})
    figure = curves.plot_complexity(table, {"entropy": {0: 1.0, 1: 2.0, 2: 3.0, 3: 5.0}}, "none")
    assert "r = -0.9" in whole_text(figure)
    assert "no images" in whole_text(
        curves.plot_complexity(table.iloc[:0], {"entropy": {}}, "none")
    )
