"""Duplicate clusters: connected components of the near-duplicate pairs.

Webster et al. 2023 (arXiv 2303.12733): neighbours above a threshold, then connected components. A cluster's
id is its lowest row.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


def _roots(parent: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """The root of each node; paths are halved on the way."""
    at = parent[nodes]
    while True:
        above = parent[at]
        if np.array_equal(above, at):
            parent[nodes] = at
            return at
        parent[nodes] = above
        at = above


def components(pairs: Iterable[tuple[np.ndarray, np.ndarray]], n_rows: int) -> np.ndarray:
    """The lowest row of each row's connected component, int64 (n_rows,).

    A union-find over whole arrays: the pairs pass by in chunks, each chunk's components are found among the
    roots it touches. No number depends on how the pairs are cut into chunks; memory is 8 bytes a row and
    the largest chunk.

    Parameters
    ----------
    pairs
        Chunks (row_a, row_b) of edges, rows in [0, n_rows).
    n_rows
        Rows in all.

    Raises
    ------
    ValueError
        If a pair names a row that is not there.
    """
    parent = np.arange(n_rows, dtype=np.int64)
    for row_a, row_b in pairs:
        if len(row_a) == 0:
            continue
        low, high = min(row_a.min(), row_b.min()), max(row_a.max(), row_b.max())
        if low < 0 or high >= n_rows:
            bad = low if low < 0 else high
            raise ValueError(
                f"a pair names row {bad}, but there are {n_rows} rows: pairs and manifest are of "
                "different runs; run search_pairs again"
            )
        edges = np.concatenate([_roots(parent, row_a), _roots(parent, row_b)])
        nodes, ends = np.unique(edges, return_inverse=True)
        half = len(row_a)
        graph = coo_array(
            (np.ones(half, dtype=bool), (ends[:half], ends[half:])), shape=(len(nodes), len(nodes))
        )
        _, label = connected_components(graph, directed=False)
        lowest = np.full(label.max() + 1, np.iinfo(np.int64).max)
        np.minimum.at(lowest, label, nodes)
        parent[nodes] = lowest[label]  # to the lowest root: a parent is never above its child
    while True:
        above = parent[parent]
        if np.array_equal(above, parent):
            return parent
        parent = above


def cluster_table(component: np.ndarray) -> pd.DataFrame:
    """`clusters` table (row, cluster) of the rows that are in a component of two or more."""
    size = np.bincount(component, minlength=len(component))
    row = np.flatnonzero(size[component] > 1)
    return pd.DataFrame({"row": row, "cluster": component[row]})


def cluster_stats(clusters: pd.DataFrame, captions: pd.DataFrame) -> pd.DataFrame:
    """How large each cluster is and how alike its captions are (multimodal duplication).

    Webster 2023, Fig. 4: the share of a duplicate group that has the same caption.

    Parameters
    ----------
    clusters
        `clusters` table.
    captions
        row, caption of the clustered rows whose caption can be a prompt; the others count in `size` alone.

    Returns
    -------
    `cluster_stats` table, the largest cluster first, then by id. caption: the most common one, of equally
    common ones the one met first; row: its lowest row; share_equal_captions: rows with it / size. "", the
    cluster's lowest row and 0 where no caption can be a prompt.
    """
    stats = clusters.groupby("cluster").size().rename("size").reset_index()
    joined = clusters.merge(captions, on="row", validate="one_to_one")
    counts = (
        joined.groupby(["cluster", "caption"], sort=False)["row"]
        .agg(["size", "min"])
        .reset_index()
        .rename(columns={"size": "count", "min": "first"})
        .sort_values(["cluster", "count", "first"], ascending=[True, False, True])
    )
    n_captions = counts.groupby("cluster").size().rename("n_captions")
    top = counts.drop_duplicates("cluster").set_index("cluster")
    stats = stats.join(n_captions, on="cluster").join(top, on="cluster")
    stats["n_captions"] = stats["n_captions"].fillna(0).astype("int32")
    stats["share_equal_captions"] = (stats["count"].fillna(0) / stats["size"]).astype("float32")
    stats["caption"] = stats["caption"].fillna("")
    stats["row"] = stats["first"].fillna(stats["cluster"]).astype("int64")
    stats = stats.sort_values(["size", "cluster"], ascending=[False, True], ignore_index=True)
    return stats[["cluster", "size", "n_captions", "share_equal_captions", "caption", "row"]]


def kept_rows(clusters: pd.DataFrame, usable: np.ndarray) -> pd.DataFrame:
    """`kept_rows` table: what a deduplicated training set keeps.

    The lowest usable row of each cluster, and all usable rows in none. usable: rows with status `ok`,
    ascending: a row with a bad caption cannot be trained on, so its cluster keeps another one.
    """
    rows = pd.DataFrame({"row": usable}).merge(
        clusters, on="row", how="left", validate="one_to_one"
    )
    again = rows["cluster"].notna() & rows.duplicated("cluster")
    return rows.loc[~again, ["row"]].reset_index(drop=True)
