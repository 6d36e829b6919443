"""Prompts from a list instead of the most duplicated ones.

Webster 2023 published his: `most_duplicated_metadata.parquet` and `membership_attack_top30k.parquet`,
columns caption and url, with repeated rows.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from verbatim.dedup import DedupError
from verbatim.dedup.prompts import CAPTION_COLUMNS
from verbatim.records import prompt_id

CURE = "dedup.prompt_list must be a .parquet or .csv file of captions, or empty"


class PromptList(NamedTuple):
    """captions : caption, url, in the list's order. repeated, unusable : rows of it left out."""

    captions: pd.DataFrame
    repeated: int
    unusable: int


def read_prompt_list(
    path: str | os.PathLike, n_prompts: int, caption_chars: tuple[int, int]
) -> PromptList:
    """The first `n_prompts` captions of a Parquet or CSV list, each once, with their urls.

    Parameters
    ----------
    path
        Columns caption (or prompt, text), and url if there is one, in any case; others are not read.
    caption_chars
        Fewest and most characters of a prompt; a caption beyond is left out and counted.

    Raises
    ------
    DedupError
        Naming the file: it cannot be read, has no captions column, or its captions or urls are no text,
        or no prompt is left.
    """
    path = Path(path)
    try:
        if path.suffix == ".parquet":
            names = pq.read_schema(path).names
        elif path.suffix == ".csv":
            names = list(pd.read_csv(path, nrows=0, encoding="utf-8-sig").columns)
        else:
            raise DedupError(f"{path}: {CURE}")
        by_name = {str(name).lower(): name for name in names}
        caption = next((by_name[n] for n in CAPTION_COLUMNS if n in by_name), None)
        if caption is None:
            raise DedupError(
                f"{path}: no column {' or '.join(CAPTION_COLUMNS)}, it has {names}; {CURE}"
            )
        columns = [caption] + ([by_name["url"]] if "url" in by_name else [])
        if path.suffix == ".parquet":
            frame = pq.read_table(path, columns=columns).to_pandas()[columns]
        else:
            frame = pd.read_csv(
                path, usecols=columns, dtype=str, keep_default_na=False, encoding="utf-8-sig"
            )[columns]
    except FileNotFoundError as err:
        raise DedupError(f"{path}: no such file; {CURE}") from err
    except (
        pa.ArrowInvalid,
        OSError,
        UnicodeDecodeError,
        pd.errors.ParserError,
        pd.errors.EmptyDataError,
    ) as err:
        raise DedupError(f"{path}: cannot be read ({err}); {CURE}") from err
    frame.columns = ["caption", "url"][: len(columns)]
    frame = frame.reset_index(drop=True)
    for name in frame.columns:
        known = frame[name].notna()
        if not frame.loc[known, name].map(lambda value: isinstance(value, str)).all():
            raise DedupError(f"{path}: column {name!r} is {frame[name].dtype}, not text; {CURE}")
    if "url" not in frame:
        frame["url"] = ""
    frame["url"] = frame["url"].fillna("")
    length = frame["caption"].fillna("").str.strip().str.len()
    usable = frame[length.between(max(1, caption_chars[0]), caption_chars[1])]
    once = usable.drop_duplicates("caption")
    if once.empty:
        raise DedupError(
            f"{path}: none of its {len(frame)} captions can be a prompt; see dedup.min_caption_chars and "
            "dedup.max_caption_chars"
        )
    captions = once.head(n_prompts).reset_index(drop=True)
    return PromptList(captions, len(usable) - len(once), len(frame) - len(usable))


def listed_prompts(
    captions: pd.DataFrame,
    found: pd.DataFrame,
    n_listed: int,
    clusters: pd.DataFrame,
    stats: pd.DataFrame,
) -> pd.DataFrame:
    """The `prompts` table of a list, in its order: `rank` is the place in it.

    Parameters
    ----------
    captions
        caption, unique: the list's, then the extra ones.
    found
        row (-1: not in the data) and caption_count of each, in the same order.
    n_listed
        How many are the list's; the others are `extra`.
    clusters, stats
        `clusters` and `cluster_stats` tables, of these rows at least.

    Returns
    -------
    As `prompts.select_prompts` gives it: a row in no cluster has cluster -1 and size 1, a caption that is
    not in the data row -1, cluster -1 and size 0.
    """
    table = found[["row", "caption_count"]].assign(caption=captions["caption"].to_numpy())
    table = table.merge(clusters, on="row", how="left", validate="many_to_one")
    table["cluster"] = table["cluster"].fillna(-1).astype("int64")
    by_cluster = stats.set_index("cluster")
    in_data = table["row"] >= 0
    table["cluster_size"] = (
        table["cluster"].map(by_cluster["size"]).fillna(in_data.astype(float)).astype("int32")
    )
    share = table["cluster"].map(by_cluster["share_equal_captions"]).astype(float)
    table["share_equal_captions"] = share.fillna(in_data.astype(float))
    table["rank"] = np.arange(len(table))
    table["extra"] = table["rank"] >= n_listed
    table["prompt_id"] = [prompt_id(caption) for caption in table["caption"]]
    return table
