"""Scenes that a copy descriptor is trained on, and pairs of scenes that it has never seen, to measure it by.

Neither has a scene of the training set. The pairs have other drawings than the training, so that what a descriptor
says of them does not come from having seen them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from verbatim.metrics.score_normalization import normalize_scores
from verbatim.world.augmentations import augment
from verbatim.world.drawings import template_share
from verbatim.world.plan import plant
from verbatim.world.scenes import DISTORTIONS, Scene, distort, draw_scenes

TRAINED_ON = ("single",)  # kinds whose drawings the training takes
HELD_OUT = ("held_out", "paraphrase")  # kinds whose drawings the pairs take
# kinds of pairs: two views of one image; two images of one template family; images that share a drawing, or nothing
COPIES = ("augmented", "distorted")
PAIRS = (*COPIES, "template", "same_drawing", "unrelated")
# of a query in the background: places 0 to 2 of SSCD's published score normalization
NEIGHBOURS = 3


class Drawings(NamedTuple):
    """Drawings by what a descriptor may see of them: (n, s, s, 4) uint8 each."""

    trained: np.ndarray
    held_out: np.ndarray


def split_drawings(plan: pd.DataFrame, drawings: np.ndarray) -> Drawings:
    """The drawings that training and pairs are made of; plan: from `plan.plant`, with the column drawing."""
    of_kinds = (plan.loc[plan["kind"].isin(kinds), "drawing"] for kinds in (TRAINED_ON, HELD_OUT))
    trained, held_out = (np.sort(found.unique()) for found in of_kinds)
    return Drawings(drawings[trained], drawings[held_out])


def split_planted(
    table: pd.DataFrame, drawings: np.ndarray, planted: dict[str, Any], seed: int
) -> Drawings:
    """`split_drawings` of the world of this seed.

    Parameters
    ----------
    table, drawings : of `build_drawings`. planted : `world.planted`. seed : `world.seed`.
    """
    return split_drawings(plant(table, template_share(table, drawings), planted, seed), drawings)


def draw_fresh(drawings: np.ndarray, n: int, size: int, seed: int) -> np.ndarray:
    """`n` scenes of these drawings alone, each drawing as often as any other; uint8 (n, size, size, 3).

    seed : another one than the world's, so that no background and no place is one of the world's.
    """
    scenes = [Scene(i, i % len(drawings)) for i in range(n)]
    return draw_scenes(scenes, drawings, size, seed)


class Pairs(NamedTuple):
    """Pairs of images: kind (n,) of PAIRS, drawing (n,) of the first image, and the images, uint8 (n, s, s, 3) each."""

    kind: np.ndarray
    drawing: np.ndarray
    first: np.ndarray
    second: np.ndarray


def draw_pairs(drawings: np.ndarray, n: int, size: int, seed: int) -> Pairs:
    """`n` pairs of each kind of PAIRS, of scenes of these drawings alone; all kinds share their first images.

    Raises ValueError for fewer than two drawings.
    """
    if len(drawings) < 2:
        raise ValueError(f"{len(drawings)} drawings; pairs of unrelated scenes take two at least")
    rng = np.random.default_rng([seed, 9])
    numbers = np.arange(n)
    of_first = numbers % len(drawings)
    of_other = (of_first + rng.integers(1, len(drawings), n)) % len(drawings)
    scenes = [Scene(int(i), int(d)) for i, d in zip(numbers, of_first, strict=True)]
    first = draw_scenes(scenes, drawings, size, seed)
    more = zip(numbers, of_first, of_other, strict=True)
    same, other = zip(
        *((Scene(n + int(i), int(d)), Scene(2 * n + int(i), int(o))) for i, d, o in more),
        strict=True,
    )
    family = [[replace(scene, filling=filling) for scene in scenes] for filling in (0, 1)]
    members, others = (draw_scenes(some, drawings, size, seed) for some in family)
    distorted = [distort(image, DISTORTIONS[1:][i % 5]) for i, image in enumerate(first)]
    seconds = {
        "augmented": np.stack([augment(image, drawings, rng) for image in first]),
        "distorted": np.stack(distorted),
        "template": others,
        "same_drawing": draw_scenes(list(same), drawings, size, seed),
        "unrelated": draw_scenes(list(other), drawings, size, seed),
    }
    return Pairs(
        np.repeat(PAIRS, n),
        np.tile(of_first, len(PAIRS)),
        np.concatenate([members if kind == "template" else first for kind in PAIRS]),
        np.concatenate([seconds[kind] for kind in PAIRS]),
    )


def score_pairs(
    name: str, pairs: Pairs, first: np.ndarray, second: np.ndarray, background: np.ndarray
) -> pd.DataFrame:
    """A `pair_similarities` table of one detector: its similarities, and the same normalized.

    Parameters
    ----------
    first, second
        Unit vectors of the pairs' images, (n, d) each. The second of a pair is the query.
    background
        Unit vectors of the images that scores are normalized by, (m, d).
    """
    raw = np.clip((first * second).sum(1), -1, 1)
    normal = normalize_scores(raw, second, background, NEIGHBOURS)
    kinds = dict.fromkeys(pairs.kind.tolist())
    number = np.concatenate([np.arange((pairs.kind == kind).sum()) for kind in kinds])
    base = pd.DataFrame({"pair": pairs.kind, "number": number, "drawing": pairs.drawing})
    base = base.assign(descriptor=name)
    scores = ((False, raw), (True, normal))
    return pd.concat([base.assign(normalized=which, similarity=values) for which, values in scores])
