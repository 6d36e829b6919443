"""Placeholder images: one image ("image not available") under unrelated captions.

A match with one shows that the model learnt the placeholder.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

WORD = re.compile(r"\w+")
MOST_COMPARED = 40  # captions whose every pair is compared: 780 pairs settle a median


def caption_overlap(captions: Sequence[str]) -> float:
    """Median Jaccard overlap of the words of every pair of distinct captions; NaN for fewer than two."""
    words = [frozenset(WORD.findall(c.lower())) for c in dict.fromkeys(captions)][:MOST_COMPARED]
    shares = [len(a & b) / len(a | b) for a, b in combinations(words, 2) if a | b]
    return float(np.median(shares)) if shares else float("nan")


def find_placeholders(
    fetched: pd.DataFrame,
    clusters: pd.DataFrame,
    stats: pd.DataFrame,
    image_of: Mapping[int, int],
    captions: int,
    overlap: float,
) -> set[int]:
    """Indices of the images that are placeholders.

    Parameters
    ----------
    fetched, clusters : tables of these names. stats : a `cluster_stats` table.
    image_of : row -> image.
    captions : fewest distinct captions of a placeholder. overlap : largest `caption_overlap`.
    """
    rows = fetched[fetched["row"].isin(list(image_of))][["row", "caption"]]
    rows = rows.assign(image=rows["row"].map(image_of))
    rows = rows.merge(clusters, on="row", how="left")
    counted = stats.set_index("cluster")["n_captions"].to_dict()
    by_cluster = rows.dropna(subset=["cluster"]).groupby("cluster")["caption"].agg(set).to_dict()
    found = set()
    for image in rows["image"].unique().tolist():
        group = rows[rows["image"] == image]
        texts = set(group["caption"])
        many = len(texts)
        for cluster in group["cluster"].dropna().unique():
            texts |= by_cluster[cluster]
            many = max(many, int(counted.get(int(cluster), 0)))
        many = max(many, len(texts))
        if many >= captions and len(texts) > 1 and caption_overlap(sorted(texts)) <= overlap:
            found.add(int(image))
    return found
