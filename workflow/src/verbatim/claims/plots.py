"""Figures of the study's factors and mitigations, each point with its interval over trainings."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from verbatim.claims import comparisons
from verbatim.claims.claims import FRECHET, find_measure
from verbatim.claims.contrasts import Run, Values, estimate, values_of
from verbatim.claims.designs import NONE, Grid, Series
from verbatim.claims.papers import CLIP_SCORE, RECALL, SCORE
from verbatim.figures.style import MARKERS, MODEL_COLOURS, WIDTH, empty_figure, use_style

NAMES = {
    SCORE: "similarity (95th percentile)", RECALL: "repeated images copied (recall)",
    FRECHET: "Fréchet distance (lower is better)", CLIP_SCORE: "CLIP score (higher is better)",
    "auc_copied:dcs": "DCS", "auc_copied:ecs": "ECS", "auc_copied:clique": "cliques",
}  # fmt: skip
COPIES = {"none": "no duplicates", "full": "image and caption", "image_only": "image only"}


def _levels(values: Values, runs: Sequence[Run], confidence: float, measure: str) -> np.ndarray:
    """Value, low, high of each run: (3, runs); NaN where there is none. No interval goes beyond what a share can be."""
    found = [estimate(values, {run: 1.0}, confidence) for run in runs]
    nan = float("nan")
    levels = np.array([(e.value, e.low, e.high) if e else (nan, nan, nan) for e in found])
    levels = levels.T.reshape(3, -1)
    return levels if measure in (FRECHET, CLIP_SCORE) else np.clip(levels, 0.0, 1.0)


def _draw(ax: Axes, x: np.ndarray, levels: np.ndarray, i: int, label: str, line: str) -> None:
    """Points with their intervals; a point without an interval is drawn all the same."""
    value, low, high = levels
    spread = np.nan_to_num(np.maximum([value - low, high - value], 0))
    ax.errorbar(
        x, value, spread, color=MODEL_COLOURS[i % len(MODEL_COLOURS)], marker=MARKERS[i % len(MARKERS)],
        ls=line, elinewidth=0.8, capsize=1.8, label=label,
    )  # fmt: skip


def _legend(figure: Figure, ax: Axes) -> None:
    handles, texts = ax.get_legend_handles_labels()
    if len(handles) > 1:
        figure.legend(handles, texts, loc="outside lower center", ncols=min(4, len(handles)))


def plot_series(
    measures: pd.DataFrame, grid: Grid, series: dict[str, Series], label: str, confidence: float
) -> Figure:
    """Similarity and recall along a numeric column of the grid (logarithmic), one line for each series.

    series : name in the legend -> series; empty ones are left out
    """
    use_style()
    lines = {name: one.runs(grid) for name, one in series.items()}
    there = set(measures["point"])
    lines = {name: [(p, x) for p, x in line if p in there] for name, line in lines.items()}
    lines = {name: line for name, line in lines.items() if len(line) > 1}
    if not lines:
        return empty_figure(f"no points of this run differ in: {label}")
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 2.8), layout="constrained")
    ticks = sorted({x for line in lines.values() for _, x in line})
    for ax, measure in zip(axes, (SCORE, RECALL), strict=True):
        values = values_of(measures, measure, confidence)
        for i, (name, line) in enumerate(lines.items()):
            shift = 1 + 0.03 * (i - (len(lines) - 1) / 2)  # side by side, else intervals hide
            x = np.array([x for _, x in line]) * shift
            _draw(
                ax,
                x,
                _levels(values, [(p, NONE) for p, _ in line], confidence, measure),
                i,
                name,
                "-",
            )
        ax.set_xscale("log")
        ax.set_xticks(ticks, [f"{x:g}" for x in ticks])
        ax.minorticks_off()
        ax.set(xlabel=label, ylabel=NAMES[measure])
    _legend(figure, axes[0])
    return figure


def _copies_of(points: pd.DataFrame) -> list[str]:
    """Copies among points, none first."""
    return sorted(set(points["copies"]), key=lambda c: (c != "none", c))


def _copies_name(copies: str) -> str:
    kind, _, times = copies.partition(" ")
    return COPIES.get(kind, kind) + (f", {times} times" if times else "")


def plot_conditioning(measures: pd.DataFrame, grid: Grid, confidence: float) -> Figure:
    """Similarity and recall by what the model is told, and with a frozen text encoder."""
    use_style()
    told = comparisons.at_base(grid.table, grid.base, ("copies", "conditioning"), {})
    frozen = comparisons.at_base(grid.table, grid.base, ("copies",), {"text_encoder": "frozen"})
    some = pd.concat([told.assign(at=told["conditioning"]), frozen.assign(at="own, frozen")])
    some = some[some.index.isin(set(measures["point"]))]
    order = ["own", "own, frozen", "random", "class", "fixed", "none"]
    order = [name for name in order if name in set(some["at"])]
    if len(order) < 2:
        return empty_figure("no points of this run differ in their conditioning")
    # only amounts of copies at which more than one conditioning was trained
    counts = some.groupby("copies")["at"].nunique()
    copies = [c for c in _copies_of(some) if counts[c] > 1]
    figure, axes = plt.subplots(1, 2, figsize=(WIDTH, 2.8), layout="constrained")
    for ax, measure in zip(axes, (SCORE, RECALL), strict=True):
        values = values_of(measures, measure, confidence)
        for i, amount in enumerate(copies):
            of = {row["at"]: name for name, row in some[some["copies"] == amount].iterrows()}
            runs = [(str(of.get(name, "")), NONE) for name in order]
            x = np.arange(len(order)) + 0.12 * (i - (len(copies) - 1) / 2)
            _draw(
                ax, x, _levels(values, runs, confidence, measure), i, _copies_name(amount), "none"
            )
        ax.set_xticks(range(len(order)), [name.replace(", ", "\n") for name in order])
        ax.set_xlim(-0.5, len(order) - 0.5)
        ax.set(ylabel=NAMES[measure], xlabel="told of each image")
    _legend(figure, axes[0])
    return figure


def plot_mitigations(
    measures: pd.DataFrame, table: pd.DataFrame, stage: str, confidence: float
) -> Figure:
    """Similarity, recall, Fréchet distance and CLIP score of each mitigation of a stage, none first.

    table : lines of `table1.table_runs` (stage, mitigation, copies, point, defence)
    """
    wanted = (SCORE, RECALL, FRECHET, CLIP_SCORE)
    return _plot_by_mitigation(measures, table, stage, wanted, confidence, None)


def plot_attacks(measures: pd.DataFrame, table: pd.DataFrame, confidence: float) -> Figure:
    """Area under the curve of each attack behind each mitigation, training and inference; 0.5 is guessing."""
    wanted = ("auc_copied:dcs", "auc_copied:ecs", "auc_copied:clique")
    return _plot_by_mitigation(measures, table, "", wanted, confidence, 0.5)


def _plot_by_mitigation(
    measures: pd.DataFrame,
    table: pd.DataFrame,
    stage: str,
    wanted: Sequence[str],
    confidence: float,
    guess: float | None,
) -> Figure:
    use_style()
    some = table[table["stage"].isin(["none", stage]) | (stage == "")]
    names = [(str(s), str(m)) for s, m in some[["stage", "mitigation"]].drop_duplicates().values]
    have = set(zip(measures["point"], measures["defence"], strict=True))
    names = [
        name
        for name in names
        if name[0] == "none"
        or any(
            (r.point, r.defence) in have
            for r in some[some["stage"].eq(name[0]) & some["mitigation"].eq(name[1])].itertuples()
        )
    ]
    if len(names) < 2:
        return empty_figure(
            f"no {stage or 'mitigated'} points were run".replace("train ", "training-time ")
        )
    copies = list(dict.fromkeys(some["copies"]))
    columns = 2 if len(wanted) == 4 else 1
    rows = -(-len(wanted) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(WIDTH, 0.6 + 1.9 * rows), sharex=True, squeeze=False, layout="constrained"
    )  # fmt: skip
    for ax, measure in zip(axes.flat, wanted, strict=False):
        values = values_of(measures, find_measure(measures, measure), confidence)
        for i, amount in enumerate(copies):
            of = some[some["copies"] == amount].set_index(["stage", "mitigation"])
            runs = [(str(of.loc[name, "point"]), str(of.loc[name, "defence"])) for name in names]
            x = np.arange(len(names)) + 0.16 * (i - (len(copies) - 1) / 2)
            _draw(
                ax, x, _levels(values, runs, confidence, measure), i, _copies_name(amount), "none"
            )
        if guess is not None:
            ax.axhline(guess, color="#BBBBBB", lw=0.8)
            ax.set_ylim(-0.02, 1.04)
        ax.set_title(NAMES[measure])
        ax.set_xticks(range(len(names)), [_short(name, stage) for name in names])
        ax.set_xlim(-0.5, len(names) - 0.5)
    if guess is not None:
        figure.supylabel("area under the ROC curve, copied captions against others", fontsize=8)
    _legend(figure, axes[0][0])
    return figure


def _short(name: tuple[str, str], stage: str) -> str:
    when, mitigation = name
    text = {"none": "none", "wen": "Wen"}.get(mitigation, mitigation.upper())
    return (
        text if stage or when == "none" else f"{text}\n{'train' if when == 'train' else 'prompt'}"
    )
