"""Prompts that were found, with a generation of each beside the training image that is nearest to it."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from verbatim.figures.style import WIDTH, use_style
from verbatim.io.privacy import Privacy

WRAP = 26  # ASSUME: characters of a title's line that two images hold
NAMES = {
    "words": "single words", "gibbs": "Gibbs search", "random": "random words", "captions": "known captions, by DCS",
}  # fmt: skip


@dataclass(frozen=True)
class Shown:
    """One prompt of the sheet: title, generation, and the training image nearest to it; None where one may not be shown."""

    title: str
    generation: np.ndarray | None
    training: np.ndarray | None


def choose_shown(
    prompts: pd.DataFrame, labels: pd.DataFrame, shown: int
) -> list[tuple[str, pd.Series]]:
    """Prompts at even distances in the ranking, from the first to the last: the prompt, and its generation that is nearest.

    Parameters
    ----------
    prompts : a `trigger_prompts` table. labels : the `trigger_labels` of its method; a prompt without a generation is left out.
    """
    some = labels[labels["label"].ne("missing")].sort_values(["nearest", "seed"])
    nearest = some.drop_duplicates("prompt_id").set_index("prompt_id")
    ranked = prompts[prompts["prompt_id"].isin(nearest.index)].sort_values("place")
    if ranked.empty:
        return []
    places = np.unique(np.linspace(0, len(ranked) - 1, min(shown, len(ranked))).round().astype(int))
    chosen = ranked.iloc[places]
    return [
        (str(text), nearest.loc[key].rename(key))
        for text, key in zip(chosen["prompt"], chosen["prompt_id"], strict=True)
    ]


def list_shown(
    chosen: Sequence[tuple[str, pd.Series]],
    generation: Callable[[int, int], np.ndarray],
    training: Callable[[int], np.ndarray],
    privacy: Privacy,
) -> list[Shown]:
    """What the sheet holds of each chosen prompt. generation : of prompt_id and seed. training : of a row."""
    out = []
    for text, line in chosen:
        key = int(str(line.name))
        title = textwrap.shorten(text, 2 * WRAP, placeholder=" ...")
        verdict = (
            "copy"
            if line["label"] in ("MV", "RV")
            else "template"
            if line["label"] == "TV"
            else "no copy"
        )
        out.append(
            Shown(
                f"{textwrap.fill(title, WRAP)}\n{verdict}, RMSE {line['nearest']:.2f}",
                privacy.image(key, generation(key, int(line["seed"]))),
                privacy.image(key, training(int(line["nearest_row"]))),
            )
        )
    return out


def plot_shown(columns: Mapping[str, Sequence[Shown]]) -> Figure:
    """A pair of columns for each method, generation and training image; a line for each prompt."""
    use_style()
    lines = max(1, *(len(shown) for shown in columns.values()))
    side = WIDTH / (2 * len(columns))
    figure, axes = plt.subplots(
        lines, 2 * len(columns), figsize=(WIDTH, lines * (side + 0.4) + 0.25), squeeze=False
    )
    height = figure.get_figheight()
    figure.subplots_adjust(
        left=0, right=1, bottom=0.01, top=1 - 0.5 / height, wspace=0.06, hspace=0.4 / side
    )
    for ax in axes.ravel():
        ax.axis("off")
    for place, (method, shown) in enumerate(columns.items()):
        middle = (place + 0.5) / len(columns)
        figure.text(middle, 1 - 0.05 / height, NAMES[method], ha="center", va="top", fontsize=7)
        for line, one in enumerate(shown):
            pair = axes[line, 2 * place : 2 * place + 2]
            pair[0].set_title(one.title, loc="left", fontsize=4.5, pad=2)
            for ax, image in zip(pair, (one.generation, one.training), strict=True):
                if image is not None:
                    ax.imshow(np.clip(image, 0, 1), interpolation="none")
    return figure
