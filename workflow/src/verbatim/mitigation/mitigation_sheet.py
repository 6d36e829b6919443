"""Images before and after: what a model generates behind each defence, from prompts and from adversarial embeddings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from verbatim.config.defence_kinds import OTHER_SEEDS, PROMPT
from verbatim.figures.style import WIDTH, use_style
from verbatim.io.images import ImageError
from verbatim.io.privacy import Privacy

TITLES = {"memorized": "memorized", "once": "trained once", "never": "never trained on"}


class Readable(Protocol):
    """An archive of images by name."""

    def read(self, name: str) -> np.ndarray: ...


@dataclass(frozen=True)
class Line:
    """One line of the sheet: a prompt's own image, and what each defence makes of one way to ask for it."""

    title: str
    own: np.ndarray | None
    images: list[np.ndarray | None]


def list_lines(
    prompts: pd.DataFrame,
    made: Mapping[str, pd.DataFrame],
    archives: Mapping[str, Readable],
    own: np.ndarray,
    privacy: Privacy,
    shown: int,
) -> list[Line]:
    """Lines by group of prompts, then for each way to ask: the prompt, and embeddings by their start; the lowest seed of each.

    Parameters
    ----------
    prompts : a `mitigated` table, in random order. made : defence -> its `mitigation_attacked` table. archives : defence -> images.
    own : images by `image_id`. shown : prompts of each group; those whose embeddings were searched come first.
    """
    lines = []
    attacks = list(dict.fromkeys(made["none"]["attack"]))
    for attack in (one for one in attacks if one != OTHER_SEEDS):
        for group, title in TITLES.items():
            some = prompts[prompts["group"].eq(group)]
            for one in (
                some.sort_values("searched", ascending=False, kind="stable")
                .head(shown)
                .to_dict("records")
            ):
                level = privacy.level_of(one["prompt_id"])
                images = [
                    _image(made[name], archives[name], one["prompt_id"], attack) for name in made
                ]
                if all(image is None for image in images):
                    continue
                name = f"{title}\n{'prompt' if attack == PROMPT else 'from ' + attack}"
                mine = own[one["image_id"]] / np.float32(255)
                told = [privacy.image(one["prompt_id"], image) for image in images]
                lines.append(
                    Line(
                        name,
                        None if level == "none" else privacy.image(one["prompt_id"], mine),
                        told,
                    )
                )
    return lines


def _image(made: pd.DataFrame, archive: Readable, prompt: int, attack: str) -> np.ndarray | None:
    mine = made[made["prompt_id"].eq(prompt) & made["attack"].eq(attack)].sort_values("seed")
    if mine.empty:
        return None
    try:
        return archive.read(f"{int(mine['generation'].iloc[0])}.png")
    except (KeyError, ImageError):
        return None


def plot_lines(lines: list[Line], defences: list[str]) -> Figure:
    """A line each, under the names of the defences; the prompt's own image comes first."""
    use_style()
    columns = ["own image", *defences]
    side = (WIDTH - 0.9) / len(columns)
    figure, axes = plt.subplots(
        max(1, len(lines)),
        len(columns),
        figsize=(WIDTH, side * max(1, len(lines)) + 0.3),
        squeeze=False,
    )
    figure.subplots_adjust(
        left=0.9 / WIDTH, right=1, bottom=0, top=1 - 0.3 / figure.get_figheight(), wspace=0.04, hspace=0.04
    )  # fmt: skip
    for ax in axes.ravel():
        ax.axis("off")
    for i, line in enumerate(lines):
        for j, image in enumerate([line.own, *line.images]):
            if image is not None:
                axes[i, j].imshow(np.clip(image, 0, 1), interpolation="none")
        axes[i, 0].text(
            -0.08,
            0.5,
            line.title,
            transform=axes[i, 0].transAxes,
            ha="right",
            va="center",
            fontsize=5,
        )
    for j, name in enumerate(columns):
        axes[0, j].set_title(name, loc="center", fontsize=6, pad=3)
    return figure
