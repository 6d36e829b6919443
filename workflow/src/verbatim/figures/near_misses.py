"""Pictures just beyond what the labels call a copy: what the numbers of Table 1 leave out.

Webster 2023, Fig. 5: just above the threshold, another crop, a small distortion.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from verbatim.figures.grid import Example, plot_grid
from verbatim.images import resize

ABOVE, CROP, DISTORTED = "Just above the threshold", "Another crop", "Alike, but distorted"
LOOKED_AT = 200  # ASSUME: prompts nearest to the threshold whose pictures are correlated
UNCROPPED = ("whole", "squash", "")  # the picture as a whole; other words are parts of it


def correlate(one: np.ndarray, two: np.ndarray) -> float:
    """Correlation of the pixels of two pictures in [-1, 1]; no change of tone or contrast lowers it.

    `two` is resampled to the size of `one`. 0 where a picture is of one colour.
    """
    a = one - one.mean(axis=(0, 1))
    b = resize(two, *one.shape[:2])
    b = b - b.mean(axis=(0, 1))
    norm = float(np.sqrt((a**2).sum() * (b**2).sum()))
    return float((a * b).sum()) / norm if norm > 0 else 0.0


def choose_near_misses(
    labels: pd.DataFrame,
    read: Callable[[pd.Series], tuple[np.ndarray, np.ndarray]],
    n: int,
    transforms: pd.Series | None = None,
) -> dict[str, pd.DataFrame]:
    """The `n` nearest of each kind of near miss, each prompt and each source once.

    Parameters
    ----------
    labels : a `labels` table; extra prompts and those that a guard set aside are left out
    read : generated picture and training picture of a row of `labels`
    transforms : prompt_id -> how a verifier turned the training picture into the generated one
        ("crop", "flip", ...). Without it, `Another crop` are copies that only a crop of the training
        picture shows, and `distorted` are prompts labelled N whose picture correlates best.

    Returns
    -------
    title -> rows of `labels`, with `facts`
    """
    some = labels[~labels["extra"] & ~labels["review"] & labels["source_row"].ge(0)]
    near = some[some["label"].eq("N")].sort_values(["distance", "prompt_id"])
    near = near.drop_duplicates("source_row")
    above = near.head(n)
    above = above.assign(facts=[f"distance {d:.3f}" for d in above["distance"]])
    rest = near.iloc[len(above) :]
    if transforms is None:
        crop = some[some["label"].isin(["MV", "RV", "TV"]) & ~some["crop"].isin(UNCROPPED)]
        crop = crop.sort_values(["distance", "prompt_id"]).drop_duplicates("source_row").head(n)
        crop = crop.assign(facts=crop["crop"])
        rest = rest.head(LOOKED_AT)
        alike = pd.Series([correlate(*read(row)) for _, row in rest.iterrows()], rest.index, float)
        rest = rest.assign(facts=[f"correlation {value:.2f}" for value in alike])
        rest = rest.loc[alike.sort_values(ascending=False, kind="stable").index]
    else:
        found = some[some["label"].eq("N") & some["prompt_id"].isin(transforms.index)]
        found = found.assign(facts=found["prompt_id"].map(transforms)).sort_values("distance")
        is_crop = found["facts"].str.contains("crop")
        crop, rest = found[is_crop].head(n), found[~is_crop]
    return {ABOVE: above, CROP: crop, DISTORTED: rest.head(n)}


def plot_near_misses(models: dict[str, dict[str, list[Example]]]) -> Figure:
    """Generated and training picture of the near misses of every model.

    Parameters
    ----------
    models : name in Table 1 -> title -> examples of two pictures
    """
    return plot_grid(dict.fromkeys((ABOVE, CROP, DISTORTED), ("generated", "training")), models)
