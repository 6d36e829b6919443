"""Near-duplicate pairs and their components, beside an exhaustive search by scikit-learn and scipy's graph routines."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from made_embeddings import copies_of, embeddings
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.metrics.pairwise import cosine_similarity

from verbatim.dedup.components import Plan, find_clusters
from verbatim.dedup.index import draw_rows, fill_index, train_index
from verbatim.dedup.pairs import PairSettings, find_pairs

from .comparison import ROOT, Comparison, Measured

SIZES, GROUPS_A_SIZE, DIM, ALONE = (2, 3, 5, 8, 13, 21, 34, 55, 64), 4, 64, 4000
SHARDS, NEAR = 4, 0.99
DEDUP = yaml.safe_load((ROOT / "config/config.yaml").read_text("utf-8"))["dedup"]
PAPER = yaml.safe_load((ROOT / "config/paper.yaml").read_text("utf-8"))["dedup"]
FACTORIES = {"Flat": DEDUP, "IVF64,PQ32x6": DEDUP | {"margin": PAPER["margin"], "nprobe": 16}}


@cache
def grouped_vectors() -> np.ndarray:
    """Unit vectors, float16 (n, 64), shuffled: groups of near-duplicates of 2 to 64 rows among unrelated rows."""
    rng = np.random.default_rng(0)
    parts = [rng.normal(size=(ALONE, DIM))]
    for size in SIZES * GROUPS_A_SIZE:
        centre = rng.normal(size=DIM)
        spread = np.linalg.norm(centre) * np.sqrt((1 / NEAR - 1) / DIM)
        parts.append(centre + spread * rng.normal(size=(size, DIM)))
    vectors = np.concatenate(parts)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors[rng.permutation(len(vectors))].astype(np.float16)


@cache
def exhaustive_pairs(
    threshold: float,
) -> tuple[frozenset[tuple[int, int]], frozenset[tuple[int, int]]]:
    """Pairs of rows at or above a cosine, by scikit-learn; and those so near to it that rounding decides."""
    cosine = np.triu(cosine_similarity(grouped_vectors().astype(np.float64)), 1)
    found, near = cosine >= threshold, np.abs(cosine - threshold) < 1e-6
    return tuple(
        frozenset(zip(*(a.tolist() for a in np.nonzero(m)), strict=True)) for m in (found, near)
    )


def measure_pairs(factory: str) -> Callable[[Path], Measured]:
    """One minus the lower of recall and precision of the near-duplicates."""

    def measure(folder: Path) -> Measured:
        config, vectors = FACTORIES[factory], grouped_vectors()
        place = folder / factory.replace(",", "_")
        place.mkdir()
        cuts = [len(vectors) * i // SHARDS for i in range(1, SHARDS)]
        stored = embeddings(place, vectors, cuts)
        shards = np.split(np.arange(len(vectors)), cuts)
        copies = copies_of(stored, shards, place)
        rows = np.setdiff1d(np.arange(len(vectors)), copies["row"])
        sample = draw_rows(shards, config["train_rows"], config["seed"])
        index = train_index(stored, sample, factory, config["nprobe"])
        fill_index(index, stored, [rows], config["batch"])
        settings = PairSettings(
            **{
                key: config[key]
                for key in (
                    "k",
                    "most_neighbours",
                    "threshold",
                    "relatives_threshold",
                    "margin",
                    "batch",
                )
            }
        )
        pairs = pd.concat(
            [find_pairs(index, stored, some, copies, settings).pairs for some in shards]
        )
        pairs = pairs[pairs["similarity"] >= settings.threshold]
        ours = set(zip(pairs["row_a"].tolist(), pairs["row_b"].tolist(), strict=True))
        theirs, undecided = exhaustive_pairs(settings.threshold)
        ours, theirs = ours - undecided, theirs - undecided
        both = len(ours & theirs)
        recall, precision = both / len(theirs), both / max(1, len(ours))
        note = f"recall {recall:.6g}, precision {precision:.6g}; groups of {SIZES[0]} to {SIZES[-1]} rows"
        return Measured(len(theirs), 1 - min(recall, precision), note)

    return measure


def measure_components(folder: Path) -> Measured:
    """Rows in another component than scipy's, over graphs that are worked on in one block and in many."""
    rng, wrong, rows = np.random.default_rng(1), 0, 0
    for number, (n, share) in enumerate(
        [(1000, 0.3), (50_000, 0.4), (200_000, 0.5), (200_000, 1.0)]
    ):
        pairs = rng.integers(0, n, (2, int(n * share)))
        pairs[1, ::7] = pairs[0, ::7] + 1 - 2 * (pairs[0, ::7] == n - 1)  # chains across blocks
        _, label = connected_components(
            coo_array((np.ones(pairs.shape[1], bool), tuple(pairs)), shape=(n, n)), directed=False
        )
        theirs = np.full(label.max() + 1, n)
        np.minimum.at(theirs, label, np.arange(n))
        for plan in (None, Plan(max(100, n // 13), 4096)):
            place = folder / f"components{number}{plan is None}"
            place.mkdir()
            chunks = zip(*(np.array_split(side, 5) for side in pairs), strict=True)
            table = pd.concat(find_clusters(chunks, n, place, 1 << 28, plan))
            ours = np.arange(n)
            ours[table["row"]] = table["cluster"]
            wrong += int((ours != theirs[label]).sum())
            rows += n
    return Measured(rows, wrong, "four graphs, each in one block and in thirteen")


COMPARISONS = [
    *(
        Comparison(f"near-duplicate pairs, {factory}", "dedup.pairs.find_pairs", "sklearn cosine_similarity, all pairs", 0,
                   "1 - recall or precision", measure_pairs(factory))
        for factory in FACTORIES
    ),
    Comparison(
        "components", "dedup.components.find_clusters", "scipy.sparse.csgraph.connected_components", 0,
        "rows that differ", measure_components,
    ),
]  # fmt: skip
