"""The attacks of Webster 2023 and Carlini 2023 on a model of the study, as they are used elsewhere.

After a mitigation two things can be asked: are there copies still, and do the attacks find them? This is for the
second: DCS and ECS of captions, and cliques among the images that a run made of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from verbatim.blackbox import ecs
from verbatim.io.images import ImageArchive, to_uint8
from verbatim.metrics.edges import EdgePreset
from verbatim.models.denoiser import check_broken
from verbatim.models.sampling import generate_one_step
from verbatim.postfilter.cliques import clique_distance, search_clique
from verbatim.postfilter.tiles import pair_distances
from verbatim.whitebox.dcs import score_captions


def choose_captions(
    rows: pd.DataFrame, held_out: pd.DataFrame, others: int, n_held_out: int
) -> pd.DataFrame:
    """Captions that are scored: of all duplicated members, of some others, and of held-out images.

    Parameters
    ----------
    rows : a `sweep_rows` table. held_out : image_id and caption, as the point would have given it.

    Returns
    -------
    DataFrame with image_id, caption, planted, member.
    """
    columns = ["image_id", "caption", "planted", "member"]
    members = rows[rows["member"]]
    return pd.concat(
        [
            members[members["planted"]][columns],
            members[~members["planted"]].head(others)[columns],
            held_out.head(n_held_out).assign(planted=False, member=False)[columns],
        ],
        ignore_index=True,
    )


def score_dcs(
    denoiser: Any, captions: Sequence[str], seeds: Sequence[int], guidance: float, batch: int
) -> npt.NDArray[np.float64]:
    """DCS of each caption (n,), preset `reference`, mean over the seeds that have it. See `whitebox.dcs`."""
    found = np.full((len(seeds), len(captions)), np.nan)
    for start, seed, scores in score_captions(denoiser, captions, seeds, guidance, batch):
        score = scores["dcs_reference"]
        found[seeds.index(seed), start : start + len(score)] = score
    there = np.isfinite(found)
    check_broken(int((~there).any(axis=0).sum()), len(captions), denoiser.dtype)
    total = np.where(there, found, 0.0).sum(axis=0)
    return np.where(there.any(axis=0), total / np.maximum(1, there.sum(axis=0)), np.nan)


def score_ecs(
    denoiser: Any,
    captions: Sequence[str],
    seeds: Sequence[int],
    preset: Mapping[str, Any],
    batch: int,
) -> npt.NDArray[np.float64]:
    """ECS of each caption (n,) under a preset of `blackbox.presets`. See `blackbox.ecs`."""
    rule = EdgePreset(**preset)
    of_caption: list[list[npt.NDArray[np.float32]]] = [[] for _ in captions]
    for place, _, image in generate_one_step(denoiser, captions, seeds, rule.guidance, batch):
        of_caption[place].append(image)
    broken = sum(len(images) < len(seeds) for images in of_caption)
    check_broken(broken, len(captions), denoiser.dtype)
    scores = [ecs.score_images(images, {"study": rule}, "study")["ecs"] for images in of_caption]
    return np.array(scores, dtype=np.float64)


def score_cliques(
    generations: pd.DataFrame, archive: ImageArchive, preset: Mapping[str, Any]
) -> pd.DataFrame:
    """Carlini's clique of each image_id that has further images (kind `more`), among all images made of it.

    Parameters
    ----------
    generations : a `mitigation_generations` table; archive : its images.
    preset : of `postfilter.presets`; its `clique` is not asked for, as sizes are compared.

    Returns
    -------
    DataFrame with image_id, clique_size, clique_distance (mean distance in it, NaN for a clique of one).
    """
    again = generations.loc[generations["kind"] == "more", "image_id"].unique()
    lines = []
    for image_id, of_one in generations[generations["image_id"].isin(again)].groupby("image_id"):
        names = [f"{generation}.png" for generation in of_one["generation"]]
        images = np.stack([to_uint8(archive.read(name)) for name in names])
        lines.append((image_id, *score_clique(images, preset)))
    frame = pd.DataFrame(lines, columns=["image_id", "clique_size", "clique_distance"])
    return frame.astype({"image_id": np.int32})


def score_clique(images: npt.NDArray[np.uint8], preset: Mapping[str, Any]) -> tuple[int, float]:
    """Size of the largest clique of near copies among images (n, h, w, 3), and the mean distance in it.

    preset : of `postfilter.presets`; its `clique` is not asked for, as sizes are compared. See `postfilter.cliques`.
    """
    distances = pair_distances(images, preset["tiles"])
    found = search_clique(distances < preset["edge"])
    return len(found.members), clique_distance(distances, found.members)
