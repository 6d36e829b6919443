"""The most duplicated prompts, each once.

Webster 2023, section 4, attacks the captions of the most duplicated images of LAION. His list repeats rows; here each
caption is one prompt. Two captions are the same if all characters are equal. Nothing is normalised, because a
model's tokenizer sees case and punctuation.

Prompts are ranked by `max(cluster_size, caption_count)`. Webster ranks by the duplicates of the image alone
(cluster_size). The count of the caption is included because a caption can be frequent with many different images. Such
a prompt has nothing to copy, and without it an evaluation could not separate copies from frequency. Of tied captions
the one that is more frequent in its cluster comes first (Webster's multimodal duplication), then the lower row.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from verbatim.dedup import DedupError
from verbatim.dedup.database import Database
from verbatim.io.records import prompt_id
from verbatim.io.user_tables import CAPTIONS, UserTableError, read_user_table

EXTRA = {"caption": CAPTIONS["caption"]}
ROW_COLUMNS = {"key": "uint64", "row": "int64", "cluster": "int64", "cluster_size": "int32"}
RANKED = ["key", "row", "cluster", "cluster_size", "caption_count", "own_count"]
ORDER = "order by greatest(cluster_size, caption_count) desc, own_count desc, row"
# a row in no cluster is a cluster of its own, without a name; of a caption's clusters the largest counts, of equally
# large ones the one that it is met in first
BEST = """
with met as (
  select key, case when cluster = -1 then -1 - row else cluster end as grp, min(row) as row,
    any_value(cluster) as cluster, any_value(cluster_size) as cluster_size, count(*) as own_count
  from given group by key, grp
)
select key, sum(own_count)::bigint as caption_count, max(cluster_size) as cluster_size,
  arg_max(row, cluster_size::hugeint * 4611686018427387904 - row) as row,
  arg_max(cluster, cluster_size::hugeint * 4611686018427387904 - row) as cluster,
  arg_max(own_count, cluster_size::hugeint * 4611686018427387904 - row) as own_count
