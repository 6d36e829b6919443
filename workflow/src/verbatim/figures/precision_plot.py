"""Precision against the number of copies found, for every attack.

Webster 2023, Fig. 3: white box, black box, and black box with Carlini's filter behind it, a curve a
model.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from verbatim.figures.style import MARKERS, MODEL_COLOURS, WIDTH, empty_figure, use_style

ATTACKS = {
    "DCS": "White box (DCS)",
    "ECS": "Black box (ECS)",
    "ECS+Carlini": "Black box + Carlini's filter",
}


def plot_precision(table: pd.DataFrame | None, names: dict[str, str]) -> Figure:
    """One panel for each attack, one curve for each model: precision where each further copy was found, its interval.

    Parameters
    ----------
    table : model, detector, k, found, precision, low, high, found_unique (`tables/precision.csv`);
        None: there is no ranking
    names : model -> its name in Table 1; decides colours and order
    """
    if table is None or not names:
        return empty_figure("no model of this run was attacked, so there is no ranking")
    use_style()
    figure, axes = plt.subplots(
        1, len(ATTACKS), figsize=(WIDTH, 2.8), sharex=True, sharey=True, layout="constrained"
    )
    for i, (ax, (detector, title)) in enumerate(zip(axes, ATTACKS.items(), strict=True)):
        for j, (model, name) in enumerate(names.items()):
            line = table[(table["model"] == model) & (table["detector"] == detector)]
            depth, total, unique = (
                int(line[column].max()) if len(line) else 0
                for column in ("k", "found", "found_unique")
            )
            hits = line[line["found"].diff().fillna(line["found"]) > 0]
            look = {
                "color": MODEL_COLOURS[j % len(MODEL_COLOURS)],
                "ls": "-" if j % 2 == 0 else "--",
            }
            ax.fill_between(
                hits["found"], hits["low"], hits["high"], color=look["color"], alpha=0.15, lw=0
            )
            ax.plot(
                hits["found"], hits["precision"], marker=MARKERS[j % len(MARKERS)],
                markevery=[-1] if len(hits) else None,
                label=f"{name}: {total} of {depth} ({unique} images)", **look,
            )  # fmt: skip
        ax.set(title=title, xlabel="copies found", ylim=(0, 1.04))
        ax.set_xlim(left=0)
        ax.xaxis.get_major_locator().set_params(integer=True)
        if i == 0:
            ax.set_ylabel("precision (lower bound)")
        ax.legend(loc="lower left", handlelength=1.8)
    return figure
