"""Share of the planted images that were found, by number of copies and by kind."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from verbatim.figures.style import MARKERS, MODEL_COLOURS, WIDTH, use_style

KINDS = {
    "full": "full\nduplicates", "near": "near\nduplicates", "image_only": "image\nonly",
    "template": "template\nfamilies", "single": "singles", "repeated": "repeated\ncaption",
}  # fmt: skip


def _draw(ax: plt.Axes, x: np.ndarray, part: pd.DataFrame, i: int, name: str, line: str) -> None:
    y = part["recall"].to_numpy()
    spread = np.maximum([y - part["low"].to_numpy(), part["high"].to_numpy() - y], 0)
    ax.errorbar(
        x, y, spread, color=MODEL_COLOURS[i % len(MODEL_COLOURS)], marker=MARKERS[i % len(MARKERS)], ls=line,
        elinewidth=0.8, capsize=1.5, label=name,
    )  # fmt: skip


def plot_recall(table: pd.DataFrame, names: dict[str, str]) -> Figure:
    """Left: recall of full duplicates against the number of copies. Right: recall of every kind.

    Parameters
    ----------
    table : model, kind, count, planted, recall, low, high (`tables/recall.csv`)
    names : model -> its name in Table 1; decides colours and order
    """
    use_style()
    figure, (left, right) = plt.subplots(
        1, 2, figsize=(WIDTH, 3.0), sharey=True, layout="constrained", width_ratios=(1, 1.35)
    )
    full = table[(table["kind"] == "full") & (table["count"].astype(str) != "all")]
    counts = sorted(full["count"].astype(int).unique())
    kinds = [kind for kind in KINDS if kind in set(table["kind"])]
    every = table[table["count"].astype(str) == "all"].set_index(["model", "kind"])
    for i, (model, name) in enumerate(names.items()):
        # models side by side, else their intervals hide each other
        shift = (i - (len(names) - 1) / 2) * 0.7 / max(1, len(names))
        one = (
            full[full["model"] == model].assign(x=lambda t: t["count"].astype(int)).sort_values("x")
        )
        at = np.array([counts.index(x) for x in one["x"]], float)
        _draw(left, at + shift, one, i, name, "-")
        part = every.reindex([(model, kind) for kind in kinds])
        _draw(right, np.arange(len(kinds)) + shift, part, i, name, "none")
    left.set_xticks(range(len(counts)), [str(count) for count in counts])
    left.set(
        xlabel="copies in the training set",
        ylabel="share found",
        ylim=(-0.03, 1.03),
        title="Full duplicates",
    )
    totals = table[table["count"].astype(str) == "all"].groupby("kind")["planted"].max()
    right.set_xticks(range(len(kinds)), [f"{KINDS[kind]}\n({totals[kind]})" for kind in kinds])
    right.set(title="All kinds (planted)")
    for x in np.arange(len(kinds) - 1) + 0.5:
        right.axvline(x, color="#DDDDDD", lw=0.6)
    right.grid(False, axis="x")
    handles, texts = left.get_legend_handles_labels()
    figure.legend(handles, texts, loc="outside lower center", ncols=max(1, len(names)))
    return figure
