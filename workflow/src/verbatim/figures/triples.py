"""Generated image, training image and mask, side by side, so that a person can judge the copy.

Webster 2023 shows exact, retrieved and template verbatims so.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from verbatim.figures.image_grid import Example, plot_grid

LABELS = {"MV": "Exact (MV)", "RV": "Retrieved (RV)", "TV": "Template (TV)"}
COLUMNS = ("one step", "generated", "training")


@dataclass
class Triple:
    """One labelled generation.

    Images are (h, w, 3) in [0, 1], None where they may not be shown; mask (h, w) bool, True where the two are compared; one_step
    is None for a model that was not attacked itself, mask None where the whole image is
    compared; crop says how the training image was made a square.
    """

    caption: str
    distance: float
    generated: np.ndarray | None
    training: np.ndarray | None
    mask: np.ndarray | None = None
    one_step: np.ndarray | None = None
    crop: str = "whole"


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
        at = np.linspace(0, len(some) - 1, min(n, len(some))).round().astype(int)
        chosen.append(some.iloc[at])
    return pd.concat(chosen)


def plot_triples(models: dict[str, dict[str, list[Triple]]]) -> Figure:
    """Examples of every model (rows) and label (blocks of columns).

    Parameters
    ----------
    models : name in Table 1 -> label (MV, RV, TV) -> examples, fewer or none where the model has
        none
    """
    blocks = {LABELS[label]: (*COLUMNS, *(["mask"] if label == "TV" else [])) for label in LABELS}
    groups: dict[str, dict[str, list[Example]]] = {}
    for name, found in models.items():
        groups[name] = {}
        for label, title in LABELS.items():
            groups[name][title] = [
                Example(
                    [
                        one.one_step,
                        one.generated,
                        one.training,
                        *([one.mask] if label == "TV" else []),
                    ],
                    one.caption,
                    f"distance {one.distance:.3f}",
                )
                for one in found.get(label, [])
            ]
    return plot_grid(blocks, groups)
