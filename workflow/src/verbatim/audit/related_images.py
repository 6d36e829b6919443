"""Which images of an audit have to do with each other: partners of a template, and pairs that are no null.

Webster 2023, section 4: template verbatims; the mask of what two images share is made as for the labels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from verbatim.labels.masks import MaskSettings
from verbatim.metrics.template_masks import template_mask

NEAREST = 10  # ASSUME: images looked at for a shared region, of each; a family is joined through its members
BLOCK = 1024  # images compared at once; bounds memory, changes nothing


class Partner(NamedTuple):
    """An image that shares a region with another: its index, the crops compared, and where they agree (s, s) bool."""

    other: int
    crop: str
    other_crop: str
    mask: np.ndarray


class Relations(NamedTuple):
    """partners : of each image, the nearest first. family : (n,) int, equal for images that have to do with each other."""

    partners: list[list[Partner]]
    family: np.ndarray


def relate_images(
    vectors: np.ndarray,
    groups: np.ndarray,
    squares: Callable[[int], dict[str, np.ndarray]],
    settings: MaskSettings,
    watch: Callable[[Sequence[int]], Iterable[int]] = iter,
) -> Relations:
    """Partners of every image, and families: duplicates, and images that share a region, with theirs.

    Parameters
    ----------
    vectors : (n, d) of `screening.small_square`. groups : (n,) from `find_duplicates`; only the first image of a group is
    looked at. squares : an image's squares (s, s, 3) by crop, from its index. watch : wraps the loop, for progress.
    """
    n, d = vectors.shape
    partners: list[list[Partner]] = [[] for _ in range(n)]
    family = groups.copy()
    norms = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)
    first = np.flatnonzero(groups == np.arange(n))
    for start in watch(range(0, len(first), BLOCK)):
        block = first[start : start + BLOCK]
        apart = norms[block, None] + norms[first] - 2.0 * (vectors[block] @ vectors[first].T)
        apart = np.sqrt(np.maximum(apart, 0.0) / d)
        apart[first[None] == block[:, None]] = np.inf
        for i, row in zip(block.tolist(), apart, strict=True):
            for j in first[np.argsort(row, kind="stable")[:NEAREST]].tolist():
                found = _shared(squares(i), squares(j), settings)
                if found is not None:
                    partners[i].append(Partner(j, *found))
                    a, b = sorted((family[i], family[j]))
                    family[family == b] = a
    return Relations([of[: settings.partners] for of in partners], family)


def _shared(
    own: dict[str, np.ndarray], other: dict[str, np.ndarray], settings: MaskSettings
) -> tuple[str, str, np.ndarray] | None:
    """Crops of two images that agree in a region, and the region; None where they do not.

    As for the labels: the two are `low` to `high` apart, and share at least `min_area` of the pixels.
    """
    pairs = [
        (float(np.sqrt(((a - b) ** 2).mean())), crop, other_crop)
        for crop, a in own.items()
        for other_crop, b in other.items()
    ]
    apart, crop, other_crop = min(pairs)
    if not settings.low < apart < settings.high:
        return None
    mask = template_mask(
        own[crop], other[other_crop], settings.difference, settings.erode, settings.dilate
    )
    return (crop, other_crop, mask) if mask.mean() >= settings.min_area else None
