"""Prompts from a list instead of the most duplicated ones.

Webster 2023 published his: `most_duplicated_metadata.parquet` and `membership_attack_top30k.parquet`,
columns caption and url, with repeated rows.
"""

from __future__ import annotations

import os
from typing import NamedTuple

import numpy as np
import pandas as pd

from verbatim.dedup import DedupError
from verbatim.io.records import prompt_id
from verbatim.io.user_tables import CAPTIONS, UserTableError, read_user_table

CURE = "dedup.prompt_list must be a .csv, .tsv, .jsonl, .parquet or .txt file of captions, or empty"


class PromptList(NamedTuple):
    """captions : caption, url, in the list's order. repeated, unusable : rows of it left out."""

    captions: pd.DataFrame
    repeated: int
    unusable: int


def read_prompt_list(
    path: str | os.PathLike, n_prompts: int, caption_chars: tuple[int, int]
) -> PromptList:
    """The first `n_prompts` captions of a list, each once, with their urls.

    Parameters
    ----------
    path
        Columns caption (or prompt, text), and url if there is one, in any case; others are not read.
    caption_chars
        Fewest and most characters of a prompt; a caption beyond is left out and counted.

    Raises
    ------
    DedupError
        Naming the file: it cannot be read, has no captions column, a url begins with a space, or no prompt is left.
    """
    try:
        table = read_user_table(path, CAPTIONS, ["caption"], lines_of="caption")
    except UserTableError as err:
        raise DedupError(f"{err}. {CURE}") from err
    frame = table.frame
    if "url" not in frame:
        frame["url"] = ""
    frame["url"] = frame["url"].fillna("")
    cut = np.flatnonzero(frame["url"].str.match(r"\s"))
    if len(cut):
        raise DedupError(
            f"{table.where(cut[0])}: the url is {frame['url'][cut[0]]!r}, which begins with a space: the caption before it "
            "holds a comma and must stand in quotes"
        )
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


def unplaced_prompts(captions: pd.Series) -> pd.DataFrame:
    """The `prompts` table of captions that are not looked up in any training data, each once, in order.

    All are `extra`: no ranking selected them, so every stage of the attack takes all of them.
    """
    once = captions.drop_duplicates().reset_index(drop=True)
    table = pd.DataFrame({"prompt_id": [prompt_id(caption) for caption in once], "caption": once})
    nothing = {"row": -1, "cluster": -1, "cluster_size": 0, "caption_count": 0}
    return table.assign(**nothing, share_equal_captions=0.0, extra=True, rank=np.arange(len(table)))


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
