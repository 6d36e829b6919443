"""The columns of the figure of copies at a glance."""

import numpy as np
import pandas as pd

from verbatim.figures.strip import choose_columns, column_titles, plot_strip
from verbatim.figures.unpicked import Drawn


def prompts() -> pd.DataFrame:
    """Three full duplicates of each count, five held out, and others, keys descending; one is not judged."""
    kinds = ["full"] * 9 + ["held_out"] * 5 + ["single"]
    table = pd.DataFrame({"kind": kinds, "count": [40, 10, 20] * 3 + [0] * 5 + [1]})
    table["prompt_id"] = np.arange(len(table))[::-1]
    table["match_kind"] = np.where(table["kind"] == "held_out", "full", "")
    table.loc[table["prompt_id"] == 2, "match_kind"] = "template"
    return table.assign(verdict="MV").astype({"verdict": object}).pipe(_without_verdict)


def _without_verdict(table: pd.DataFrame) -> pd.DataFrame:
    table.loc[table["prompt_id"] == 1, "verdict"] = None  # the first held-out one by key
    return table


def test_two_of_each_count_rise_to_the_right_and_the_never_trained_come_last():
    chosen = choose_columns(prompts())
    assert column_titles(chosen) == ["10 x"] * 2 + ["20 x"] * 2 + ["40 x"] * 2 + ["never"] * 3
    assert chosen["prompt_id"].tolist() == [7, 10, 6, 9, 8, 11, 3, 4, 5]


def test_a_row_of_each_kind_of_image_and_a_hidden_one_leaves_a_gap():
    image = np.full((4, 4, 3), 0.5)
    drawn = [
        Drawn("a", "MV", 1.0, image, image, [image, image]),
        Drawn("b", "N", 1.0, None, image, [image, None]),
    ]
    figure = plot_strip(drawn, ["10 x", "never"], "SD V1")
    assert [len(ax.get_images()) for ax in figure.axes] == [1, 0, 1, 1, 1, 1, 1, 0]
    assert [ax.get_title(loc="center") for ax in figure.axes[:2]] == ["10 x", "never"]
