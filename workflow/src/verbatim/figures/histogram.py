"""Confidence scores of planted captions, of matched captions never trained on, and of mere frequency.

Webster 2023, eq. 1 and 2 (DCS of prompts that are copied against others).
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from verbatim.figures.style import BLUE, GREY, VERMILION, WIDTH, use_style

KINDS = {
    "full": ("planted, full duplicates", BLUE, "-"),
    "held_out": ("held out, matched to planted", VERMILION, "--"),
    "repeated": ("repeated caption, other pictures", GREY, ":"),
}
BINS = 30


def plot_histogram(
    scores: pd.DataFrame, evaluation: pd.DataFrame, column: str, names: dict[str, str]
) -> Figure:
    """A panel a model: share of the prompts of each kind by score.

    Parameters
    ----------
    scores : model, kind and the score `column` (`tables/detectors.csv`)
    evaluation : `tables/evaluation.csv`: the area under the curve and the share that was drawn are printed
    column : a white-box score, e.g. dcs_reference
    names : model -> its name in Table 1; decides the panels and their order
    """
    use_style()
    figure, axes = plt.subplots(
        1, max(1, len(names)), figsize=(WIDTH, 3.0), squeeze=False, layout="constrained"
    )
    for i, (ax, (model, name)) in enumerate(zip(axes[0], names.items(), strict=False)):
        part = scores[(scores["model"] == model) & scores[column].notna()]
        part = part[part["kind"].isin(list(KINDS)) & (part[column] > 0)]
        if part.empty:
            ax.text(0.5, 0.5, "no scores", ha="center", color=GREY, transform=ax.transAxes)
            continue
        low, high = part[column].min(), part[column].max()
        bins = np.geomspace(low * 0.999, max(high, low * 1.001) * 1.001, BINS + 1)
        for kind, (text, colour, dash) in KINDS.items():
            values = part.loc[part["kind"] == kind, column].to_numpy()
            if len(values) == 0:
                continue
            share = np.histogram(values, bins)[0] / len(values)
            ax.stairs(share, bins, color=colour, fill=True, alpha=0.18, lw=0)
            ax.stairs(share, bins, color=colour, lw=1.2, ls=dash, label=f"{text} ({len(values)})")
        lines = []
        for kind in ("held_out", "repeated"):
            hit = evaluation[
                (evaluation["model"] == model) & (evaluation["detector"] == column)
                & (evaluation["positives"] == "full") & (evaluation["negatives"] == kind)
            ]  # fmt: skip
            for one in hit.itertuples():
                against = kind.replace("_", " ")
                lines.append(
                    f"AUC against {against}: {one.auc:.2f} [{one.low:.2f}, {one.high:.2f}]"
                )
                found = f"planted pictures drawn (MV): {one.found:.0%}"
                if found not in lines:
                    lines.append(found)
        lines.sort(key=lambda line: line.startswith("planted"))
        ax.set_xscale("log")
        ax.set(title=name, xlabel="DCS" if column.startswith("dcs") else column)
        if i == 0:
            ax.set_ylabel("share of the prompts of a kind")
        top = ax.get_ylim()[1]
        ax.set_ylim(0, top * (1.12 + 0.1 * len(lines)))
        ax.text(
            0.98, 0.98, "\n".join(lines), ha="right", va="top", fontsize=6.5, transform=ax.transAxes
        )
    handles, texts = axes[0][0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, texts, loc="outside lower center", ncols=3)
    return figure
