"""The one-step property at a glance: a column a prompt, from often trained on to never.

Webster 2023, Fig. 1: a memorized image is recognisable after one denoiser call, other prompts give noise.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from verbatim.figures.style import WIDTH, use_style
from verbatim.figures.unpicked import Drawn

A_COUNT, NEVER = 2, 3  # prompts of each number of copies, and prompts that were never trained on


def choose_columns(prompts: pd.DataFrame) -> pd.DataFrame:
    """The first prompts by key, a hash: of each number of full duplicates, then of the held-out ones that are their negatives.

    Parameters
    ----------
    prompts : one model's rows of `tables/detectors.csv`.

    Returns
    -------
    The chosen rows, by rising `count`; held-out prompts last.
    """
    judged = prompts[prompts["verdict"].notna()].sort_values("prompt_id")
    full = judged[judged["kind"].eq("full")].groupby("count").head(A_COUNT)
    matched = judged["kind"].eq("held_out") & judged["match_kind"].eq("full")
    never = judged[matched].head(NEVER)
    return pd.concat([full.sort_values(["count", "prompt_id"]), never], ignore_index=True)


def column_titles(chosen: pd.DataFrame) -> list[str]:
    """What is written above each column: how often the prompt's image was trained on."""
    never = chosen["kind"].eq("held_out")
    return ["never" if no else f"{n:.0f} x" for no, n in zip(never, chosen["count"], strict=True)]


def plot_strip(drawn: list[Drawn], titles: list[str], name: str) -> Figure:
    """Own image, one-step generation, and full generations of each prompt, one below the other.

    Parameters
    ----------
    drawn : a column each; images (h, w, 3) in [0, 1] or None. titles : of the columns. name : of the model.
    """
    use_style()
    rows = ["own image", "one step"]
    rows += [f"seed {i}" for i in range(max((len(one.generations) for one in drawn), default=0))]
    side = (WIDTH - 0.8) / max(1, len(drawn))
    figure, axes = plt.subplots(
        len(rows), max(1, len(drawn)), figsize=(WIDTH, side * len(rows) + 0.45), squeeze=False
    )
    figure.subplots_adjust(
        left=0.8 / WIDTH, right=1, bottom=0, top=1 - 0.45 / figure.get_figheight(),
        wspace=0.04, hspace=0.04,
    )  # fmt: skip
    for ax in axes.ravel():
        ax.axis("off")
    for j, one in enumerate(drawn):
        for i, image in enumerate([one.image, one.one_step, *one.generations]):
            if image is not None:
                axes[i, j].imshow(np.clip(image, 0, 1), interpolation="none")
        axes[0, j].set_title(titles[j], loc="center", fontsize=7, pad=3)
    for i, row in enumerate(rows):
        axes[i, 0].text(-0.08, 0.5, row, transform=axes[i, 0].transAxes, ha="right", va="center")
    figure.text(
        0.005, 0.985, f"{name}: how often a prompt's image was trained on", va="top", fontsize=8.5
    )
    return figure
