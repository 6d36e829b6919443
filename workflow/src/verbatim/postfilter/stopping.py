"""Decide when a prompt has enough generations to know whether it is kept.

Carlini et al. 2023 generate 500 images for every prompt. The answer, a clique of `clique` images or none, is often
known after fewer, so images are generated in rounds. After each round a prompt stops if further images cannot
change its answer (`certain`), or, if `futility` is above 0, if they probably will not.
"""

from __future__ import annotations

import math
from typing import NamedTuple


class Decision(NamedTuple):
    """kept : a clique was found. certain : further images could not change `kept`. stop : generate no more."""

    kept: bool
    certain: bool
    stop: bool


def schedule(n_images: int, first: int, clique: int, stop_early: bool = True) -> list[int]:
    """Number of images of a prompt after each round: first, twice that, ..., n_images.

    There is one further round at n_images - clique + 2, the earliest count at which a prompt without any near-copy
    can be rejected with certainty.
    """
    if n_images < 1 or first < 1 or clique < 2:
        raise ValueError(
            f"n_images {n_images} and the first round {first} must be at least 1, clique {clique} "
            "at least 2: a clique of one is any image"
        )
    if not stop_early:
        return [n_images]
    looks = {n_images}
    count = first
    while count < n_images:
        looks.add(count)
        count *= 2
    if first < n_images - clique + 2 < n_images:
        looks.add(n_images - clique + 2)
    return sorted(looks)


def decide(
    found: int, bound: int, seen: int, n_images: int, clique: int, futility: float = 0.0
) -> Decision:
    """The decision after `seen` of `n_images` images.

    A clique of the final graph has at most n_images - seen images that were not seen yet, so its
    others are a clique of those seen: with bound + remaining < clique, none can come about.

    Parameters
    ----------
    found, bound : size of the largest clique found; no clique of those seen is larger than `bound`.
    futility : stop, uncertain, where `chance_of_clique` is below this; 0 never does.
    """
    remaining = n_images - seen
    if found >= clique:
        return Decision(kept=True, certain=True, stop=True)
    if bound + remaining < clique:
        return Decision(kept=False, certain=True, stop=True)
    if remaining == 0:  # the search was cut off between `found` and `bound`
        return Decision(kept=False, certain=False, stop=True)
    hopeless = futility > 0 and chance_of_clique(found, seen, n_images, clique) < futility
    return Decision(kept=False, certain=False, stop=hopeless)


def chance_of_clique(found: int, seen: int, n_images: int, clique: int) -> float:
    """Chance that the largest clique so far grows to `clique` images, under a simple model.

    The model: each image is, with a chance p of its own, a copy of the one thing that the clique
    shows, and all such copies are near one another. Of `seen` images `found` were (a clique of one
    is any image, and counts as none); under a uniform prior of p the count among the remaining is
    beta-binomial. It looks at one clique only: a prompt that copies two things can be given up
    wrongly, which is why a stop on this ground is never called certain.
    """
    copies = found if found > 1 else 0
    remaining, needed = n_images - seen, clique - copies
    if needed <= 0:
        return 1.0
    # ASSUME: uniform prior, Beta(1, 1): neither paper says how often a prompt repeats itself
    a, b = 1 + copies, 1 + seen - copies
    below = sum(
        math.exp(_log_choose(remaining, j) + _log_beta(j + a, remaining - j + b) - _log_beta(a, b))
        for j in range(min(needed, remaining + 1))
    )
    return max(0.0, 1.0 - below)


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
