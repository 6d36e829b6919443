"""Confidence scores of planted captions, of matched held-out captions, and of frequent captions without a copy.

Webster 2023, eq. 1 and 2 (DCS of prompts that are copied against others).
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from verbatim.figures.style import BLUE, GREY, VERMILION, WIDTH, use_style

KINDS = {
    "full": ("planted, full duplicates", BLUE, "-"),
    "held_out": ("held out, matched to planted", VERMILION, "--"),
    "repeated": ("repeated caption, other images", GREY, ":"),
}
BINS = 24
WIDE = 4.0  # ASSUME: from this ratio of highest to lowest score on, a log axis reads better


def plot_histogram(
    scores: pd.DataFrame, evaluation: pd.DataFrame, column: str, names: dict[str, str]
) -> Figure:
    """One panel for each model: share of the prompts of each kind by score.

    Parameters
    ----------
    scores : model, kind and the score `column` (`tables/detectors.csv`)
    evaluation : `tables/evaluation.csv`: the area under the curve and the share of the judged
        prompts that was drawn are printed
    column : a white-box score, e.g. dcs_reference
    names : model -> its name in Table 1; decides the panels and their order
    """
    use_style()
    figure, axes = plt.subplots(
        1,
        max(1, len(names)),
        figsize=(WIDTH, 3.0),
        squeeze=False,
        sharex=True,
        layout="constrained",
    )
    known = scores[scores["model"].isin(list(names)) & scores["kind"].isin(list(KINDS))]
    known = known[known[column] > 0]
    low, high = known[column].min(), known[column].max()
    bins = np.geomspace(low * 0.999, high * 1.001, BINS + 1) if len(known) else np.array([1.0, 2.0])
    for i, (ax, (model, name)) in enumerate(zip(axes[0], names.items(), strict=False)):
        part = known[known["model"] == model]
        for kind, (text, colour, dash) in KINDS.items():
            values = part.loc[part["kind"] == kind, column].to_numpy()
            if len(values) == 0:
                continue
            share = np.histogram(values, bins)[0] / len(values)
            ax.stairs(share, bins, color=colour, fill=True, alpha=0.18, lw=0)
            ax.stairs(share, bins, color=colour, lw=1.2, ls=dash, label=f"{text} ({len(values)})")
        if high > WIDE * low:
            ax.set_xscale("log")
            ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            ax.xaxis.set_minor_locator(NullLocator())
            ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.6g}"))
        ax.set(title=name, xlabel="DCS" if column.startswith("dcs") else column)
        if i == 0:
            ax.set_ylabel("share of the prompts of a kind")
        lines = _describe(evaluation[evaluation["model"] == model], column)
        ax.set_ylim(0, ax.get_ylim()[1] * (1.05 + 0.09 * len(lines)))
        ax.text(
            0.98, 0.98, "\n".join(lines), ha="right", va="top", fontsize=6.5, transform=ax.transAxes
        )
    handles, texts = axes[0][0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, texts, loc="outside lower center", ncols=3)
    return figure


def _describe(evaluation: pd.DataFrame, column: str) -> list[str]:
    """The areas of one model in words, and what it was seen to draw."""
    hit = evaluation[(evaluation["detector"] == column) & (evaluation["positives"] == "full")]
    hit = hit[hit["negatives"].isin(list(KINDS)) & hit["auc"].notna()]
    lines = []
    for one in hit.to_dict("records"):
        interval = f" [{one['low']:.2f}, {one['high']:.2f}]" if np.isfinite(one["low"]) else ""
        lines.append(
            f"AUC against {one['negatives'].replace('_', ' ')}: {one['auc']:.2f}{interval}"
        )
    if hit["found"].notna().any():
        lines.append(f"judged planted prompts drawn (MV): {hit['found'].iloc[0]:.0%}")
    return lines
