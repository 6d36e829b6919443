"""Files of users' prompts, and the prompts that stand for them in the embedded world.

A file has the layout of DiffusionDB: metadata.parquet with the columns prompt, seed, step, cfg, image_name and
others. Only prompt is needed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

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
# columns of `similarity_users` that drawing leaves for measuring
NOT_MEASURED: dict[str, Any] = {
    "similarity": np.nan, "match": -1, "caption": "", "rmse": np.nan, "described": np.nan, "describes": False,
}  # fmt: skip


class UsersError(ValueError):
    """A file of prompts cannot be used; the message names the file, the column and the cure."""


def check_prompts(path: str | Path) -> None:
    """Refuse a file that has no column `prompt`, by its header or footer alone."""
    try:
        check_columns(path, COLUMNS, ["prompt"])
    except UserTableError as err:
        raise UsersError(f"config: mitigation.users.prompts: {err}. {CURE}") from err


def read_prompts(path: str | Path, most: int, seed: int) -> pd.DataFrame:
    """A sample of a file's prompts: prompt, seed (of the noise: the file's own, or else the row's number).

    most : how many, drawn with `seed` and kept in the file's order; empty prompts and missing ones are left out,
    and a prompt that stands there more than once is taken once.
    """
    try:
        read = read_user_table(path, COLUMNS, ["prompt"])
    except UserTableError as err:
        raise UsersError(f"config: mitigation.users.prompts: {err}. {CURE}") from err
    table = read.frame
    table = table[table["prompt"].fillna("").str.strip() != ""].drop_duplicates("prompt")
    if table.empty:
        raise UsersError(
            f"config: mitigation.users.prompts: {path} has no prompt that is not empty"
        )
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
            f"config: mitigation.users.prompts: {table.where(row)}: the seed is {text!r}, no whole number of 0 or more; "
            "correct it or leave it empty"
        )
    return whole


def make_prompts(pool: pd.DataFrame, members: set[int], most: int, seed: int) -> pd.DataFrame:
    """A file of prompts in DiffusionDB's layout for the embedded world, which has no users.

    Names of images, as many that the model was trained on as that it was not, half of each as they are and half in
    other words: one word left out, or two names in one prompt. Nothing in it tells which is which.

    pool : `sweep_pool`. members : image_ids that the model is trained on.
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
