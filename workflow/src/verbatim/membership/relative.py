"""Copies of models without captions: how near is the nearest training image, for what is usual there?

Carlini et al. 2023, section 5.1. A plain background is near everything, so the distance to the nearest
training image is told in units of the distance to the fifty nearest.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from verbatim.io.measures import Measures


def relative_distances(
    distances: np.ndarray, nearest: int, alpha: float
) -> tuple[np.ndarray, np.ndarray]:
    """l2(x^, x) / (alpha * mean l2(x^, y) over the `nearest` training images y) of each generation.

    Carlini 2023, section 5.1: alpha 0.5, 50 nearest; below 1 a generation is called a copy.

    Parameters
    ----------
    distances : (generations, training images), each image of the training set once
    nearest : how many; all where there are fewer

    Returns
    -------
    relative (generations,), and the position of the nearest training image of each
    """
    if distances.shape[1] == 0:
        raise ValueError("there are no training images to be near to")
    k = min(nearest, distances.shape[1])
    closest = np.partition(distances, k - 1, axis=1)[:, :k]
    usual = alpha * closest.mean(1)
    least = distances.min(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        relative = np.where(usual > 0, least / usual, 0.0)  # all of them copies of one image
    return relative, distances.argmin(1)


def outlier_distances(distances: np.ndarray, nearest: int) -> np.ndarray:
    """Mean distance of each image to its `nearest` neighbours: large for an outlier. (n,)

    distances : (n, n) of the images to each other; an image is no neighbour of itself.
    """
    others = distances.copy()
    np.fill_diagonal(others, np.inf)
    k = min(nearest, len(others) - 1)
    if k < 1:
        raise ValueError("an outlier needs at least one other image")
    return np.partition(others, k - 1, axis=1)[:, :k].mean(1)


def relative_table(
    point: str, seed: int, generations: pd.DataFrame, ratio: np.ndarray, nearest: np.ndarray
) -> pd.DataFrame:
    """`membership_relative` of one run: one row for each generation. ratio : (n,). nearest : (n,) image_id."""
    return pd.DataFrame(
        {"point": point, "seed": int(seed), "generation": generations["generation"].to_numpy(),
         "nearest": nearest, "relative": ratio}
    )  # fmt: skip


def relative_measures(
    table: pd.DataFrame, training: np.ndarray, nearest: int, confidence: float, out: Measures
) -> None:
    """relative:flagged, the share of generations below 1, and relative:images, the share of the training images
    that some generation is below 1 of.

    table : from `relative_table`. training : image_id of each training image. nearest : neighbours asked for.
    """
    flagged = table["relative"].to_numpy() < 1
    used = f"by the {min(nearest, len(training))} nearest of {len(training)} training images"
    out.add_share("relative:flagged", flagged, confidence, used)
    given_back = np.isin(training, table["nearest"][flagged])
    note = f"{int(given_back.sum())} of them, {used}"
    out.add_share("relative:images", given_back, confidence, note)
