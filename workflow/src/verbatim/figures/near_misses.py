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
FAR, ALIKE = 1.5, 0.8  # ASSUME: of the threshold; least correlation that the eye calls alike
MOVED = 0.02  # ASSUME: of the side; a verifier's placement below it is in place
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


def describe_placement(row: pd.Series) -> str:
    """In words how a verifier turned the training picture into the generated one; "" if not at all.

    row : flip; side, top, left: where the training picture lies, in sides of the generated square.
    """
    words = ["flipped"] if row["flip"] else []
    if abs(row["side"] - 1) > MOVED:
        words.append(f"{'cropped' if row['side'] > 1 else 'padded'} ×{row['side']:.2f}")
    elif max(abs(row["top"]), abs(row["left"])) > MOVED:
        words.append("shifted")
    return ", ".join(words)


def _take_verified(missed: pd.DataFrame, verification: pd.DataFrame, n: int) -> list[pd.DataFrame]:
    """Crops, and other changes, that a verifier found among the prompts labelled N; best first."""
    sure = verification[verification["verified"] & verification["doubt"].eq("")]
    columns = ["prompt_id", "seed", "source_row", "flip", "side", "top", "left", "q"]
    found = missed.drop(columns=["seed", "source_row"]).merge(sure[columns], on="prompt_id")
    found = found.sort_values(["q", "prompt_id"]).drop_duplicates("source_row")
    words = [describe_placement(row) for _, row in found.iterrows()]
    found["facts"] = [
        f"{word or 'in place'}, q {q:.2g}" for word, q in zip(words, found["q"], strict=True)
    ]
    is_crop = pd.Series(["×" in word for word in words], found.index, bool)
    return [found[is_crop].head(n), found[~is_crop].head(n)]


def choose_near_misses(
    labels: pd.DataFrame,
    read: Callable[[pd.Series], tuple[np.ndarray, np.ndarray]],
    n: int,
    threshold: float,
    verification: pd.DataFrame | None = None,
) -> dict[str, pd.DataFrame]:
    """The `n` nearest of each kind of near miss, each prompt and each source once.

    Parameters
    ----------
    labels : a `labels` table; extra prompts and those that a guard set aside are left out
    threshold : the largest distance that is a copy; beyond `FAR` times it nothing is near
    read : generated picture and training picture of a row of `labels`
    verification : a verifier's table of the same prompts (prompt_id, seed, source_row, flip, side,
        top, left, q, verified, doubt). Without it, `Another crop` are copies that only a crop of the
        training picture shows, and `distorted` are prompts labelled N whose picture correlates best.

    Returns
    -------
    title -> rows of `labels`, with `facts`
    """
    some = labels[~labels["extra"] & ~labels["review"] & labels["source_row"].ge(0)]
    missed = some[some["label"].eq("N")].sort_values(["distance", "prompt_id"])
    near = missed.drop_duplicates("source_row")
    near = near[near["distance"] <= FAR * threshold]
    above = near.head(n)
    above = above.assign(facts=[f"distance {d:.3f}" for d in above["distance"]])
    if verification is not None:
        crop, rest = _take_verified(missed, verification, n)
        return {ABOVE: above, CROP: crop, DISTORTED: rest}
    crop = some[some["label"].isin(["MV", "RV", "TV"]) & ~some["crop"].isin(UNCROPPED)]
    crop = crop.sort_values(["distance", "prompt_id"]).drop_duplicates("source_row").head(n)
    crop = crop.assign(facts=crop["crop"])
    rest = near.iloc[len(above) :].head(LOOKED_AT)
    alike = pd.Series([correlate(*read(row)) for _, row in rest.iterrows()], rest.index, float)
    rest = rest.assign(facts=[f"correlation {value:.2f}" for value in alike])
    best = alike[alike >= ALIKE].sort_values(ascending=False, kind="stable").index[:n]
    return {ABOVE: above, CROP: crop, DISTORTED: rest.loc[best]}


def plot_near_misses(models: dict[str, dict[str, list[Example]]], n: int) -> Figure:
    """Generated and training picture of the near misses of every model, a row a model.

    Parameters
    ----------
    models : name in Table 1 -> title -> examples of two pictures, `n` at most
    """
    titles = {
        f"{title}/{i}": "" if i else title for title in (ABOVE, CROP, DISTORTED) for i in range(n)
    }
    groups = {
        name: {
            f"{title}/{i}": [example]
            for title, examples in found.items()
            for i, example in enumerate(examples[:n])
        }
        for name, found in models.items()
    }
    return plot_grid(dict.fromkeys(titles, ("generated", "training")), groups, titles)
