"""What a point is trained on: the pool that all points share, and a point's rows of it, with their weights."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from verbatim.config.sweep_points import GridError
from verbatim.models import conditioning

# ASSUME: root mean square distance that a planted or held-out image keeps to every other one, so that
# a copy of it is a copy of nothing else: half as much again as the paper's threshold for a verbatim (0.12)
APART = 0.18


def find_distinct(
    images: np.ndarray, families: np.ndarray, apart: float = APART, block: int = 512
) -> np.ndarray:
    """Which images (n, h, w, 3) uint8 keep `apart` (RMSE in [0, 1]) from all of other families; bool (n,)."""
    flat = images.reshape(len(images), -1).astype(np.float32) / 255.0
    norms = (flat**2).sum(1)
    nearest = np.empty(len(flat), np.float32)
    for start in range(0, len(flat), block):
        part = slice(start, start + block)
        squares = norms[part, None] + norms[None] - 2.0 * flat[part] @ flat.T
        squares[families[part, None] == families[None]] = np.inf
        nearest[part] = squares.min(1)
    return np.sqrt(np.maximum(nearest, 0) / flat.shape[1]) >= apart


def select_pool(
    images: pd.DataFrame,
    distinct: npt.NDArray[np.bool_],
    duplicated: int,
    held_out: int,
    most: int,
    seed: int,
) -> pd.DataFrame:
    """The images of the study in the order in which points take them in.

    Images of families of one, so that no two are variations of a template. The first `duplicated` are
    the ones that points draw more often; they are unlike every other image, so that a copy of one is a
    copy of nothing else. No point is trained on the last `held_out`.

    Parameters
    ----------
    images : an `images` table.
    distinct : (len(images),), from `find_distinct`.
    most : images that the largest point asks for.

    Returns
    -------
    A `sweep_pool` table.

    Raises
    ------
    GridError : more images than there are.
    """
    sizes = images.groupby("family")["image_id"].transform("size").to_numpy()
    lone = np.flatnonzero(sizes == 1)
    order = np.random.default_rng([seed, 5]).permutation(lone)
    first = order[distinct[order]][:duplicated]
    if len(first) < duplicated:
        raise GridError(
            f"config: sweep.base.duplicated is {duplicated}, but only {len(first)} images are unlike "
            "all others; give fewer"
        )
    if most + held_out > len(order):
        raise GridError(
            f"config: a point of sweep.points asks for {most} images and sweep.held_out keeps {held_out}, "
            f"but there are {len(order)}; give fewer images (all takes what is left)"
        )
    order = np.concatenate([first, order[~np.isin(order, first)]])
    places = np.arange(len(order))
    chosen = images.iloc[order]
    return pd.DataFrame(
        {
            "image_id": chosen["image_id"].to_numpy(),
            "caption": chosen["caption"].to_numpy(),
            "group": chosen["group"].to_numpy(),
            "order": places.astype(np.int32),
            "planted": places < duplicated,
            "held_out": places >= len(order) - held_out,
        }
    )


def take_rows(
    pool: pd.DataFrame, point: dict[str, Any], most_captions: int, codes: dict[int, str]
) -> tuple[pd.DataFrame, list[list[str]]]:
    """The rows that a point is trained on, and the captions of each.

    Parameters
    ----------
    pool : a `sweep_pool` table.
    point : `sweep_points.Point.settings` of the point.
    most_captions : of one image, for `mc` and for duplication `image_only`.
    codes : image_id -> code points, as the `images` table has them.

    Returns
    -------
    rows : a `sweep_rows` table. Of a shadow model it has the half that was left out too (member False).
    texts : of the rows that are members, in order, the captions that their draws have; the first is the
        row's own.
    """
    pool = pool.sort_values("order")
    free = pool[~pool["held_out"]]
    half = point["half"]
    if half >= 0:
        free = free.head(2 * point["images"])
        # the same halves for every setting of the study: a shadow model is told by its number
        inside = np.random.default_rng([0, half, 6]).permutation(len(free))[: len(free) // 2]
        member = np.isin(np.arange(len(free)), inside)
    else:
        free = free if point["images"] < 0 else free.head(point["images"])
        member = np.ones(len(free), dtype=bool)
    planted = free["planted"].to_numpy()
    weight = np.where(planted & (point["ddf"] > 1), point["ddf"], 1.0)
    texts = [
        _captions_of(one, point, most_captions, codes)
        for one in free[["image_id", "caption", "group", "planted"]].to_dict("records")
    ]
    rows = pd.DataFrame(
        {
            "image_id": free["image_id"].to_numpy(),
            "caption": [of_one[0] for of_one in texts],
            "weight": np.where(member, weight, 0.0),
            "planted": planted,
            "member": member,
            "n_captions": [len(of_one) for of_one in texts],
        }
    )
    return rows, [of_one for of_one, inside in zip(texts, member, strict=True) if inside]


def list_captions(images: pd.DataFrame, most: int) -> list[list[str]]:
    """Up to `most` captions of each image of an `images` table, its own first."""
    return [
        conditioning.variations(conditioning.names_of(caption, code), most, image_id)
        for image_id, caption, code in images[["image_id", "caption", "code"]].itertuples(False)
    ]


def _captions_of(
    one: dict[Any, Any], point: dict[str, Any], most: int, codes: dict[int, str]
) -> list[str]:
    """All captions that an image is trained with, its own (by the conditioning) first."""
    if point["conditioning"] != "own":
        return [conditioning.caption_of(one, point["conditioning"])]
    several = point["mitigation"] == "mc"
    n = most if several else 1
    if not several and one["planted"] and point["duplication"] == "image_only":
        n = min(most, max(1, round(point["ddf"])))
    names = conditioning.names_of(one["caption"], codes[one["image_id"]])
    return conditioning.variations(names, n, one["image_id"])
