"""Labels against truth: the labels of each kind of planted prompt, for each model."""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
import seaborn
from matplotlib.figure import Figure

from verbatim.figures.style import WIDTH, use_style

LABELS = ("MV", "RV", "TV", "review", "N", "missing")
KINDS = {
    "full": "full", "near": "near", "image_only": "image only", "template": "template",
    "single": "single", "repeated": "repeated", "held_out": "held out", "unknown": "unknown",
}  # fmt: skip
COLUMNS = 3  # panels in a row


def count_cells(table: pd.DataFrame, model: str) -> pd.DataFrame:
    """Prompts by label (rows) and kind (columns) of one model; labels and kinds of any model."""
    known = table[table["label"].isin(LABELS) & table["kind"].isin(KINDS)]
    some = known[known["model"].eq(model)]
    cells = some.pivot_table(
        index="label", columns="kind", values="prompts", aggfunc="sum", fill_value=0
    )
    rows = [label for label in LABELS if label in set(known["label"])]
    columns = [kind for kind in KINDS if kind in set(known["kind"])]
    return cells.reindex(index=rows, columns=columns, fill_value=0)


def plot_confusion(table: pd.DataFrame, names: dict[str, str]) -> Figure:
    """One panel for each model: prompts of each kind (columns) by label (rows); shade: share of the kind.

    Parameters
    ----------
    table : `tables/confusion.csv`
    names : model -> its name in Table 1
    """
    use_style()
    rows = -(-len(names) // COLUMNS)
    figure, axes = plt.subplots(
        max(1, rows),
        COLUMNS,
        figsize=(WIDTH, 2.3 * max(1, rows)),
        squeeze=False,
        layout="constrained",
    )
    for ax in axes.flat[len(names) :]:
        ax.axis("off")
    for ax, (model, name) in zip(axes.flat, names.items(), strict=False):
        cells = count_cells(table, model)
        ax.set_title(name)
        if cells.empty:  # no model has a single prompt
            ax.axis("off")
            continue
        seaborn.heatmap(
            cells / cells.sum().clip(lower=1), annot=cells, fmt="d", cmap="Blues", vmin=0, vmax=1.25,
            cbar=False, linewidths=0.5, annot_kws={"fontsize": 6.5}, ax=ax,
        )  # fmt: skip
        ax.set(xlabel="", ylabel="")
        ax.set_xticklabels([KINDS[str(kind)] for kind in cells.columns], rotation=40, ha="right")
        ax.tick_params(length=0, labelsize=6.5)
        ax.tick_params(axis="y", rotation=0)
    return figure