from met group by key
"""


def caption_keys(captions: pd.Series) -> np.ndarray:
    """64-bit key of each caption, uint64 (n,): to count captions without holding them in memory.

    Two of two billion captions share a key with odds of about one in ten; they would count as one.
    """
    return pd.util.hash_array(captions.to_numpy(dtype=object), categorize=False)


class Ranking(NamedTuple):
    """The captions that can be asked for, and how many there are.

    ranked: a row for each caption: key, row (its lowest row in its largest cluster, or its lowest row if it is in
    none), cluster (-1: none), cluster_size (1 if in none), caption_count (rows with this caption), own_count (of
    those in that cluster). First the n most frequent of all captions, then the `asked` ones that are not among them.
    """

    ranked: pd.DataFrame
    n_captions: int


def rank_captions(
    pieces: Iterable[pd.DataFrame], n: int, asked: np.ndarray, folder: Path, memory: int
) -> Ranking:
    """The first n captions of a training set of any size, the most frequent first.

    Parameters
    ----------
    pieces
        key (of the caption), row, cluster (-1: none) and cluster_size (1 if in none) of each row whose caption can
        be a prompt, in any number of pieces and any order.
    n
        Captions wanted; 100 bytes of memory each.
    asked
        Keys of captions that are wanted wherever they rank.
    folder
        For what does not fit into memory, about 110 bytes a row.
    memory
        Bytes.
    """
    types = dict(ROW_COLUMNS)
    with Database(folder, memory) as base:
        base.load("best", pieces, types, BEST)
        base.load("asked", [pd.DataFrame({"key": asked})], {"key": "uint64"})
        count = int(base.frame("select count(*) as n from best")["n"].iloc[0])
        top = base.frame(f"select {', '.join(RANKED)} from best {ORDER} limit {int(n)}")
        beside = base.frame(
            f"select {', '.join(RANKED)} from best semi join asked using (key) {ORDER}"
        )
    beside = beside[~beside["key"].isin(top["key"])]
    return Ranking(pd.concat([top, beside], ignore_index=True), count)


def select_prompts(
    ranked: pd.DataFrame,
    n_prompts: int,
    captions: pd.DataFrame,
    stats: pd.DataFrame,
    extra: list[str],
) -> pd.DataFrame:
    """The `prompts` table: the first `n_prompts` captions, then the extra ones that are not among them.

    Parameters
    ----------
    ranked
        From `rank_captions`.
    n_prompts
        How many of them.
    captions
        row, caption of at least the first `n_prompts` of `ranked`, and of rows of the extra captions that
        are in the data.
    stats
        `cluster_stats` table.
    extra
        Captions to judge beside. One that is among the first stays theirs: `extra` marks what was asked for
        and not selected, so that asking changes no selection. One that is not in the data has row -1,
        cluster -1 and was met 0 times.

    Raises
    ------
    DedupError
        If there is no prompt at all.
    """
    if n_prompts < 0:
        raise DedupError(f"dedup.n_prompts is {n_prompts}; it must not be negative")
    extra = list(dict.fromkeys(extra))
    known = ranked.set_index("key")
    keys = caption_keys(pd.Series(extra, dtype=object)) if extra else np.empty(0, np.uint64)
    chosen = ranked.head(n_prompts)
    beside = known.loc[[k for k in keys if k in known.index]].reset_index()
    beside = beside[~beside["key"].isin(chosen["key"])]
    new = [caption for caption, key in zip(extra, keys, strict=True) if key not in known.index]
    prompts = pd.concat([chosen, beside], ignore_index=True)
    prompts = prompts.merge(captions, on="row", how="left", validate="many_to_one")
    if prompts["caption"].isna().any():
        raise DedupError(
            f"row {prompts.loc[prompts['caption'].isna(), 'row'].iloc[0]} has no caption"
        )
    absent = pd.DataFrame(
        {"row": -1, "cluster": -1, "cluster_size": 0, "caption_count": 0, "caption": new},
        index=range(len(new)),
    )
    prompts = pd.concat([prompts, absent], ignore_index=True) if new else prompts
    if prompts.empty:
        raise DedupError(
            "no prompt is left: no row of the inputs has status `ok`, or dedup.n_prompts is 0, and "
            "inputs.extra_prompts adds none. See the column `reason` in inputs/rows, and "
            "dedup.min_caption_chars and dedup.max_caption_chars"
        )
    share = stats.set_index("cluster")["share_equal_captions"]
    alone = pd.Series(np.where(prompts["row"] >= 0, 1.0, 0.0))  # one row has one caption
    prompts["share_equal_captions"] = prompts["cluster"].map(share).astype(float).fillna(alone)
    prompts["rank"] = np.arange(len(prompts))
    prompts["extra"] = prompts["rank"] >= len(chosen)
    prompts["prompt_id"] = [prompt_id(caption) for caption in prompts["caption"]]
    return prompts.drop(columns=["key", "own_count"], errors="ignore")


def read_extra_prompts(path: str | os.PathLike, caption_chars: tuple[int, int]) -> list[str]:
    """Captions of a table (column caption, prompt or text) or of a text file (one a line).

    Raises DedupError, naming file and line or row, if the file cannot be read or a caption does not have
    between `caption_chars` characters: no caption of a user's list is dropped without a message.
    """
    shortest, longest = max(1, caption_chars[0]), caption_chars[1]
    try:
        table = read_user_table(path, EXTRA, ["caption"], lines_of="caption")
    except UserTableError as err:
        raise DedupError(
            f"inputs.extra_prompts: {err}. It must be a .csv, .tsv, .jsonl, .parquet or .txt file of captions, "
            "`world`, or empty"
        ) from err
    captions: list[str] = table.frame["caption"].tolist()
    for i, caption in enumerate(captions):
        if caption is None or not shortest <= len(caption.strip()) <= longest:
            shown = caption if caption is None or len(caption) < 60 else caption[:60] + "..."
            raise DedupError(
                f"{table.where(i)}: the caption {shown!r} must be text of {shortest} to {longest} characters "
                "(dedup.min_caption_chars, dedup.max_caption_chars)"
            )
    return captions
