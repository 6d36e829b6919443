"""Users' generations: what a model copies when its prompts are people's own words.

Somepalli 2023 (and 2022 with LAION Aesthetics): prompts of DiffusionDB run through Stable Diffusion, 1.2 % of 100,000
generations above 0.5; and whether the prompt says what the copied image's caption says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from verbatim.io.measures import Measures
from verbatim.metrics.intervals import newcombe
from verbatim.metrics.rmse import pair_rmse
from verbatim.metrics.similarity import nearest
from verbatim.similarity.dataset import jaccard, words
from verbatim.similarity.run_measures import PAPER_THRESHOLD


def describes(
    prompts: pd.Series, captions: pd.Series, text: Mapping[str, np.ndarray]
) -> np.ndarray:
    """How much each prompt says what the match's caption says, (n,): text feature dot x unigram Jaccard.

    The measure of Somepalli 2023 for captions of one cluster. text : prompt or caption -> unit vector.
    """
    return np.array(
        [
            float(text[prompt] @ text[caption]) * jaccard(words(prompt), words(caption))
            for prompt, caption in zip(prompts, captions, strict=True)
        ]
    )


@dataclass(frozen=True)
class TrainingImages:
    """What a model was trained on: `sweep_rows` of the members (m,), their vectors (m, d), images (m, s, s, 3) uint8."""

    rows: pd.DataFrame
    vectors: np.ndarray
    images: np.ndarray


def match_users(
    users: pd.DataFrame,
    images: np.ndarray,
    made: np.ndarray,
    training: TrainingImages,
    embed: Callable[[list[str]], np.ndarray],
    describes_from: float,
) -> pd.DataFrame:
    """`similarity_users` with the training image most like each generation, and whether its caption was asked for.

    Parameters
    ----------
    users : as drawn. images : (n, s, s, 3) uint8. made : (n, d), their vectors.
    embed : captions to unit vectors. describes_from : `describes` from which a prompt describes its match.
    """
    similarity, place = (found[:, 0] for found in nearest(made, training.vectors))
    users = users.assign(
        similarity=similarity.astype(np.float64),
        match=training.rows["image_id"].to_numpy()[place].astype(np.int32),
        caption=training.rows["caption"].to_numpy()[place],
        rmse=pair_rmse(images, training.images[place]),
    )
    texts = sorted({*users["prompt"], *users["caption"]})
    text = dict(zip(texts, embed(texts), strict=True))
    described = describes(users["prompt"], users["caption"], text)
    return users.assign(described=described, describes=described >= describes_from)


def add_users(
    out: Measures,
    users: pd.DataFrame,
    weight: Mapping[int, float],
    held_out: np.ndarray,
    threshold: float,
    confidence: float,
) -> None:
    """Share of users' generations above the threshold, by whether the prompt describes the match, and by whether
    the match is duplicated; and how much that is above what images reach that nobody trained on.

    Most images of a narrow world are near to some training image, whether they copy it or not: the share alone
    says nothing.

    users : `similarity_users`. weight : image_id -> draws. held_out : similarity of each image that was never trained
    on to the training image most like it.
    """
    similarity = users["similarity"].to_numpy(np.float64)
    above = similarity > threshold
    told = users["describes"].to_numpy(bool)
    again = users["match"].map(weight).to_numpy(np.float64) > 1
    out.add_share("users_above", above, confidence, f"similarity above {threshold:g}")
    out.add_share(f"users_above:{PAPER_THRESHOLD:g}", similarity > PAPER_THRESHOLD, confidence)
    out.add_share(
        "users_above:described", above[told], confidence, "prompts that describe their match"
    )
    out.add_share("users_above:not_described", above[~told], confidence)
    out.add_share(
        "users_above:duplicated", above[again], confidence, "of matches that are duplicated"
    )
    unseen = held_out > threshold
    out.add_share("users_above:held_out", unseen, confidence, "images that were never trained on")
    value, low, high = newcombe(above, unseen, confidence)
    note = f"{len(above)} generations, {len(unseen)} images that were never trained on"
    out.add("users_above:over_held_out", value, len(above), low, high, note)
    out.add_share("users_described:above", told[above], confidence, "of generations above it")
    out.add_share("users_duplicated:above", again[above], confidence, "of generations above it")
    out.add_share("users_duplicated", again, confidence)
