"""Duplicate clusters: their sizes, how equal their captions are, and which rows a deduplicated set keeps.

Webster et al. 2023 (arXiv 2303.12733); Webster 2023, Fig. 4. A cluster's id is its lowest row. DuckDB groups and
sorts (`database`), so memory is bounded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from verbatim.dedup.database import Database

STATS = ["cluster", "size", "n_captions", "share_equal_captions", "caption", "row"]
MEMBER = {"row": "int64", "cluster": "int64"}
# of the captions of a cluster the most common one counts, of equally common ones the one met first
COUNTED = """
with counts as (
  select cluster, key, count(*) filter (usable) as n, min(row) filter (usable) as first, count(*) as size
  from given group by cluster, key
)
select cluster, sum(size)::bigint as size, count(*) filter (n > 0)::int as n_captions,
  (coalesce(max(n), 0) / sum(size))::float as share_equal_captions,
  coalesce(arg_max(first, n::hugeint * 4611686018427387904 - first) filter (n > 0), cluster) as row
from counts group by cluster
"""


def cluster_sizes(
    clusters: Iterable[pd.DataFrame], folder: Path, memory: int
) -> Iterator[pd.DataFrame]:
    """`cluster_sizes` table (row, cluster, size) in pieces, ascending by row.

    clusters: `clusters` table in pieces. folder: for what does not fit into memory. memory: bytes.
    """
    with Database(folder, memory) as base:
        base.load("members", clusters, MEMBER)
        yield from base.pieces(
            "select row, cluster, size from members join "
            "(select cluster, count(*)::int as size from members group by cluster) using (cluster) order by row"
        )


def cluster_stats(
    members: Iterable[pd.DataFrame],
    captions: Iterable[pd.DataFrame],
    folder: Path,
    memory: int,
) -> Iterator[pd.DataFrame]:
    """Size of each cluster, and the share of its rows with one caption (multimodal duplication).

    Webster 2023, Fig. 4: the share of a duplicate group that has the same caption.

    Parameters
    ----------
    members
        row, cluster, key (of the caption, uint64), usable (whether it can be a prompt) of all rows in clusters, in
        any number of pieces; the others count in `size` alone.
    captions
        row, caption of the rows whose caption can be a prompt, in any number of pieces.
    folder
        For what does not fit into memory.
    memory
        Bytes.

    Yields
    ------
    `cluster_stats` table in pieces, the largest cluster first, then by id. caption: the most common one, of equally
    common ones the one met first; row: its lowest row; share_equal_captions: rows with it / size. "", the
    cluster's lowest row and 0 where no caption can be a prompt.
    """
    with Database(folder, memory) as base:
        base.load("stats", members, {**MEMBER, "key": "uint64", "usable": "bool"}, COUNTED)
        base.load(
            "captions",
            captions,
            {"row": "int64", "caption": "string"},
            "select row, caption from given semi join stats using (row)",
        )
        yield from base.pieces(
            f"select {', '.join(STATS)} from (select stats.*, coalesce(caption, '') as caption from stats "
            "left join captions using (row)) order by size desc, cluster"
        )


def first_rows(
    members: Iterable[pd.DataFrame], folder: Path, memory: int
) -> Iterator[pd.DataFrame]:
    """The lowest row of each cluster (row), in pieces, ascending.

    members: row, cluster of the rows that can be kept, in any number of pieces. A row with a bad caption cannot be
    trained on, so that its cluster keeps another one.
    """
    with Database(folder, memory) as base:
        base.load("firsts", members, MEMBER, "select min(row) as row from given group by cluster")
        yield from base.pieces("select row from firsts order by row")


def kept_rows(usable: np.ndarray, clustered: np.ndarray, firsts: np.ndarray) -> pd.DataFrame:
    """`kept_rows` table of some rows: what a deduplicated training set keeps.

    Parameters
    ----------
    usable : (n,) int64, rows that can be kept, ascending.
    clustered : (m,) int64, those in a cluster.
    firsts : (c,) int64, the first row of each cluster.
    """
    again = np.isin(usable, clustered) & ~np.isin(usable, firsts)
    return pd.DataFrame({"row": usable[~again]})


def histogram(stats: Iterable[pd.DataFrame], n_alone: int, share_bins: int) -> pd.DataFrame:
    """`histograms` table: clusters and their rows by size and by share of equal captions.

    Webster 2023, Fig. 4. Sizes are binned by powers of two: 1, 2 to 3, 4 to 7, ...; shares by `share_bins` equal
    steps, each with its upper end, and one bin of 0 (no caption that can be a prompt). Rows in no
    cluster are clusters of size 1, all of whose captions are equal.

    stats: `cluster_stats` table in pieces. n_alone: rows in no cluster.
    """
    counts: dict[tuple[int, int], np.ndarray] = {(0, share_bins): np.array([n_alone, n_alone])}
    for frame in stats:
        size = frame["size"].to_numpy(np.int64)
        by_size = np.frexp(size.astype(np.float64))[1] - 1
        # rounded: 0.3 as float32 is a little more than three tenths
        by_share = np.ceil(np.round(frame["share_equal_captions"].to_numpy() * share_bins, 4))
        bins, at = np.unique(by_size * (share_bins + 1) + by_share.astype(int), return_inverse=True)
        rows = np.bincount(at, weights=size, minlength=len(bins))  # exact below 2**53
        for code, n, m in zip(bins.tolist(), np.bincount(at), rows, strict=True):
            where = divmod(code, share_bins + 1)
            counts[where] = counts.get(where, 0) + np.array([n, m], dtype=np.int64)
    return pd.DataFrame(
        [
            (2**i, 2 ** (i + 1) - 1, max(0, j - 1) / share_bins, j / share_bins, *counts[i, j])
            for i, j in sorted(counts)
        ],
        columns=["size_low", "size_high", "share_low", "share_high", "clusters", "rows"],
    )
