"""The style of all figures: readable in print and by colour-blind people, with equal bytes on reruns."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import seaborn
from matplotlib.figure import Figure

from verbatim.io.atomic import new_file
from verbatim.io.shown_text import BOX, one_line

# Wong 2011, "Color blindness", Nature Methods 8:441; black is left for text and axes
BLUE, ORANGE, GREEN, PURPLE, SKY, VERMILION = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00",
)  # fmt: skip
GREY = "#777777"
MODEL_COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY)
MARKERS = ("o", "s", "^", "D", "v", "P")  # a shape beside every colour, for prints in grey
WIDTH = 7.2  # inches: a page's text block


def use_style() -> None:
    """Set the style of all figures: seaborn's `ticks`, and our sizes."""
    plt.rcdefaults()
    seaborn.set_theme(context="paper", style="ticks")
    plt.rcParams.update(
        {
            "font.family": "DejaVu Sans", "font.size": 8, "axes.titlesize": 8.5,
            "axes.labelsize": 8, "xtick.labelsize": 7, "ytick.labelsize": 7, "legend.fontsize": 7,
            "legend.frameon": False, "axes.spines.top": False, "axes.spines.right": False,
            "axes.linewidth": 0.6, "xtick.major.width": 0.6, "ytick.major.width": 0.6,
            "xtick.major.size": 3, "ytick.major.size": 3, "xtick.minor.size": 2,
            "lines.linewidth": 1.4, "lines.markersize": 4, "axes.grid": True, "grid.linewidth": 0.4,
            "grid.color": "#DDDDDD", "axes.axisbelow": True, "pdf.fonttype": 42,
            "text.parse_math": False, "image.composite_image": False, "figure.dpi": 100, "axes.titlelocation": "left",
        }
    )  # fmt: skip


def empty_figure(text: str) -> Figure:
    """A figure that says why there is nothing in it."""
    use_style()
    figure = plt.figure(figsize=(WIDTH, 0.8))
    figure.text(0.5, 0.5, text, ha="center", va="center", color=GREY)
    return figure


def plain_text(text: str, most: int) -> str:
    """A caption fit for a figure: one line of what can be seen, no signs that the font lacks, cut to `most` characters."""
    from matplotlib.font_manager import FontProperties, findfont, get_font

    known = get_font(findfont(FontProperties(family="DejaVu Sans"))).get_charmap()
    line = "".join(c if ord(c) in known else BOX for c in one_line(text))
    return line if len(line) <= most else line[: most - 1].rstrip() + "…"


def save_figure(figure: Figure, png: str | os.PathLike, dpi: int) -> None:
    """Write a figure as PNG, and as PDF beside it; no dates or versions inside."""
    nameless: dict[str, dict[str, Any]] = {
        "png": {"Software": None},
        "pdf": {"CreationDate": None, "ModDate": None, "Producer": None, "Creator": None},
    }
    for kind, target in (("png", Path(png)), ("pdf", Path(png).with_suffix(".pdf"))):
        with new_file(target) as temporary:
            figure.savefig(temporary, format=kind, dpi=dpi, metadata=nameless[kind])
        figure.set_layout_engine("none")  # laid out once; the second file keeps the places
    plt.close(figure)
