"""Choose the training images that each prompt is tested against, and the unrelated prompts of each image.

Rows with equal bytes are one image, which is compared once.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from verbatim.io.images import Seeds, most_seeds, resize, seeds_of

THUMBNAIL = 8  # ASSUME: pixels; shape and colours of an image, and no more


class Pairing(NamedTuple):
    """Prompts (n), seeds and images (m) by index.

    tested : (n, seeds, m) bool, the image of the prompt's own row or of one of the nearest neighbours of
    this very generation. related : (n, m) bool, an image of the prompt's own row or of any neighbour, of a
    relative or a cluster-mate of these, or of a row of the prompt's caption; no pair of the null is related. row : (n, m) int64, the row that a tested image stands for; -1.
    readable : (n, seeds) bool, generations that exist.
    """

    tested: np.ndarray
    related: np.ndarray
    row: np.ndarray
    readable: np.ndarray


def pair_images(
    prompts: pd.DataFrame,
    seeds: Seeds,
    readable: np.ndarray,
    tables: Mapping[str, pd.DataFrame],
    image_of: Mapping[int, int],
    nearest: int,
) -> Pairing:
    """Pairs to test and pairs to leave out of the null.

    Parameters
    ----------
    prompts : prompt_id, caption, row. seeds : of every prompt, or prompt_id -> its own; a prompt's are
    counted from 0 in `Pairing`. readable : as there. tables : neighbours, relatives, fetched, clusters, by these names.
    image_of : row -> index of its image, of the rows whose image can be read. nearest : neighbours of a
    generation that are tested; further ones are related to it all the same.
    """
    n, m = len(prompts), max(image_of.values(), default=-1) + 1
    tested = np.zeros((n, most_seeds(seeds, prompts["prompt_id"]), m), dtype=bool)
    related = np.zeros((n, m), dtype=bool)
    standing = np.full((n, m), -1, dtype=np.int64)
    fetched, clusters = tables["fetched"], tables["clusters"]
    near = (
        tables["neighbours"]
        .sort_values(["order", "seed"])
        .groupby("prompt_id")[["seed", "row", "order"]]
        .apply(lambda group: list(group.itertuples(index=False, name=None)))
    )
    more = tables["relatives"].groupby("row")["relative"].agg(list).to_dict()
    cluster_of = dict(zip(clusters["row"].tolist(), clusters["cluster"].tolist(), strict=True))
    of_cluster: dict[int, set[int]] = defaultdict(set)
    of_caption: dict[str, set[int]] = defaultdict(set)
    for row, caption in zip(fetched["row"].tolist(), fetched["caption"], strict=True):
        if row in image_of:
            of_caption[caption].add(image_of[row])
            if row in cluster_of:
                of_cluster[cluster_of[row]].add(image_of[row])
    for i, prompt in enumerate(prompts.to_dict("records")):
        at_seed = {seed: j for j, seed in enumerate(seeds_of(seeds, prompt["prompt_id"]))}
        asked = [(seed, int(prompt["row"]), 0) for seed in at_seed]
        asked += [one for one in near.get(prompt["prompt_id"], []) if one[0] in at_seed]
        for seed, row, order in asked:
            if row in image_of and order < nearest:
                image = image_of[row]
                tested[i, at_seed[seed], image] = True
                if standing[i, image] < 0:
                    standing[i, image] = row
        rows = [row for row in dict.fromkeys(row for _, row, _ in asked) if row >= 0]
        wide = {*rows, *(other for row in rows for other in more.get(row, ()))}
        alike = set(of_caption[prompt["caption"]])
        for row in wide:
            alike |= of_cluster.get(cluster_of.get(row, -1), set())
            if row in image_of:
                alike.add(image_of[row])
        related[i, list(alike)] = True
    return Pairing(tested, related | tested.any(axis=1), standing, readable)


def thumbnails(images: np.ndarray) -> np.ndarray:
    """Images (n, h, w, 3) at THUMBNAIL pixels, as vectors: how they look from afar."""
    small = [resize(image, THUMBNAIL, THUMBNAIL) for image in images]
    return np.stack(small).reshape(len(small), -1) if small else np.zeros((0, 3 * THUMBNAIL**2))


def choose_null(
    related: np.ndarray,
    generations: np.ndarray,
    readable: np.ndarray,
    image: np.ndarray,
    most: int,
) -> np.ndarray:
    """The unrelated generations that look most like an image; index prompt * seeds + seed.

    Tested images were retrieved because they look like their generation. Unrelated ones drawn blindly
    would look less alike, and nearly any retrieved pair would stand out from them.

    Parameters
    ----------
    related : (n,) bool, prompts that have to do with the image. generations : (n, seeds, d)
    thumbnails. readable : (n, seeds) bool. image : (d,) thumbnail. most : of them, one a prompt.
    """
    apart = ((generations - image) ** 2).sum(axis=2)
    apart[~readable | related[:, None]] = np.inf
    seed = apart.argmin(axis=1)
    nearest = apart[np.arange(len(apart)), seed]
    order = np.argsort(nearest, kind="stable")[:most]
    order = order[np.isfinite(nearest[order])]
    return np.sort(order * apart.shape[1] + seed[order])
