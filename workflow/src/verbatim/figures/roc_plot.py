"""Every score against matched held-out prompts: curves by kind, and recall by count of copies."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from verbatim.figures.style import (
    BLUE,
    GREEN,
    GREY,
    MARKERS,
    ORANGE,
    PURPLE,
    SKY,
    VERMILION,
    WIDTH,
    use_style,
)

KINDS = {
    "full": "Full duplicates", "image_only": "Image only", "near": "Near duplicates",
    "template": "Template families",
}  # fmt: skip
BLIND = {"bag_of_words": "bag of words (blind)", "caption_length": "caption length (blind)"}


def choose_scores(whitebox: str, blackbox: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """Score -> its name and look: one of each kind, the configured presets, and the blind ones."""
    named = {
        f"dcs_{whitebox}": (f"DCS ({whitebox})", BLUE, "-"),
        f"ecs_{blackbox}": (f"ECS ({blackbox})", VERMILION, "-"),
        "clique": ("clique", GREEN, "-"),
        "wen_first_step": ("Wen norm, first step", SKY, "--"),
        "guidance_cosine": ("guidance cosine, first step", ORANGE, "--"),
        "seed_ssim": ("seed SSIM", PURPLE, "--"),
        "bag_of_words": (BLIND["bag_of_words"], GREY, ":"),
        "caption_length": (BLIND["caption_length"], "black", ":"),
    }
    return {
        score: (name, {"color": colour, "ls": dash, "lw": 1.2})
        for score, (name, colour, dash) in named.items()
    }


def plot_roc(
    roc: pd.DataFrame,
    kinds: pd.DataFrame,
    names: dict[str, str],
    scores: dict[str, tuple[str, dict[str, Any]]],
) -> Figure:
    """One row for each model, one panel for each kind of duplicate: the curve of every score.

    Parameters
    ----------
    roc, kinds : `tables/roc.csv`, `tables/kinds.csv`
    names : model -> its name in Table 1
    scores : from `choose_scores`
    """
    use_style()
    shown = [kind for kind in KINDS if kind in set(kinds["kind"])]
    figure, axes = plt.subplots(
        max(1, len(names)), max(1, len(shown)), figsize=(WIDTH, 0.7 + 1.75 * max(1, len(names))),
        squeeze=False, sharex=True, sharey=True, layout="constrained",
    )  # fmt: skip
    every = kinds[kinds["count"].astype(str).eq("all")].set_index(["model", "detector", "kind"])
    for row, (line, (model, name)) in enumerate(zip(axes, names.items(), strict=False)):
        for ax, kind in zip(line, shown, strict=False):
            ax.plot([0, 1], [0, 1], color="#BBBBBB", lw=0.6)
            areas = []
            for score, (text, look) in scores.items():
                some = roc.query("model == @model and detector == @score and kind == @kind")
                ax.plot(some["fpr"], some["tpr"], label=text, **look)
                if (model, score, kind) in every.index:
                    areas.append((float(every["auc"][model, score, kind]), look["color"]))
            for i, (area, colour) in enumerate(areas):  # in the order of the legend
                ax.text(
                    0.985, 0.03 + 0.082 * (len(areas) - 1 - i), f"{area:.2f}", color=colour, fontsize=6,
                    ha="right", transform=ax.transAxes,
                    bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.4},
                )  # fmt: skip
            n = every.loc[every.index.isin([(model, s, kind) for s in scores])]
            count = f" ({int(n['n_pos'].iloc[0])})" if len(n) else ""
            if row == 0:
                unmatched = len(n) and not n["matched"].all()
                ax.set_title(
                    f"{KINDS[kind]}{count}\n{'negatives not matched' if unmatched else 'matched'}",
                    fontsize=7.5, color=GREY if unmatched else "black",
                )  # fmt: skip
            ax.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), xticks=(0, 0.5, 1), yticks=(0, 0.5, 1))
        line[0].set_ylabel(f"{name}\ntrue positive rate")
    for ax in axes[-1]:
        ax.set_xlabel("false positive rate")
    handles, texts = axes[0][0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, texts, loc="outside lower center", ncols=4)
    return figure


def _draw(ax: Axes, x: np.ndarray, y: pd.DataFrame, columns: list[str], **look: Any) -> None:
    """Values with their intervals."""
    value, low, high = (y[column].to_numpy(float) for column in columns)
    spread = np.maximum([value - low, high - value], 0)
    _, caps, bars = ax.errorbar(x, value, spread, elinewidth=0.7, capsize=1.2, **look)
    for part in (*caps, *bars):
        part.set_alpha(0.45)  # many intervals stand side by side


def plot_detector_recall(
    kinds: pd.DataFrame,
    recall: pd.DataFrame,
    names: dict[str, str],
    scores: dict[str, tuple[str, dict[str, Any]]],
    fpr: float,
) -> Figure:
    """One panel for each model: share of the full duplicates above each score's threshold, by their count.

    In black what the whole chain found, labels and all.

    Parameters
    ----------
    kinds, recall : `tables/kinds.csv`, `tables/recall.csv`
    names, scores : as for `plot_roc`
    fpr : false positive rate that chose the thresholds
    """
    use_style()
    figure, axes = plt.subplots(
        1, max(1, len(names)), figsize=(WIDTH, 3.2), squeeze=False, sharey=True,
        layout="constrained",
    )  # fmt: skip
    full = kinds[kinds["kind"].eq("full") & kinds["count"].astype(str).ne("all")]
    counts = sorted(full["count"].astype(int).unique())
    drawn = [score for score in scores if full.loc[full["detector"].eq(score), "tpr"].notna().any()]
    for ax, (model, name) in zip(axes[0], names.items(), strict=False):
        for i, score in enumerate(drawn):
            some = full[full["model"].eq(model) & full["detector"].eq(score)]
            at = np.array([counts.index(int(count)) for count in some["count"]], float)
            text, look = scores[score]
            shift = (i - len(drawn) / 2) * 0.75 / max(1, len(drawn))
            _draw(
                ax, at + shift, some, ["tpr", "tpr_low", "tpr_high"], label=text, ms=3,
                marker=MARKERS[i % len(MARKERS)], **look,
            )  # fmt: skip
        found = recall[recall["model"].eq(model) & recall["kind"].eq("full")]
        found = found[found["count"].astype(str).ne("all")]
        at = np.array([counts.index(int(c)) for c in found["count"] if int(c) in counts], float)
        found = found[found["count"].astype(str).isin([str(c) for c in counts])]
        _draw(
            ax, at + 0.375, found, ["recall", "low", "high"], label="found (labels)", color="black",
            lw=1.6, marker="*", ms=5,
        )  # fmt: skip
        ax.set_xticks(range(len(counts)), [str(count) for count in counts])
        ax.set(title=name, xlabel="copies in the training set", ylim=(-0.03, 1.03))
        for x in np.arange(len(counts) - 1) + 0.5:
            ax.axvline(x, color="#DDDDDD", lw=0.6)
        ax.grid(False, axis="x")
    axes[0][0].set_ylabel(f"share of the full duplicates\nabove the threshold for FPR {fpr:g}")
    handles, texts = axes[0][0].get_legend_handles_labels()
    if handles:
        figure.legend(handles, texts, loc="outside lower center", ncols=4)
    return figure
