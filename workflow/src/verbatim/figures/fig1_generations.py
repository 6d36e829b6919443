"""One-step and full generations of an exact copy, a template and a prompt that copies nothing.

Webster 2023, Fig. 1: one step from noise already shows a copied image, whatever the seed; of a
prompt that copies nothing it shows a blur.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from verbatim.figures.image_grid import Example, plot_grid
from verbatim.figures.style import empty_figure

KINDS = {"MV": "Exact (MV)", "TV": "Template (TV)", "N": "No copy (N)"}


@dataclass
class Generation:
    """One prompt; images (h, w, 3) in [0, 1], None where there is none.

    training is the image that is copied; of a prompt that copies nothing, its own, or the nearest
    that was looked at. one_steps, full: one a seed.
    """

    caption: str
    facts: str
    training: np.ndarray | None
    one_steps: list[np.ndarray | None]
    full: list[np.ndarray | None]


def choose_generations(labels: pd.DataFrame, ranked: pd.DataFrame) -> dict[str, pd.Series]:
    """Of each kind the prompt of median distance: neither the best nor the worst.

    Parameters
    ----------
    labels : a `labels` table; extra prompts and those that a guard set aside are left out
    ranked : prompt_id, ecs of the prompts that have one-step images

    Returns
    -------
    label -> its row of `labels`, with `ecs`; a label that the model has none of is missing.
    """
    some = labels[~labels["extra"] & ~labels["review"]].merge(
        ranked[["prompt_id", "ecs"]], on="prompt_id"
    )
    chosen = {}
    for label in KINDS:
        of_kind = some[some["label"].eq(label)].sort_values(["distance", "prompt_id"])
        if len(of_kind):
            chosen[label] = of_kind.iloc[len(of_kind) // 2]
    return chosen


def plot_generations(
    models: dict[str, dict[str, Generation]], seeds: dict[str, list[int]]
) -> Figure:
    """One row for each kind and model: training image, one-step generations, full generations.

    Parameters
    ----------
    models : name in Table 1 -> label (MV, TV, N) -> its example, missing where there is none
    seeds : one_step and full -> the seeds shown, as many as each example has
    """
    if not models:
        return empty_figure("no model of this run was attacked, so none has one-step images")
    blocks = {
        "Training": ("image",),
        "One step": tuple(f"seed {seed}" for seed in seeds["one_step"]),
        "Full generation": tuple(f"seed {seed}" for seed in seeds["full"]),
    }
    groups: dict[str, dict[str, list[Example]]] = {}
    for name, found in models.items():
        groups[name] = {title: [] for title in blocks}
        for label, kind in KINDS.items():
            one = found.get(label) or Generation("", "", None, [None], [None])
            parts = (
                Example([one.training], kind, "" if label in found else "none found"),
                Example(list(one.one_steps), one.caption, ""),
                Example(list(one.full), one.facts, ""),
            )
            for title, part in zip(blocks, parts, strict=True):
                groups[name][title].append(part)
    return plot_grid(blocks, groups)
