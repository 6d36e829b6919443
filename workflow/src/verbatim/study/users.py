"""Prompts of users: what a model copies when it is asked in people's own words.

Somepalli 2023 (and 2022 with LAION Aesthetics): prompts of DiffusionDB run through Stable Diffusion, 1.2 % of 100,000
generations above 0.5; and whether the prompt says what the copied image's caption says. A file of prompts has
DiffusionDB's layout: metadata.parquet, columns prompt, seed, step, cfg, image_name and others; only prompt is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from verbatim.io.user_tables import (
    UserTable,
    UserTableError,
    check_columns,
    read_user_table,
    whole_number,
)
from verbatim.metrics.intervals import newcombe
from verbatim.metrics.rmse import pair_rmse
from verbatim.study.dataset import jaccard, words
from verbatim.study.measures import PAPER_THRESHOLD, Measures
from verbatim.study.similarity import nearest

# DiffusionDB's metadata.parquet, as published
LAYOUT = pa.schema(
    [
        ("image_name", pa.string()),
        ("prompt", pa.string()),
        ("part_id", pa.uint16()),
        ("seed", pa.uint32()),
        ("step", pa.uint16()),
        ("cfg", pa.float32()),
        ("sampler", pa.string()),
        ("width", pa.uint16()),
        ("height", pa.uint16()),
        ("user_name", pa.string()),
        ("timestamp", pa.timestamp("us", tz="UTC")),
        ("image_nsfw", pa.float32()),
        ("prompt_nsfw", pa.float32()),
    ]
)
COLUMNS = {"prompt": ("prompt",), "seed": ("seed",)}
CURE = "Take DiffusionDB's metadata.parquet, or a table with a column prompt, and a column seed if there is one"
# columns of `study_users` that drawing leaves for measuring
NOT_MEASURED = {
    "similarity": np.nan, "match": -1, "caption": "", "rmse": np.nan, "described": np.nan, "describes": False,
}  # fmt: skip


class UsersError(ValueError):
    """A file of prompts cannot be used; the message names the file, the column and the cure."""


def check_prompts(path: str | Path) -> None:
    """Refuse a file that has no column `prompt`, by its header or footer alone."""
    try:
        check_columns(path, COLUMNS, ["prompt"])
    except UserTableError as err:
        raise UsersError(f"config: study.users.prompts: {err}. {CURE}") from err


def read_prompts(path: str | Path, most: int, seed: int) -> pd.DataFrame:
    """A sample of a file's prompts: prompt, seed (of the noise: the file's own, or else the row's number).

    most : how many, drawn with `seed` and kept in the file's order; empty prompts and missing ones are left out,
    and a prompt that stands there more than once is taken once.
    """
    try:
        read = read_user_table(path, COLUMNS, ["prompt"])
    except UserTableError as err:
        raise UsersError(f"config: study.users.prompts: {err}. {CURE}") from err
    table = read.frame
    table = table[table["prompt"].fillna("").str.strip() != ""].drop_duplicates("prompt")
    if table.empty:
        raise UsersError(f"config: study.users.prompts: {path} has no prompt that is not empty")
    if len(table) > most:
        rows = np.random.default_rng(seed).choice(len(table), most, replace=False)
        table = table.iloc[np.sort(rows)]
    given = (
        table["seed"]
        if "seed" in table
        else pd.Series(np.full(len(table), None, dtype=object), table.index)
    )
    seeds = [
        _seed(text, int(row), read) for row, text in zip(given.index.to_numpy(), given, strict=True)
    ]
    table = table[["prompt"]].assign(seed=np.array(seeds, dtype=np.int64))
    return table.reset_index(drop=True)


def _seed(text: str | None, row: int, table: UserTable) -> int:
    """A seed as written; the row's number where there is none."""
    if text is None or not text.strip():
        return row
    whole = whole_number(text)
    if whole is None:
        raise UsersError(
            f"config: study.users.prompts: {table.where(row)}: the seed is {text!r}, no whole number of 0 or more; "
            "correct it or leave it empty"
        )
    return whole


def make_prompts(pool: pd.DataFrame, members: set[int], most: int, seed: int) -> pd.DataFrame:
    """A file of prompts in DiffusionDB's layout for the embedded world, which has no users.

    Names of images, as many that the model was trained on as that it was not, half of each as they are and half in
    other words: one word left out, or two names in one prompt. Nothing in it tells which is which.

    pool : `study_pool`. members : image_ids that the model is trained on.
    """
    rng = np.random.default_rng(seed)
    inside = pool["image_id"].isin(members).to_numpy()
    prompts: list[str] = []
    for some in (pool[inside], pool[~inside & pool["held_out"].to_numpy()]):
        names = some["caption"].to_numpy()
        chosen = rng.permutation(len(names))[: most // 2]
        for place, i in enumerate(chosen):
            parts = names[i].split()
            if place % 2 and len(parts) > 1:
                del parts[rng.integers(len(parts))]
            elif place % 2:
                parts += ["and", str(names[rng.integers(len(names))])]
            prompts.append(" ".join(parts))
    prompts = list(dict.fromkeys(prompts))
    order = rng.permutation(len(prompts))
    n = len(prompts)
    return pd.DataFrame(
        {
            "image_name": [f"{i:08d}.png" for i in range(n)],
            "prompt": [prompts[i] for i in order],
            "part_id": np.ones(n, np.uint16),
            "seed": rng.integers(0, 2**32, n, dtype=np.uint32),
            "step": np.zeros(n, np.uint16),
            "cfg": np.zeros(n, np.float32),
            "sampler": "",
            "width": np.zeros(n, np.uint16),
            "height": np.zeros(n, np.uint16),
            "user_name": "",
            "timestamp": pd.Timestamp(0, tz="UTC"),
            "image_nsfw": np.zeros(n, np.float32),
            "prompt_nsfw": np.zeros(n, np.float32),
        }
    )


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


def match_users(
    users: pd.DataFrame,
    images: np.ndarray,
    made: np.ndarray,
    rows: pd.DataFrame,
    training: np.ndarray,
    training_images: np.ndarray,
    embed: Callable[[list[str]], np.ndarray],
    describes_from: float,
) -> pd.DataFrame:
    """`study_users` with the training image most like each generation, and whether its caption was asked for.

    Parameters
    ----------
    users : as drawn. images : (n, s, s, 3) uint8. made : (n, d), their vectors.
    rows : `study_rows` of the members (m,). training : (m, d). training_images : (m, s, s, 3) uint8.
    embed : captions to unit vectors. describes_from : `describes` from which a prompt describes its match.
    """
    similarity, place = (found[:, 0] for found in nearest(made, training))
    users = users.assign(
        similarity=similarity.astype(np.float64),
        match=rows["image_id"].to_numpy()[place].astype(np.int32),
        caption=rows["caption"].to_numpy()[place],
        rmse=pair_rmse(images, training_images[place]),
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
    the match is duplicated; and how much that is above the share of images that no point was trained on.

    Most images of a narrow world are near to some training image, whether they copy it or not: the share alone
    says nothing.

    users : `study_users`. weight : image_id -> draws. held_out : similarity of each image that was never trained
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
