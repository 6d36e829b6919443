"""The numbers of one run: a row a generation, and the run's measures, each with its n and interval.

Images of kind `one` are the sample that similarities, quality and complexity speak of; further images of
planted captions (`more`) only help to find copies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from verbatim.io.measures import Measures
from verbatim.io.pool_features import Described
from verbatim.metrics.complexity import correlate
from verbatim.metrics.intervals import percentile_interval
from verbatim.metrics.rmse import pair_rmse
from verbatim.metrics.similarity import (
    PERCENTILES,
    background,
    nearest,
    nearest_split,
    split_product,
)
from verbatim.similarity.copies import Copies

PAPER_THRESHOLD = 0.5  # Somepalli 2022, of SSCD; always counted beside the configured one


@dataclass(frozen=True)
class Settings:
    """first : the descriptor that `similarity`, `split` and so on are of; others add `@name`.

    threshold : similarity above which a generation counts as a copy (Somepalli 2022: 0.5 of SSCD).
    resamples, confidence, seed : of the bootstrap and of every interval.
    copy_rmse : RMSE in [0, 1] up to which a generation is a copy.
    """

    first: str
    threshold: float
    resamples: int
    confidence: float
    copy_rmse: float
    seed: int = 0


@dataclass(frozen=True)
class Pixels:
    """Images, all uint8 (., s, s, 3).

    generations : (n,). own : (n,), the images whose captions were asked for; anything where image_id is -1.
    training : (m,).
    """

    generations: np.ndarray
    own: np.ndarray
    training: np.ndarray


def similarity_rows(
    generations: pd.DataFrame,
    made: Mapping[str, Described],
    training: Mapping[str, Described],
    ids: np.ndarray,
    pixels: Pixels,
) -> pd.DataFrame:
    """`similarity_matches` of a run: for each descriptor, each generation's nearest training image.

    Parameters
    ----------
    generations : (n,) of a `mitigation_generations` table.
    made, training : descriptor -> of the n generations, and of the m training images.
    ids : (m,) image_id of the training images.
    pixels : of the generations, of what they were asked for, and of the training images.
    """
    own_rmse = np.where(
        generations["image_id"] >= 0, pair_rmse(pixels.generations, pixels.own), np.nan
    )
    tables = []
    for name, described in made.items():
        similarity, place = (a[:, 0] for a in nearest(described.whole, training[name].whole))
        matched = training[name].chunks[place]
        tables.append(
            pd.DataFrame(
                {
                    "generation": generations["generation"].to_numpy(),
                    "descriptor": name,
                    "similarity": similarity.astype(np.float64),
                    "match": ids[place].astype(np.int32),
                    "split": split_product(described.chunks, matched).astype(np.float64),
                    "cross": split_product(described.chunks, matched, True).astype(np.float64),
                    "rmse": pair_rmse(pixels.generations, pixels.training[place]),
                    "own_rmse": own_rmse,
                }
            )
        )
    return pd.concat(tables, ignore_index=True)


def add_similarity(
    out: Measures,
    rows: pd.DataFrame,
    made: Mapping[str, Described],
    training: Mapping[str, Described],
    held_out: Mapping[str, Described],
    settings: Settings,
) -> None:
    """Percentiles of similarity and background, share above the threshold, split products, of each descriptor.

    rows : of the sample, from `similarity_rows`; made, training, held_out : descriptor -> described images of
    the sample, of the training set, and of images that were never trained on.
    """
    draws = (settings.resamples, settings.confidence, settings.seed)
    for name in made:
        suffix = "" if name == settings.first else f"@{name}"
        of_name = rows[rows["descriptor"] == name]
        values = of_name["similarity"].to_numpy()
        for percent in PERCENTILES:
            value, low, high = percentile_interval(values, percent, *draws)
            out.add(f"similarity:p{percent}{suffix}", value, len(values), low, high)
        among = background(training[name].whole)
        unseen = np.zeros(0)
        if len(held_out[name].whole):
            unseen = nearest(held_out[name].whole, training[name].whole)[0][:, 0]
        split_top = nearest_split(made[name].chunks, training[name].chunks)[0]
        others = {
            "background": (among, "training images among themselves"),
            "held_out": (unseen, "images that were never trained on"),
            "split": (of_name["split"].to_numpy(), "of the match"),
            "cross": (of_name["cross"].to_numpy(), "of the match"),
            "split_top": (split_top, "of the training image with the largest"),
        }
        for kind, (numbers, note) in others.items():
            for percent in (50, 95):
                value, low, high = percentile_interval(numbers, percent, *draws)
                out.add(f"{kind}:p{percent}{suffix}", value, len(numbers), low, high, note)
        for threshold in sorted({PAPER_THRESHOLD, settings.threshold}):
            for kind, numbers in (("share", values), ("background", among), ("held_out", unseen)):
                measure = f"{kind}_above:{threshold:g}{suffix}"
                out.add_share(measure, numbers > threshold, settings.confidence)


def add_complexity(
    out: Measures,
    rows: pd.DataFrame,
    complexity: Mapping[str, Mapping[int, float]],
    confidence: float,
) -> None:
    """Correlation of similarity with how complex the matched training image is (Somepalli 2023, section 4).

    rows : of the sample and one descriptor. complexity : measure -> image_id -> value.
    """
    for name, of_image in complexity.items():
        x = rows["match"].map(of_image).to_numpy(np.float64)
        found = correlate(x, rows["similarity"].to_numpy(), confidence)
        note = f"p = {found.p:.3g}" if np.isfinite(found.p) else "nothing varies, or too few"
        out.add(f"pearson:{name}", found.r, found.n, found.low, found.high, note)


def add_copies(
    out: Measures,
    copies: Copies,
    planted: np.ndarray,
    asked: np.ndarray,
    sample: np.ndarray,
    settings: Settings,
) -> None:
    """Recall of planted images, and the share of the sample that is a copy of any training image, by RMSE.

    planted, asked : (m,) of the training images: duplicated; whether its caption was asked for. sample : (n,)
    generations of kind `one`.
    """
    note = f"RMSE <= {settings.copy_rmse:g} to the nearest training image"
    out.add_share("recall", copies.found[planted], settings.confidence, note)
    out.add_share("recall_others", copies.found[~planted & asked], settings.confidence, note)
    hits = copies.nearest[sample] <= settings.copy_rmse
    out.add_share("copies_any", hits, settings.confidence, note)


def add_duplication(
    out: Measures,
    generations: pd.DataFrame,
    rows: pd.DataFrame,
    weight: Mapping[int, float],
    settings: Settings,
) -> None:
    """How often the source of a generation, and its match, are duplicated (Somepalli 2022).

    generations : the sample; rows : theirs, of one descriptor, in the same order. weight : image_id -> draws of
    a training image; a source that was not trained on has none.
    """
    source = generations["image_id"].map(weight).to_numpy(np.float64)
    match = rows["match"].map(weight).to_numpy(np.float64)
    asked = np.isfinite(source)
    copied = rows["similarity"].to_numpy() > settings.threshold
    same = generations["image_id"].to_numpy() == rows["match"].to_numpy()
    for kind, some in (("", asked), (":above", asked & copied)):
        out.add_share(f"duplicated_source{kind}", source[some] > 1, settings.confidence)
        out.add_share(f"duplicated_match{kind}", match[some] > 1, settings.confidence)
        out.add_share(f"match_is_source{kind}", same[some], settings.confidence)
    values = rows["similarity"].to_numpy()
    for name, some in (("planted", source > 1), ("others", source == 1)):
        if some.any():
            out.add_mean(f"similarity_mean:{name}", values[some], settings.confidence)
