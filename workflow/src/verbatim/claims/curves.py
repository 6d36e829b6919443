"""Figures of single images: membership, relative distance, complexity."""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from verbatim.figures.style import (
    BLUE,
    GREY,
    MARKERS,
    MODEL_COLOURS,
    VERMILION,
    WIDTH,
    empty_figure,
    use_style,
)
from verbatim.metrics.roc import Attack


def plot_membership(table: pd.DataFrame | None, resamples: int, confidence: float) -> Figure:
    """ROC curves of the loss threshold and of LiRA over all targets, logarithmic, with bands over images.

    table : `membership_lira`
    """
    if table is None or not np.isfinite(table["lira"]).any():
        return empty_figure("too few shadow models for membership inference")
    some = table[np.isfinite(table["lira"])]
    member = some["member"].to_numpy(bool)
    if not member.any() or member.all():
        return empty_figure("too few shadow models for membership inference")
    use_style()
    figure, ax = plt.subplots(figsize=(WIDTH / 2, 3.2), layout="constrained")
    least = 1 / (~member).sum()
    fprs = np.geomspace(least, 1, 60)
    attacks = {
        "LiRA": (some["lira"].to_numpy(), BLUE, "-"),
        "loss threshold": (-some["loss"].to_numpy(), VERMILION, "--"),
    }
    lowest = 1.0
    for name, (scores, colour, dash) in attacks.items():
        attack = Attack(scores, member, some["image_id"].to_numpy())
        shares = [attack.measure(float(fpr), resamples, confidence, 0) for fpr in fprs]
        value, low, high = np.array([(one.value, one.low, one.high) for one in shares]).T
        ax.fill_between(fprs, low, high, color=colour, alpha=0.18, lw=0)
        ax.plot(fprs, value, color=colour, ls=dash, label=name)
        lowest = min(lowest, *value[value > 0], 1.0)
    ax.plot(fprs, fprs, color=GREY, lw=0.8, ls=":", label="guessing")
    ax.set(
        xscale="log", yscale="log", xlim=(least, 1), ylim=(min(lowest, least) * 0.9, 1.1),
        xlabel="false positive rate", ylabel="true positive rate",
        title=f"{some['point'].nunique()} models, {some['image_id'].nunique()} images",
    )  # fmt: skip
    for axis in (ax.xaxis, ax.yaxis):  # the style writes no formulas, which powers of ten would be
        axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:g}"))
        axis.set_minor_formatter(NullFormatter())
    ax.legend(loc="lower right")
    return figure


def plot_relative(table: pd.DataFrame | None, names: dict[str, str]) -> Figure:
    """Cumulated relative distances of the generations of models without captions, one line for each point.

    table : `membership_relative`; names : point -> what it is
    """
    if table is None or not len(table):
        return empty_figure("no model without captions was trained")
    use_style()
    figure, ax = plt.subplots(figsize=(WIDTH / 2, 2.9), layout="constrained")
    for i, (point, of_point) in enumerate(table.groupby("point", sort=False)):
        colour = MODEL_COLOURS[i % len(MODEL_COLOURS)]
        for j, (_, run) in enumerate(of_point.groupby("seed")):
            x = np.sort(run["relative"].to_numpy())
            share = np.arange(1, len(x) + 1) / len(x)
            label = names.get(str(point), str(point)) if j == 0 else None
            ax.step(x, share, where="post", color=colour, lw=1.2, alpha=0.8, label=label)
            at = max(0, len(x) // 2 - 1)
            ax.plot(x[at], share[at], color=colour, marker=MARKERS[i % len(MARKERS)])
    ax.axvline(1, color=GREY, lw=0.8, ls=":")
    ax.set(
        xlabel="distance to the nearest training image,\nover what is usual (below 1: a copy)",
        ylabel="share of generations", ylim=(0, 1.02),
    )  # fmt: skip
    ax.legend(loc="upper left")
    return figure


def plot_complexity(
    table: pd.DataFrame, complexity: dict[str, dict[int, float]], title: str
) -> Figure:
    """Complexity of the matched training image against the similarity of the generation, one panel for each measure.

    table : similarity, match, one row for each generation. complexity : name -> image_id -> value.
    """
    if len(table) < 3:
        return empty_figure("no images were generated to compare")
    use_style()
    figure, axes = plt.subplots(
        1, len(complexity), figsize=(WIDTH, 2.7), sharey=True, squeeze=False, layout="constrained"
    )
    y = table["similarity"].to_numpy(float)
    labels = {"entropy": "entropy of the histogram (bits)", "jpeg_bytes": "bytes as JPEG"}
    for ax, (name, values) in zip(axes[0], complexity.items(), strict=True):
        x = table["match"].map(values).to_numpy(float)
        ax.scatter(x, y, s=9, color=BLUE, alpha=0.5, lw=0)
        if np.ptp(x) > 0 and np.ptp(y) > 0:
            slope, start = np.polyfit(x, y, 1)
            ends = np.array([x.min(), x.max()])
            ax.plot(ends, start + slope * ends, color=VERMILION, lw=1.2)
            ax.set_title(f"{title}: r = {np.corrcoef(x, y)[0, 1]:.2f}, n = {len(x)}")
        ax.set_xlabel(labels.get(name, name))
    axes[0][0].set_ylabel("similarity to it")
    return figure
