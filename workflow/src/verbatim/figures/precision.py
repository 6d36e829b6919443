"""Precision against the number of copies found, for every ranking.

Webster 2023 compares so ECS with and without Carlini's filter.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from verbatim.figures.style import BLUE, GREEN, MARKERS, VERMILION, WIDTH, use_style

DETECTORS = {"DCS": BLUE, "ECS": VERMILION, "ECS+Carlini": GREEN}


def plot_precision(table: pd.DataFrame, names: dict[str, str]) -> Figure:
    """A panel a model: precision at the depth where each further copy was found, with its interval.

    Parameters
    ----------
    table : model, detector, k, found, precision, low, high (`tables/precision.csv`)
    names : model -> its name in Table 1; decides the panels and their order
    """
    use_style()
    figure, axes = plt.subplots(
        1,
        max(1, len(names)),
        figsize=(WIDTH, 2.7),
        sharey=True,
        squeeze=False,
        layout="constrained",
    )
    for i, (ax, (model, name)) in enumerate(zip(axes[0], names.items(), strict=False)):
        for j, (detector, colour) in enumerate(DETECTORS.items()):
            line = table[(table["model"] == model) & (table["detector"] == detector)]
            depth = int(line["k"].max()) if len(line) else 0
            total = int(line["found"].max()) if len(line) else 0
            hits = line[line["found"].diff().fillna(line["found"]) > 0]
            ax.fill_between(
                hits["found"], hits["low"], hits["high"], color=colour, alpha=0.15, lw=0
            )
            ax.plot(
                hits["found"], hits["precision"], color=colour, marker=MARKERS[j], markevery=[-1] if len(hits) else None,
                label=f"{detector}: {total} in the first {depth}",
            )  # fmt: skip
        ax.set(title=name, xlabel="copies found", ylim=(0, 1.04))
        ax.set_xlim(left=0)
        ax.xaxis.get_major_locator().set_params(integer=True)
        if i == 0:
            ax.set_ylabel("precision (lower bound)")
        ax.legend(loc="best", handlelength=1.4)
    return figure
