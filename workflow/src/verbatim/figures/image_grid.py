"""Small images in blocks: a group of rows for each model, a block of columns for each kind of example."""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from verbatim.figures.style import GREY, WIDTH, plain_text, use_style

CHARACTERS_AN_INCH = 21.5  # of a caption in the smallest type
LEFT, TOP, GAP, TEXT, BETWEEN = 0.32, 0.46, 0.25, 0.3, 0.12  # inches; GAP in images


@dataclass
class Example:
    """Images of one prompt, a caption, and a line of facts.

    An image is (h, w, 3) in [0, 1], or a mask (h, w) bool (True: white), or None (a dash).
    """

    images: list[np.ndarray | None]
    caption: str
    facts: str


def _show(ax: Axes, image: np.ndarray | None, left: float, top: float, side: float) -> None:
    """One image with its frame, fitted into a square (inches) without stretching it."""
    if image is None:
        ax.text(
            left + side / 2, top - side / 2, "–", ha="center", va="center", color=GREY, fontsize=6
        )
        return
    height, width = (side * n / max(image.shape[:2]) for n in image.shape[:2])
    x, y = left + (side - width) / 2, top - (side + height) / 2
    shown = np.where(image, 255, 0).astype(np.uint8) if image.dtype == bool else image
    if shown.ndim == 2:
        shown = np.repeat(shown[:, :, None], 3, axis=2)
    ax.imshow(
        np.clip(shown, 0, 255 if shown.dtype == np.uint8 else 1),
        extent=(x, x + width, y, y + height),
        interpolation="none",  # in a PDF the pixels themselves, not an enlargement of them
    )
    ax.add_patch(Rectangle((x, y), width, height, fill=False, edgecolor="#BBBBBB", linewidth=0.5))


def plot_grid(
    blocks: dict[str, tuple[str, ...]],
    groups: dict[str, dict[str, list[Example]]],
    titles: dict[str, str] | None = None,
) -> Figure:
    """Draw all examples, on one pair of axes whose unit is the inch.

    Parameters
    ----------
    blocks : title of each block of columns -> the names of its columns
    groups : name of each group of rows -> title of a block -> its examples, one a row; a block
        without examples says that none were found
    titles : what stands above a block, where it is not the block's own name; a block without a title
        belongs to the one before it, and says nothing where it is empty
    """
    use_style()
    rows = {name: max([1, *map(len, found.values())]) for name, found in groups.items()}
    n_columns = sum(map(len, blocks.values()))
    side = (WIDTH - LEFT - 0.1) / (1.04 * n_columns + GAP * (len(blocks) - 1))
    total = TOP + sum(n * (side + TEXT) + BETWEEN for n in rows.values())
    figure = plt.figure(figsize=(WIDTH, total))
    ax = figure.add_axes((0, 0, 1, 1))
    ax.axis("off")
    x = LEFT
    starts: dict[str, float] = {}
    for title, columns in blocks.items():
        starts[title] = x
        shown = (titles or {}).get(title, title)
        ax.text(x, total - TOP + 0.19, shown, fontsize=8.5, fontweight="bold")
        for column in columns:
            ax.text(
                x + side / 2, total - TOP + 0.04, column, ha="center", fontsize=6, color="#444444"
            )
            x += 1.04 * side
        x += GAP * side
    y = total - TOP
    for name, found in groups.items():
        height = rows[name] * (side + TEXT)
        fits = 72 * (height + BETWEEN / 2) / (0.68 * max(1, len(name)))  # points, for bold letters
        ax.text(0.1, y - height / 2 + BETWEEN / 2, name, rotation=90, ha="center", va="center",
                fontsize=min(7.5, fits), fontweight="bold")  # fmt: skip
        for title, columns in blocks.items():
            if not found.get(title) and (titles or {}).get(title, title):
                ax.text(starts[title], y - side / 2, "none found", fontsize=6, color=GREY)
            for i, example in enumerate(found.get(title, [])):
                top = y - i * (side + TEXT)
                for j, one in enumerate(example.images):
                    _show(ax, one, starts[title] + 1.04 * side * j, top, side)
                width = side * (1.04 * len(columns) + GAP / 2)
                text = plain_text(example.caption, max(8, int(CHARACTERS_AN_INCH * width)))
                ax.text(starts[title], top - side - 0.03, f"{text}\n{example.facts}", fontsize=5.5, va="top",
                        linespacing=1.15)  # fmt: skip
        y -= height + BETWEEN
    ax.set(xlim=(0, WIDTH), ylim=(0, total), aspect="auto")
    return figure
