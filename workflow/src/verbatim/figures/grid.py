"""Small pictures in blocks: a group of rows a model, a block of columns a kind of example."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from verbatim.figures.style import GREY, WIDTH, plain_text, use_style

CHARACTERS_A_PICTURE = 12.5  # of a caption that fit under one picture
LEFT, TOP, GAP, TEXT, BETWEEN = 0.32, 0.46, 0.25, 0.3, 0.12  # inches; GAP in pictures


@dataclass
class Example:
    """Pictures of one prompt, a caption, and a line of facts.

    A picture is (h, w, 3) in [0, 1], or a mask (h, w) bool (True: white), or None (a dash).
    """

    pictures: list[np.ndarray | None]
    caption: str
    facts: str


def _show(ax: Axes, picture: np.ndarray | None) -> None:
    ax.set_xticks([])
    ax.set_yticks([])
    ax.grid(False)
    for spine in ax.spines.values():
        spine.set(visible=picture is not None, color="#BBBBBB", linewidth=0.5)
    if picture is None:
        ax.set_facecolor("none")
        ax.text(
            0.5, 0.5, "–", ha="center", va="center", color=GREY, fontsize=6, transform=ax.transAxes
        )
    elif picture.dtype == bool:
        ax.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    else:
        ax.imshow(np.clip(picture, 0, 1), interpolation="nearest")


def plot_grid(
    blocks: dict[str, tuple[str, ...]], groups: dict[str, dict[str, list[Example]]]
) -> Figure:
    """Draw all examples.

    Parameters
    ----------
    blocks : title of each block of columns -> the names of its columns
    groups : name of each group of rows -> title of a block -> its examples, one a row; a block
        without examples says that none were found
    """
    use_style()
    rows = {name: max([1, *map(len, found.values())]) for name, found in groups.items()}
    n_columns = sum(map(len, blocks.values()))
    picture = (WIDTH - LEFT - 0.1) / (1.04 * n_columns + GAP * (len(blocks) - 1))
    total = TOP + sum(n * (picture + TEXT) + BETWEEN for n in rows.values())
    figure = plt.figure(figsize=(WIDTH, total))

    def write(x: float, y: float, text: str, **how: Any) -> None:
        figure.text(x / WIDTH, y / total, text, **how)

    x = LEFT
    starts: dict[str, float] = {}
    for title, columns in blocks.items():
        starts[title] = x
        write(x, total - TOP + 0.19, title, fontsize=8.5, fontweight="bold")
        for column in columns:
            write(
                x + picture / 2,
                total - TOP + 0.04,
                column,
                ha="center",
                fontsize=6,
                color="#444444",
            )
            x += 1.04 * picture
        x += GAP * picture
    y = total - TOP
    for name, found in groups.items():
        height = rows[name] * (picture + TEXT)
        write(0.1, y - height / 2 + BETWEEN, name, rotation=90, ha="center", va="center", fontsize=7.5,
              fontweight="bold")  # fmt: skip
        for title, columns in blocks.items():
            if not found.get(title):
                write(starts[title], y - picture / 2, "none found", fontsize=6, color=GREY)
            for i, example in enumerate(found.get(title, [])):
                top = y - i * (picture + TEXT)
                for j, one in enumerate(example.pictures):
                    left = starts[title] + 1.04 * picture * j
                    box = (left / WIDTH, (top - picture) / total, picture / WIDTH, picture / total)
                    _show(figure.add_axes(box), one)
                text = plain_text(example.caption, int(CHARACTERS_A_PICTURE * len(columns)))
                write(starts[title], top - picture - 0.03, f"{text}\n{example.facts}", fontsize=5.5, va="top",
                      linespacing=1.15)  # fmt: skip
        y -= height + BETWEEN
    return figure
