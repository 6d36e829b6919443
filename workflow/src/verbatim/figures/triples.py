"""Generated picture, training picture and mask, side by side: a person can see that it worked.

Webster 2023 shows exact, retrieved and template verbatims so.
"""

from __future__ import annotations

from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from verbatim.figures.style import GREY, WIDTH, plain_text, use_style

LABELS = {"MV": "Exact (MV)", "RV": "Retrieved (RV)", "TV": "Template (TV)"}
COLUMNS = {
    "MV": ("one step", "generated", "training"),
    "RV": ("one step", "generated", "training"),
    "TV": ("one step", "generated", "training", "mask"),
}
CHARACTERS_A_PICTURE = 11  # of a caption that fit under one picture


@dataclass
class Triple:
    """One labelled synthesis.

    Pictures are (h, w, 3) in [0, 1]; mask (h, w) bool, True where the two are compared; one_step is None for
    a model that was not attacked itself, mask None where the whole picture is compared.
    """

    caption: str
    distance: float
    generated: np.ndarray
    training: np.ndarray
    mask: np.ndarray | None = None
    one_step: np.ndarray | None = None


def choose_examples(labels: pd.DataFrame, n: int) -> pd.DataFrame:
    """`n` copies of each label, spread evenly from the closest to the furthest, each source once.

    Not the best ones: the furthest shows what the threshold lets pass. Those that a guard set aside
    are not shown.
    """
    copies = labels[labels["label"].isin(list(LABELS)) & ~labels["review"] & ~labels["extra"]]
    copies = copies.sort_values(["distance", "prompt_id"]).drop_duplicates(["label", "source_row"])
    chosen = []
    for label in LABELS:
        some = copies[copies["label"] == label]
        at = np.unique(np.linspace(0, len(some) - 1, min(n, len(some))).round().astype(int))
        chosen.append(some.iloc[at])
    return pd.concat(chosen)


def _show(ax: Axes, picture: np.ndarray | None, empty: str = "") -> None:
    ax.set_xticks([])
    ax.set_yticks([])
    ax.grid(False)
    for spine in ax.spines.values():
        spine.set_visible(picture is not None)
        spine.set_color("#BBBBBB")
        spine.set_linewidth(0.5)
    if picture is None:
        ax.text(
            0.5,
            0.5,
            empty,
            ha="center",
            va="center",
            color=GREY,
            fontsize=6,
            transform=ax.transAxes,
        )
        ax.set_facecolor("none")
    elif picture.dtype == bool:
        ax.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    else:
        ax.imshow(np.clip(picture, 0, 1), interpolation="nearest")


def plot_triples(models: dict[str, dict[str, list[Triple]]]) -> Figure:
    """Examples of every model (rows) and label (blocks of columns).

    Parameters
    ----------
    models : name in Table 1 -> label (MV, RV, TV) -> examples, fewer or none where the model has none
    """
    use_style()
    n_rows = {
        name: max(1, *(len(found.get(x, [])) for x in LABELS)) for name, found in models.items()
    }
    widths: list[float] = []
    for i, label in enumerate(LABELS):
        widths += ([0.25] if i else []) + [1.0] * len(COLUMNS[label])
    margin, picture = 0.32, (WIDTH - 0.42) / (sum(widths) + 0.04 * len(widths))
    heights, total = [], 0.5
    for name in models:
        heights.append(n_rows[name] * (picture + 0.3))
        total += heights[-1] + 0.12
    figure = plt.figure(figsize=(WIDTH, total))
    y = total - 0.46
    for i, (name, found) in enumerate(models.items()):
        middle = y - heights[i] / 2 + 0.12
        figure.text(0.1 / WIDTH, middle / total, name, rotation=90, ha="center", va="center",
                    fontsize=7.5, fontweight="bold")  # fmt: skip
        for row in range(n_rows[name]):
            x = margin
            for j, label in enumerate(LABELS):
                x += 0.25 * picture if j else 0.0
                start, columns = x, COLUMNS[label]
                triple = found[label][row] if row < len(found.get(label, [])) else None
                for column in columns:
                    if i == row == 0:
                        figure.text((x + picture / 2) / WIDTH, (y + 0.04) / total, column, ha="center",
                                    fontsize=6, color="#444444")  # fmt: skip
                    if triple is not None:
                        ax = figure.add_axes(
                            (x / WIDTH, (y - picture) / total, picture / WIDTH, picture / total)
                        )
                        part = {"one step": triple.one_step, "generated": triple.generated,
                                "training": triple.training, "mask": triple.mask}[column]  # fmt: skip
                        _show(ax, part, "–")
                    x += 1.04 * picture
                if i == row == 0:
                    figure.text(start / WIDTH, (y + 0.19) / total, LABELS[label], fontsize=8.5,
                                fontweight="bold")  # fmt: skip
                text, colour = "none found" if row == 0 else "", GREY
                if triple is not None:
                    text = plain_text(triple.caption, CHARACTERS_A_PICTURE * len(columns))
                    text, colour = f"{text}\ndistance {triple.distance:.3f}", "black"
                at = y - picture - 0.03 if triple is not None else y - picture / 2
                figure.text(start / WIDTH, at / total, text, fontsize=5.5, va="top", color=colour,
                            linespacing=1.15)  # fmt: skip
            y -= picture + 0.3
        y -= 0.12
    return figure
