"""Duplicate clusters: their sizes, how equal their captions are, and which rows a deduplicated set keeps.

Webster et al. 2023 (arXiv 2303.12733); Webster 2023, Fig. 4. A cluster's id is its lowest row. The work is split
into buckets of whole clusters, so memory is bounded as long as one cluster fits into it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd

from verbatim.dedup.spill import (
    Buckets,
    RowStream,
    count_buckets,
    count_run_rows,
    sort_frames,
    spread,
)

STATS = ["cluster", "size", "n_captions", "share_equal_captions", "caption", "row"]


def _by_cluster(
    members: Iterable[pd.DataFrame], n_members: int, folder: Path, memory: int
) -> Iterator[pd.DataFrame]:
    """The same rows in frames of whole clusters; those of one in the order given."""
    n = count_buckets(n_members, 128, memory)
    with Buckets(folder, "clusters", n) as buckets:
        for frame in members:
            buckets.add(spread(frame["cluster"].to_numpy(), n), frame)
        for bucket in range(n):
            whole = buckets.frame(bucket)
            if whole is not None:
                yield whole


def cluster_sizes(
    clusters: Iterable[pd.DataFrame], n_members: int, folder: Path, memory: int
) -> Iterator[pd.DataFrame]:
    """`cluster_sizes` table (row, cluster, size) in pieces, ascending by row.

    clusters: `clusters` table in pieces, of `n_members` rows. folder: for buckets. memory: bytes.
    """

    def sized() -> Iterator[pd.DataFrame]:
        for frame in _by_cluster(clusters, n_members, folder, memory):
            size = frame.groupby("cluster")["row"].transform("size")
            yield frame.assign(size=size.astype("int32"))

    return sort_frames(sized(), {"row": True}, folder, count_run_rows(n_members, 64, memory))


def _count_captions(members: pd.DataFrame) -> pd.DataFrame:
    """`cluster_stats` of whole clusters, but for the captions themselves."""
    stats = members.groupby("cluster").agg(size=("row", "size")).reset_index()
    counts = (
        members[members["usable"]]
        .groupby(["cluster", "key"], sort=False)["row"]
        .agg(["size", "min"])
        .reset_index()
        .rename(columns={"size": "count", "min": "first"})
        .sort_values(["cluster", "count", "first"], ascending=[True, False, True])
    )
    n_captions = counts.groupby("cluster").size().rename("n_captions")
    top = counts.drop_duplicates("cluster").set_index("cluster")[["count", "first"]]
    stats = stats.join(n_captions, on="cluster").join(top, on="cluster")
    stats["n_captions"] = stats["n_captions"].fillna(0).astype("int32")
    stats["share_equal_captions"] = (stats["count"].fillna(0) / stats["size"]).astype("float32")
    stats["row"] = stats["first"].fillna(stats["cluster"]).astype("int64")
    return stats[["cluster", "size", "n_captions", "share_equal_captions", "row"]]


def cluster_stats(
    members: Iterable[pd.DataFrame],
    n_members: int,
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
    n_members
        How many rows these are.
    captions
        row, caption of the rows whose caption can be a prompt, ascending, in any number of pieces.
    folder
        For buckets.
    memory
        Bytes.

    Yields
    ------
    `cluster_stats` table in pieces, the largest cluster first, then by id. caption: the most common one, of equally
    common ones the one met first; row: its lowest row; share_equal_captions: rows with it / size. "", the
    cluster's lowest row and 0 where no caption can be a prompt.
    """
    rows = count_run_rows(n_members, 512, memory)

    def captioned() -> Iterator[pd.DataFrame]:
        counted = (_count_captions(f) for f in _by_cluster(members, n_members, folder, memory))
        stats = RowStream(sort_frames(counted, {"row": True}, folder, rows))
        for some in captions:
            if some.empty:
                continue
            here = stats.upto(int(some["row"].iloc[-1]))
            if not here.empty:
                yield here.merge(some, on="row", how="left", validate="one_to_one")
        rest = stats.rest()
        if not rest.empty:
            yield rest.assign(caption="")

    for piece in sort_frames(captioned(), {"size": False, "cluster": True}, folder, rows):
        yield piece.assign(caption=piece["caption"].fillna(""))[STATS]


def first_rows(
    members: Iterable[pd.DataFrame], n_members: int, folder: Path, memory: int
) -> Iterator[pd.DataFrame]:
    """The lowest row of each cluster (row), in pieces, ascending.

    members: row, cluster of the rows that can be kept, in any number of pieces, `n_members` at most. A row with a
    bad caption cannot be trained on, so that its cluster keeps another one.
    """
    lowest = (
        pd.DataFrame({"row": f.groupby("cluster")["row"].min().to_numpy()})
        for f in _by_cluster(members, n_members, folder, memory)
    )
    return sort_frames(lowest, {"row": True}, folder, count_run_rows(n_members, 64, memory))


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
