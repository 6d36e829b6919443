"""Figures of repeated images and of users' prompts: how near to training images is what comes out?"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from verbatim.claims import comparisons
from verbatim.claims.designs import NONE, USERS, Grid
from verbatim.claims.plots import COPIES
from verbatim.figures.style import (
    BLUE,
    GREEN,
    GREY,
    MARKERS,
    VERMILION,
    WIDTH,
    empty_figure,
    use_style,
)

OTHER = "other"
COLOURS = {"full": BLUE, "image_only": VERMILION, "none": GREEN}
# measure of the users' images -> whose share above the threshold it is
SHARES = {
    "users_above": "all prompts",
    "users_above:described": "the prompt describes its match",
    "users_above:not_described": "the prompt does not",
    "users_above:duplicated": "the match is duplicated",
    "users_above:held_out": "images that nobody trained on",
}


def _mean_r(measures: pd.DataFrame, measure: str, points: set[str]) -> str:
    """The mean of a correlation within the data set of each run of these points, for a title."""
    some = measures[measures["measure"].eq(measure) & measures["point"].isin(points)]
    r = some.loc[some["defence"].eq(NONE), "value"].dropna()
    if not len(r):
        return "nothing varies within a data set"
    return f"r = {r.mean():.2f} within a data set (mean of {len(r)})"


def _points(ax: Axes, x: pd.Series, y: pd.Series, kind: str, label: str | None = None) -> None:
    ax.scatter(x, y, s=9, color=COLOURS.get(kind, "#AAAAAA"), alpha=0.4, lw=0, label=label)


def plot_clusters(clusters: pd.DataFrame, measures: pd.DataFrame, grid: Grid) -> Figure:
    """How near generations come to images, against how often these are drawn and how alike their captions are.

    Of clusters of one image that some generation is nearest to. In colour the points that are as the base but for
    duplicates, of which the claims speak; grey the others.

    clusters : `similarity_clusters` of all runs. measures : `run_measures`, for the correlations.
    """
    some = clusters[clusters["images"].eq(1) & clusters["generations"].gt(0)]
    if some.empty:
        return empty_figure("no images were generated to compare")
    use_style()
    base = comparisons.at_base(grid.table, grid.base, ("copies",), {})["copies"]
    some = some.assign(kind=some["point"].map(base.str.split().str[0]).fillna(OTHER))
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 2.9), sharey=True, layout="constrained")
    rng = np.random.default_rng(0)
    kinds = [kind for kind in (OTHER, *COPIES) if kind in set(some["kind"])]
    for i, kind in enumerate(kinds):
        of = some[some["kind"] == kind]
        shift = 1 + 0.1 * (i - (len(kinds) - 1) / 2)  # side by side, as most images are drawn once
        x = of["size"] * shift * np.exp(rng.uniform(-0.03, 0.03, len(of)))
        _points(axes[0], x, of["replication"], kind, None if kind in COPIES else "other points")
        again = of[of["size"] > 1]
        x = again["caption_similarity"] + rng.uniform(-0.012, 0.012, len(again))
        _points(axes[1], x, again["replication"], kind)
        if kind in COPIES:
            mean = of.groupby("size")["replication"].mean()
            axes[0].plot(
                mean.index * shift, mean, color=COLOURS[kind], marker=MARKERS[i], label=f"{COPIES[kind]}, mean"
            )  # fmt: skip
    ticks = sorted(set(some["size"]))
    axes[0].set_xscale("log")
    axes[0].set_xticks(ticks, [f"{x:g}" for x in ticks])
    axes[0].minorticks_off()
    for ax, measure in zip(axes, ("cluster_size", "caption_similarity"), strict=True):
        ax.set_title(_mean_r(measures, f"pearson:{measure}", set(base.index)))
    axes[0].set(xlabel="times an image is drawn", ylabel="similarity of what is nearest to it")
    axes[1].set(xlabel="caption similarity, images drawn more than once")
    figure.legend(loc="outside lower center", ncols=4)
    return figure


def plot_users(measures: pd.DataFrame) -> Figure:
    """Share of users' images above the threshold, by prompt and match, beside images that nobody trained on.

    measures : `run_measures`
    """
    of_users = measures[measures["point"].eq(USERS) & measures["value"].notna()]
    found = {str(line["measure"]): line for line in of_users.to_dict("records")}
    if "users_above" not in found:
        return empty_figure("no prompts of users were run")
    use_style()
    figure, ax = plt.subplots(figsize=(WIDTH * 0.7, 2.2), layout="constrained")
    names = [name for name in SHARES if name in found]
    for place, name in enumerate(names):
        value, low, high = (found[name][column] for column in ("value", "low", "high"))
        unseen = name == "users_above:held_out"
        ax.errorbar(
            value, place, xerr=np.maximum([[value - low], [high - value]], 0), color=GREY if unseen else BLUE,
            marker=MARKERS[int(unseen)], elinewidth=0.8, capsize=1.8,
        )  # fmt: skip
        if unseen:  # what the others are compared with
            ax.axvspan(low, high, color=GREY, alpha=0.12, lw=0)
    ax.set_yticks(range(len(names)), [f"{SHARES[name]} (n = {found[name]['n']})" for name in names])
    ax.set(ylim=(len(names) - 0.4, -0.6), xlim=(0, None))
    ax.set_xlabel(f"share ({found['users_above']['note']})")
    ax.grid(axis="y", visible=False)
    return figure
