"""Edge Consistency Score: edges that the one-step generations of a prompt share over seeds.

Webster 2023, eq. 3: ECS(c) = || mean_j Edge(Gen(c, r_j, T=1)) >= gamma ||^2. One step from noise gives the mean of
all images that fit a caption, which is blurred. Sharp edges at the same place for every seed mean that only one
image fits.

The score is the share of pixels at which more than `agreement` of the seeds have an edge.

`verbatim.metrics.edges` says how edges are found.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from verbatim.metrics.edges import EdgePreset, edge_consistency, edge_maps, resize_images
from verbatim.metrics.ranking import rank_scores

# the presets that have a column of their own in the `blackbox` table
COLUMNS = ("reference", "paper", "world")


def seed_consistency(images: npt.NDArray[np.float32]) -> float:
    """Negative standard deviation over seeds, mean over pixels and channels: (seeds, h, w, 3) -> <= 0.

    NaN for fewer than two seeds.
    """
    if len(images) < 2:
        return float("nan")
    return -float(images.std(axis=0, dtype=np.float64).mean())


def score_images(
    images: Sequence[npt.NDArray[np.float32]], presets: Mapping[str, EdgePreset], preset: str
) -> dict[str, float | int | str]:
    """One prompt's line of the `blackbox` table, without prompt_id and rank.

    Parameters
    ----------
    images : one-step generations (h, w, 3) in [0, 1] of one size, one for each seed; without images the
        scores are NaN.
    presets : name -> EdgePreset; a name without a column of its own is used for `preset` only.
    preset : name of the preset that gives `ecs`.
    """
    if preset not in presets:
        raise ValueError(f"blackbox.preset is {preset!r}; known: {', '.join(presets)}")
    nothing = float("nan")
    ecs: dict[str, float] = dict.fromkeys(COLUMNS, nothing)
    consistency = ecs[preset] = nothing
    if len(images):
        stack = np.stack(images)
        resized: dict[int, npt.NDArray[np.float32]] = {}
        for name in dict.fromkeys((*COLUMNS, preset)):
            if name in presets:
                rule = presets[name]
                if rule.size not in resized:  # presets of one size share the dearest part
                    resized[rule.size] = resize_images(images, rule.size)
                edges = edge_maps(resized[rule.size], rule)
                ecs[name] = edge_consistency(edges, rule.agreement)
        consistency = seed_consistency(stack)
    return {
        "ecs": ecs[preset],
        **{f"ecs_{name}": ecs[name] for name in COLUMNS},
        "seed_consistency": consistency,
        "n_seeds": len(images),
        "preset": preset,
    }


def score_prompt(
    images: Mapping[float, Sequence[npt.NDArray[np.float32]]],
    presets: Mapping[str, EdgePreset],
    preset: str,
) -> dict[str, float | int | str]:
    """`score_images` for presets that differ in guidance: each scores the images of its guidance scale.

    images : guidance scale -> one-step generations (h, w, 3) of one prompt, one for each seed.
    """
    if preset not in presets:
        raise ValueError(f"blackbox.preset is {preset!r}; known: {', '.join(presets)}")
    main = presets[preset].guidance
    line: dict[str, float | int | str] = {}
    # the ranking preset's guidance last: seed_consistency and n_seeds are of its images
    for guidance in sorted(images, key=lambda g: g == main):
        same = {name: rule for name, rule in presets.items() if rule.guidance == guidance}
        scores = score_images(
            images[guidance], same, preset if preset in same else next(iter(same))
        )
        kept = {f"ecs_{name}" for name in same} if guidance != main else set(scores)
        kept -= {f"ecs_{name}" for name in COLUMNS if name not in same}
        line |= {key: value for key, value in scores.items() if key in kept}
    return {f"ecs_{name}": float("nan") for name in COLUMNS} | line


def rank_prompts(scores: pd.DataFrame) -> npt.NDArray[np.int32]:
    """Rank of each line of a `blackbox` table, 0 for the highest `ecs`.

    ECS counts pixels, so ties are common. Of tied prompts the one with the higher seed_consistency comes first, then
    the lower prompt_id. Prompts without images are last.

    Returns
    -------
    (n,) int32, a permutation of 0 to n - 1.
    """
    return rank_scores(scores["ecs"], scores["prompt_id"], scores["seed_consistency"])
