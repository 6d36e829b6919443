"""Measures one run: its generations against the images that its model was trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from verbatim.io.generations import in_sample, sample_similarities
from verbatim.io.measures import Measures, half_width
from verbatim.io.pool_features import Described, PoolFeatures
from verbatim.similarity import run_measures
from verbatim.similarity.copies import find_copies
from verbatim.similarity.run_measures import Settings


@dataclass(frozen=True)
class Run:
    """A run and what it is compared with.

    generations : `mitigation_generations` (n,). images : uint8 (n, s, s, 3), of them. rows : `sweep_rows` of the model.
    pool : features of all images. world : uint8 (all, s, s, 3), the world's images by image_id. held_out :
    image_ids that no point is trained on.
    """

    generations: pd.DataFrame
    images: np.ndarray
    rows: pd.DataFrame
    pool: PoolFeatures
    world: np.ndarray
    held_out: Sequence[int]


def count_run(
    run: Run,
    made: dict[str, Described],
    out: Measures,
    settings: Settings,
) -> pd.DataFrame:
    """Add a run's similarity, copies, complexity and duplication to `out`; returns its `similarity_matches`.

    made : descriptor -> of the run's images.
    """
    members = run.rows[run.rows["member"]]
    ids = members["image_id"].to_numpy()
    training, held_out = run.pool.of(ids), run.pool.of(run.held_out)
    images, asked = run.world[ids], run.generations["image_id"].to_numpy()
    own = run.world[np.maximum(asked, 0)]
    similarities = run_measures.similarity_rows(
        run.generations, made, training, ids, run_measures.Pixels(run.images, own, images)
    )
    sample = in_sample(run.generations)
    sampled = {name: Described(one.whole[sample], one.chunks[sample]) for name, one in made.items()}
    rows = sample_similarities(similarities, run.generations)
    run_measures.add_similarity(out, rows, sampled, training, held_out, settings)
    first = rows[rows["descriptor"] == settings.first]
    run_measures.add_complexity(out, first, run.pool.complexity, settings.confidence)
    weight = dict(zip(ids.tolist(), members["weight"].tolist(), strict=True))
    run_measures.add_duplication(out, run.generations[sample], first, weight, settings)
    copies = find_copies(run.images, images, settings.copy_rmse)
    planted = members["planted"].to_numpy()
    known = np.isin(ids, asked) if (asked >= 0).any() else np.ones(len(ids), bool)
    run_measures.add_copies(out, copies, planted, known, sample, settings)
    return similarities


@dataclass(frozen=True)
class Quality:
    """What a run's quality is measured by.

    inception : (n, d), Inception features of all the run's images, or None. frechet, score :
    `quality.frechet_distance`, and `quality.clip_score` of one CLIP.
    """

    inception: np.ndarray | None
    frechet: Callable[[np.ndarray, np.ndarray], float]
    score: Callable[[np.ndarray, list[str]], tuple[float, np.ndarray]]


def count_quality(
    run: Run,
    made: dict[str, Described],
    quality: Quality,
    out: Measures,
    settings: Settings,
) -> None:
    """Add Fréchet distance and CLIP score of a run's sample to `out`."""
    sample = in_sample(run.generations)
    at = run.pool.places(run.rows["image_id"][run.rows["member"]].to_numpy())
    n = int(sample.sum())
    name = settings.first
    note = f"of vectors by {name}, no FID; it falls with n, which is to be the same where runs are compared"
    value = quality.frechet(run.pool.described[name].whole[at], made[name].whole[sample])
    out.add(f"frechet:{name}", value, n, note=note)
    if quality.inception is not None:
        fid = quality.frechet(run.pool.inception[at], quality.inception[sample])
        out.add("fid", fid, n)
    captioned = sample & (run.generations["image_id"] >= 0).to_numpy()
    images = run.images[captioned].astype(np.float32) / 255
    value, each = quality.score(images, run.generations["caption"][captioned].tolist())
    half = half_width(each, settings.confidence)
    low, high = np.maximum(0.0, [value - half, value + half])  # as the score itself
    out.add("clip_score", value, len(each), low, high)
