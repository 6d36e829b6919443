"""Images that match almost any other image: a rule finds them and sends them to review.

Webster 2023, section 4: the authors removed white, flat and textured images by hand. NumPy alone: a bundle's
doubts are replayed without anything else.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class GuardSettings:
    """The limits from which a match with an image means nothing. Shares are of the compared area.

    near_constant : share of pixels with a flat 3x3 neighbourhood from which the image is flat.
    flat_range : largest range of a channel in such a neighbourhood.
    white : a flat image with a mean of all channels above this is called white.
    edge_density : share of pixels on an edge, from which it is a texture.
    edge_step : smallest difference, of any channel, to the next pixel right or below, of an edge.
    """

    near_constant: float
    flat_range: float
    white: float
    edge_density: float
    edge_step: float


def doubts(
    image: np.ndarray,
    settings: GuardSettings,
    threshold: float,
    mask: np.ndarray | None = None,
) -> list[str]:
    """Why a match with this image may mean nothing; empty where it means something.

    Parameters
    ----------
    image : (s, s, 3) in [0, 1].
    threshold : RMSE below which the match was called a copy. An image that lies nearer than this to
        its own mean colour is matched by a plain one too: `low contrast`.
    mask : (s, s) bool, the area that was compared; None for all of it.
    """
    area = np.ones(image.shape[:2], dtype=bool) if mask is None else mask
    if not area.any():
        return ["empty mask"]
    found = []
    seen = area[:, :, None]  # what lies outside the area is not looked at
    highest = _highest(np.where(seen, image, -np.inf))
    lowest = -_highest(np.where(seen, -image, -np.inf))
    flat = (highest - lowest <= settings.flat_range).all(axis=2)
    if flat[area].mean() >= settings.near_constant:
        found.append("white" if image[area].mean() > settings.white else "flat")
    inside = image[area].astype(np.float64)
    if np.sqrt(((inside - inside.mean(axis=0)) ** 2).mean()) <= threshold:
        found.append("low contrast")
    edges = np.zeros(image.shape[:2], dtype=bool)
    right = (np.abs(np.diff(image, axis=1)) >= settings.edge_step).any(axis=2)
    below = (np.abs(np.diff(image, axis=0)) >= settings.edge_step).any(axis=2)
    edges[:, :-1] |= right & area[:, 1:]
    edges[:-1] |= below & area[1:]
    if edges[area].mean() >= settings.edge_density:
        found.append("texture")
    return found


def match_doubts(
    training: np.ndarray,
    generation: np.ndarray,
    settings: GuardSettings,
    threshold: float,
    mask: np.ndarray | None = None,
) -> list[str]:
    """`doubts` of both images of a match, each with the image it is about; the training image comes first.

    training, generation : (s, s, 3) in [0, 1]. mask : (s, s) bool, or None for all of it.
    """
    return [
        f"{name}: {doubt}"
        for name, image in (("training image", training), ("generation", generation))
        for doubt in doubts(image, settings, threshold, mask)
    ]


def _highest(planes: np.ndarray) -> np.ndarray:
    """Largest value of the 3x3 pixels about each pixel, edges repeated; (h, w, c) gives the same."""
    wide = np.pad(planes, ((1, 1), (1, 1), (0, 0)), mode="edge")
    rows = np.maximum(np.maximum(wide[:-2], wide[1:-1]), wide[2:])
    return np.maximum(np.maximum(rows[:, :-2], rows[:, 1:-1]), rows[:, 2:])
