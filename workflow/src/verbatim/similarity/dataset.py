"""Duplicates and captions in a data set, and what is copied of them.

Somepalli 2023, section 3 and Fig. 2: clusters of images more alike than 0.7 by a copy detector; caption similarity
of a cluster, the median over pairs of its captions of (text feature dot x unigram Jaccard); replication against both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from verbatim.io.measures import Measures
from verbatim.metrics.complexity import correlate

# ASSUME: captions of a cluster that are compared, evenly taken; 200 make 19,900 pairs, and a median is then sure
MOST_CAPTIONS = 200


def cluster_images(features: np.ndarray, threshold: float, batch: int = 2048) -> np.ndarray:
    """Cluster of each image (n,): connected components of pairs with a dot product above the threshold.

    A cluster's number is its lowest place. features (n, d), unit length.
    """
    n = len(features)
    left, right = [], []
    for start in range(0, n, batch):
        a, b = np.nonzero(features[start : start + batch] @ features.T > threshold)
        left.append(a + start)
        right.append(b)
    if not n:
        return np.zeros(0, np.int64)
    pairs = (np.concatenate(left), np.concatenate(right))
    graph = coo_array((np.ones(len(pairs[0]), bool), pairs), shape=(n, n))
    _, label = connected_components(graph, directed=False)
    lowest = np.full(label.max() + 1, n)
    np.minimum.at(lowest, label, np.arange(n))
    return lowest[label].astype(np.int64)


def words(caption: str) -> frozenset[str]:
    """The unigrams of a caption: its words, in small letters."""
    return frozenset(caption.lower().split())


def jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    """Words in common / words in all; two captions without a word are the same."""
    union = len(a | b)
    return len(a & b) / union if union else 1.0


def caption_similarity(
    captions: Sequence[str], features: np.ndarray, draws: Sequence[float]
) -> float:
    """Median over pairs of a cluster's rows of (text feature dot x unigram Jaccard); NaN of one row alone.

    Parameters
    ----------
    captions : (n,) different captions.
    features : (n, d) of the captions, unit length.
    draws : (n,) how many rows of the data set have each; pairs count as often as they would among all rows.
    """
    keep = np.unique(
        np.linspace(0, len(captions) - 1, min(len(captions), MOST_CAPTIONS)).astype(int)
    )
    bags, count = [words(captions[i]) for i in keep], np.asarray(draws, np.float64)[keep]
    dots = features[keep] @ features[keep].T
    values, weights = [], []
    for i in range(len(keep)):
        values.append(1.0)  # two rows of one caption, but for rounding of its unit vector
        weights.append(count[i] * (count[i] - 1) / 2)
        for j in range(i):
            values.append(float(dots[i, j]) * jaccard(bags[i], bags[j]))
            weights.append(count[i] * count[j])
    return weighted_median(np.array(values), np.array(weights))


def weighted_median(values: np.ndarray, weights: np.ndarray) -> float:
    """Weighted median of values (n,) with weights (n,), at least 0; NaN if the weights sum to 0."""
    order = np.argsort(values, kind="stable")
    order = order[weights[order] > 0]
    if not len(order):
        return float("nan")
    reached = np.cumsum(weights[order])
    half = reached[-1] / 2
    low = order[np.searchsorted(reached, half - 1e-9)]
    high = order[np.searchsorted(reached, half + 1e-9)]
    return float((values[low] + values[high]) / 2)


def caption_rows(rows: pd.DataFrame, texts: Sequence[Sequence[str]]) -> pd.DataFrame:
    """The rows of the data set that a point's weights make: image_id, caption, weight, draws.

    rows : `sweep_rows` of members. texts : the captions of each, which its draws have in turn. weight : of the
    image; draws : of the caption, of which an image with more captions than draws (multiple captions, MC) counts
    each once.
    """
    found = [
        (image, caption, weight, max(1.0, weight / len(captions)))
        for image, weight, captions in zip(
            rows["image_id"].tolist(), rows["weight"].tolist(), texts, strict=True
        )
        for caption in captions
    ]
    return pd.DataFrame(found, columns=["image_id", "caption", "weight", "draws"])


def cluster_table(
    captions: pd.DataFrame, cluster_of: Mapping[int, int], text: Mapping[str, np.ndarray]
) -> pd.DataFrame:
    """One row for each cluster of a training set: its rows, images and captions, and the similarity of the captions.

    Parameters
    ----------
    captions : from `caption_rows`.
    cluster_of : image_id -> cluster.
    text : caption -> unit vector.
    """
    known = captions.assign(cluster=captions["image_id"].map(cluster_of))
    found = []
    for cluster, rows in known.groupby("cluster", sort=True):
        by_caption = rows.groupby("caption", sort=True)["draws"].sum()
        vectors = np.stack([text[caption] for caption in by_caption.index])
        weight = rows.drop_duplicates("image_id")["weight"]
        found.append(
            {
                "cluster": int(str(cluster)),
                "size": float(weight.sum()),
                "images": len(weight),
                "n_captions": len(by_caption),
                "caption_similarity": caption_similarity(
                    list(by_caption.index), vectors, by_caption.tolist()
                ),
            }
        )
    columns = ["cluster", "size", "images", "n_captions", "caption_similarity"]
    return pd.DataFrame(found, columns=columns)


def add_replication(
    clusters: pd.DataFrame,
    similarities: pd.DataFrame,
    cluster_of: Mapping[int, int],
    threshold: float,
) -> pd.DataFrame:
    """Clusters with what a model copies of them: generations whose match lies in it, their mean similarity, and
    how many are above the threshold.

    similarities : `similarity_matches` of one descriptor.
    """
    of_match = similarities["match"].map(cluster_of)
    grouped = similarities.groupby(of_match)["similarity"]
    matched = pd.DataFrame(
        {
            "generations": grouped.size(),
            "replication": grouped.mean(),
            "copies": grouped.apply(lambda values: int((values > threshold).sum())),
        }
    )
    joined = clusters.join(matched, on="cluster")
    for name in ("generations", "copies"):
        joined[name] = joined[name].fillna(0).astype(np.int64)
    return joined


def add_dataset(out: Measures, clusters: pd.DataFrame, confidence: float) -> None:
    """What the clusters of a training set say in numbers, and how replication goes with repetition and captions.

    Both correlations are over clusters of one image: a cluster of several is large because they are alike, and
    near to what is generated because of the same, whether any of them is repeated or not.

    clusters : from `add_replication`. A cluster is duplicated if more than one row is drawn of it.
    """
    size, alike = clusters["size"].to_numpy(), clusters["caption_similarity"].to_numpy()
    one, again = clusters["images"].to_numpy() == 1, size > 1
    out.add_share("clusters_of_several", ~one, confidence, "several images")
    out.add("cluster_size:max", size.max() if len(size) else np.nan, len(size))
    known = alike[again & np.isfinite(alike)]
    out.add_mean(
        "caption_similarity", known, confidence, "clusters of which more than one row is drawn"
    )
    replication = np.where(clusters["generations"] > 0, clusters["replication"], np.nan)
    for name, x, some, of in (
        ("cluster_size", np.log2(size), one, "images"),
        ("caption_similarity", alike, one & again, "repeated images"),
    ):
        found = correlate(x[some], replication[some], confidence)
        note = f"p = {found.p:.3g}" if np.isfinite(found.p) else "nothing varies, or too few"
        out.add(f"pearson:{name}", found.r, found.n, found.low, found.high, f"{of}: {note}")
