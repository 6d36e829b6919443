"""Table 1 with the paper's numbers, as a figure."""

from __future__ import annotations

from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from verbatim.figures.style import GREY, WIDTH, use_style

COUNTS = ("Retrieved", "Template", "Exact")
NAME, DEDUPLICATED, FIRST, STEP, UNIQUE, JUDGED = 0.1, 2.35, 3.0, 1.0, 6.2, 6.85  # inches
ROW, HEAD, FOOT = 0.26, 0.62, 0.5


def plot_table1(table: pd.DataFrame, unique: dict[str, int], preset: str) -> Figure:
    """Our counts in black, the paper's in grey beside them, a dash where one side is silent.

    Parameters
    ----------
    table : `tables/table1_vs_paper.csv`
    unique : model's name -> distinct training images behind its copies
    preset : of the label thresholds
    """
    use_style()
    height = HEAD + ROW * len(table) + FOOT
    figure = plt.figure(figsize=(WIDTH, height))
    ax = figure.add_axes((0, 0, 1, 1))
    ax.axis("off")
    top = height - 0.12

    def say(x: float, y: float, value: Any, **how: Any) -> None:
        known = value is not None and not pd.isna(value) and value != ""
        text = (
            (f"{value:,.0f}" if isinstance(value, (int, float)) else str(value)) if known else "–"
        )
        look: dict[str, Any] = {"va": "center", "fontsize": 8} | how
        ax.text(x, y, text, **look)

    middle = {name: FIRST + STEP * i + 0.5 for i, name in enumerate(COUNTS)}
    say(NAME, top - 0.1, "Model", fontweight="bold")
    say(DEDUPLICATED, top - 0.1, "Deduplicated", fontweight="bold", ha="center")
    for name, x in middle.items():
        say(x, top - 0.1, name, fontweight="bold", ha="center")
        say(x - 0.08, top - 0.31, "here", ha="right", fontsize=7)
        say(x + 0.08, top - 0.31, "paper", ha="left", fontsize=7, color=GREY)
    say(UNIQUE, top - 0.1, "Unique", fontweight="bold", ha="center")
    say(JUDGED, top - 0.1, "Judged", fontweight="bold", ha="center")
    line = top - 0.43
    for y, width in ((top + 0.06, 1.0), (line, 0.6)):
        ax.plot([0.08, WIDTH - 0.08], [y, y], color="black", lw=width)
    for i, row in enumerate(table.to_dict("records")):
        y = line - ROW * (i + 0.55)
        say(NAME, y, row["Model"])
        ours, theirs = row["Deduplicated training"], row["Deduplicated training (paper)"]
        known = [str(v) for v in (ours, theirs) if isinstance(v, str) and v]
        say(DEDUPLICATED, y, known[0] if known else "", ha="center")
        for name, x in middle.items():
            say(x - 0.08, y, row[name], ha="right")
            say(x + 0.08, y, row[f"{name} (paper)"], ha="left", color=GREY)
        say(UNIQUE, y, unique.get(row["Model"]), ha="center")
        say(JUDGED, y, row["Judged"], ha="center")
    bottom = line - ROW * len(table) - 0.06
    ax.plot([0.08, WIDTH - 0.08], [bottom, bottom], color="black", lw=1.0)
    say(
        NAME, bottom - 0.18,
        f"Prompts labelled a copy under preset {preset}; unique: training images behind them, "
        "duplicates once; paper: Webster 2023, Table 1.\nThe data sets differ: what follows from "
        "what can be compared, the counts cannot.",
        fontsize=6.5, color=GREY, va="top", linespacing=1.3,
    )  # fmt: skip
    ax.set(xlim=(0, WIDTH), ylim=(0, height))
    return figure
