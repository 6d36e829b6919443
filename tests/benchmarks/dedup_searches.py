"""Searches for near-duplicates beside each other on the same made embeddings: processor time, recall, clusters.

    exact            every row with every row, as `dedup.search: exact` does
    index Flat       k neighbours in faiss' Flat index, and more where all are near, as `dedup.search: index` does
    index compressed the same in `--factory`
    k neighbours     faiss' Flat index asked for k neighbours and no more: what a script of ten lines does
    range            faiss' Flat index asked for all above the threshold: exact, and the truth here
    cells            spherical k-means, and all pairs inside a cell (SemDeDup, Abbas et al. 2023, arXiv 2303.09540: 50,000
                     cells for 440 million rows)

Clusters of 2 to 300 rows are planted (`dedup.make_data`), each of `--versions` versions of an image: rows of one version are
nearer to each other than to the rest. `--sample` queries of `range` and of `k neighbours` are timed and the time is scaled to
all rows. Recall is that of pairs with a sampled row, without exact copies, of which a search has one pair each. Of a row with
nothing but near-duplicates among k the index stores one pair, so that its recall of pairs says nothing there. A cluster is
found whole if its rows, and no others of the planted ones, are one component.

    python tests/benchmarks/dedup_searches.py --rows 50000 --sample 50000
    python tests/benchmarks/dedup_searches.py --rows 200000 --sample 4096
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from itertools import cycle, takewhile
from pathlib import Path

import numpy as np
import pandas as pd
from dedup import RELATIVES, THRESHOLD, Groups, Jobs, K, make_data
from jobs import ROOT, measure
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

sys.path.insert(0, str(ROOT / "workflow/src"))

from verbatim.io.records import read_table
from verbatim.io.search import Embeddings

SIZES = (2, 3, 5, 8, 16, 32, 64, 65, 100, 200, 300)
CLASSES = ((2, 8), (9, 64), (65, 300))
ROWS_A_CELL = 8800  # 440 million rows in 50,000 cells
START = """
import sys, time
sys.path.insert(0, {src!r})
import faiss, numpy as np, pandas as pd
from verbatim.io.search import Embeddings
faiss.omp_set_num_threads({threads})
e = Embeddings.from_manifest(pd.read_csv({manifest!r}, sep="\\t", dtype={{"shard": str}}))
x = e.take(np.arange(e.n_rows)).astype(np.float32)
faiss.normalize_L2(x)
a, b, rows, start = [], [], x, time.process_time()
"""
FLAT = """
index = faiss.IndexFlatIP(x.shape[1])
index.add(x)
rows = np.sort(np.random.default_rng(0).permutation(len(x))[:{sample}])
start = time.process_time()
for at in range(0, len(rows), 1024):
    some = rows[at : at + 1024]
    {search}
"""
RANGE = """
    limits, _, found = index.range_search(x[some], {threshold})
    a.append(np.repeat(some, np.diff(limits.astype(np.int64))))
    b.append(found)
"""
NEAREST = """
    cosine, found = index.search(x[some], {k} + 1)
    near = cosine >= {threshold}
    a.append(np.repeat(some, near.sum(axis=1)))
    b.append(found[near])
"""
CELLS = """
kmeans = faiss.Kmeans(x.shape[1], max(2, len(x) // {rows_a_cell}), niter=20, spherical=True, seed=0,
                      max_points_per_centroid=10**9)
kmeans.train(x)
cell = kmeans.index.search(x, 1)[1].ravel()
for c in range(kmeans.k):
    some = np.flatnonzero(cell == c)
    for at in range(0, len(some), 1024):
        i, j = np.nonzero(x[some[at : at + 1024]] @ x[some[at:]].T >= {threshold})
        a.append(some[at + i])
        b.append(some[at + j])
"""
END = """
seconds, queries = time.process_time() - start, len(rows)
a, b = np.concatenate(a), np.concatenate(b)
np.savez({out!r}, a=np.minimum(a, b)[a != b], b=np.maximum(a, b)[a != b], seconds=seconds, queries=queries)
"""


def run_code(code: str, folder: Path, args: argparse.Namespace) -> tuple[pd.DataFrame, float]:
    """Near pairs that a program of faiss calls finds, each once, and its processor seconds."""
    out = folder / "found.npz"
    values = {
        "src": str(ROOT / "workflow/src"), "manifest": str(folder / "inputs/manifest.tsv"), "out": str(out),
        "threads": args.threads, "sample": args.sample, "k": K, "threshold": THRESHOLD, "rows_a_cell": args.rows_a_cell,
    }  # fmt: skip
    filled = (START + code + END).format(**values)
    cost = measure([sys.executable, "-c", filled], args.threads)
    found = np.load(out)
    scale = args.rows / found["queries"]
    pairs = pd.DataFrame({"row_a": found["a"], "row_b": found["b"]})
    # what is timed for a sample is scaled, the start of the program is not
    return pairs.drop_duplicates(), cost.cpu + float(found["seconds"]) * (scale - 1)


def run_search(
    name: str, search: str, factory: str, folder: Path, args: argparse.Namespace
) -> tuple[pd.DataFrame, float]:
    """Near pairs that the stage finds, and the processor seconds of its jobs from the index on."""
    own = argparse.Namespace(**vars(args) | {"search": search, "factory": factory})
    jobs = Jobs(folder, folder / name, own)
    jobs.find_copies()
    jobs.costs.clear()
    files = jobs.search([] if search == "exact" else jobs.build_index())
    pairs = pd.concat([read_table(file, "pairs") for file in files])
    near = pairs[pairs["similarity"] >= THRESHOLD].drop_duplicates(["row_a", "row_b"])
    return near, sum(cost.cpu for of in jobs.costs.values() for cost in of)


def whole_clusters(pairs: pd.DataFrame, planted: np.ndarray) -> np.ndarray:
    """Whether each planted cluster is one component that holds no row of another planted one: bool (clusters,)."""
    n = len(planted)
    graph = coo_array((np.ones(len(pairs), bool), (pairs["row_a"], pairs["row_b"])), shape=(n, n))
    _, label = connected_components(graph, directed=False)
    table = pd.DataFrame({"planted": planted, "label": label})[planted >= 0]
    parts = table.groupby("planted")["label"].nunique()
    mixed = table.groupby("label")["planted"].nunique()
    lone = table.groupby("planted")["label"].first().map(mixed) == 1
    return ((parts == 1) & lone).to_numpy()


def judge(pairs: pd.DataFrame, truth: pd.DataFrame, planted: np.ndarray) -> list[float]:
    """Recall of true pairs, then share of planted clusters found whole; each by class of size."""
    sizes = np.bincount(planted[planted >= 0])
    there = pd.MultiIndex.from_frame(truth[["row_a", "row_b"]]).isin(
        pd.MultiIndex.from_frame(pairs[["row_a", "row_b"]])
    )
    of_pair = sizes[planted[truth["row_a"]]]
    whole = whole_clusters(pairs, planted)
    recall = [there[(of_pair >= low) & (of_pair <= high)].mean() for low, high in CLASSES]
    return recall + [whole[(sizes >= low) & (sizes <= high)].mean() for low, high in CLASSES]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    for name, default in {
        "rows": 50_000, "dim": 768, "rows-a-shard": 50_000, "shards-a-part": 4, "rows-a-list": 1000, "nprobe": 16,
        "rows-a-cell": ROWS_A_CELL, "versions": 3, "batch": 1024, "memory-mb": 1000, "threads": 1, "sample": 50_000,
    }.items():  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--margin", type=float, default=0.1)
    parser.add_argument("--factory", default="IVF{lists},PQ96x4fs")
    parser.add_argument("--without", nargs="*", default=[], help="searches to leave out")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="searches-") as name:
        folder = Path(name)
        total = iter(np.cumsum(list(SIZES) * (args.rows // 5 // sum(SIZES) + 1)))
        sizes = [s for s, _ in zip(cycle(SIZES), takewhile(lambda t: t <= args.rows // 5, total), strict=False)]  # fmt: skip
        planted = make_data(
            folder, args.rows, args.dim, args.rows_a_shard, 0, Groups(sizes, args.versions)
        )
        print(f"{args.rows} x {args.dim} float16, {args.threads} threads; near from {THRESHOLD}, stored from {RELATIVES}")  # fmt: skip
        found = {
            name: run_search(name.replace(" ", "_"), search, factory, folder, args)
            for name, search, factory in (
                ("exact", "exact", ""),
                ("index Flat", "index", "Flat"),
                ("index compressed", "index", args.factory),
            )
            if name not in args.without
        }
        for name, code in (("k neighbours", NEAREST), ("range", RANGE)):
            found[name] = run_code(FLAT.replace("    {search}\n", code[1:]), folder, args)
        found["cells"] = run_code(CELLS, folder, args)
        truth = judged_pairs(found["range"][0], folder, planted)
        print(f"{len(truth)} true pairs, {len(sizes)} clusters; classes of size {CLASSES}")
        print(f"  {'search':18}{'cpu s':>9}{'x exact':>9}   recall of pairs        clusters whole")
        for name, (pairs, seconds) in found.items():
            numbers = judge(pairs, truth, planted)
            if args.sample < args.rows and name in ("k neighbours", "range"):
                numbers[3:] = [np.nan] * 3  # pairs of some rows tie no clusters
            shown = "  ".join(f"{number:.4f}" for number in numbers)
            print(f"  {name:18}{seconds:9.1f}{seconds / found['exact'][1]:9.2f}   {shown}")


def judged_pairs(pairs: pd.DataFrame, folder: Path, planted: np.ndarray) -> pd.DataFrame:
    """Pairs of planted rows whose cosine in float64 is above the threshold and not within rounding of it."""
    manifest = pd.read_csv(folder / "inputs/manifest.tsv", sep="\t", dtype={"shard": str})
    embeddings = Embeddings.from_manifest(manifest)
    a, b = pairs["row_a"].to_numpy(), pairs["row_b"].to_numpy()
    copies = read_table(next(folder.glob("*/copies.parquet")), "copies")["row"]
    lone = ~(pairs["row_a"].isin(copies) | pairs["row_b"].isin(copies))
    pairs = pairs[(planted[a] >= 0) & (planted[b] == planted[a]) & lone]
    kept = []
    for start in range(0, len(pairs), 50_000):
        some = pairs.iloc[start : start + 50_000]
        x, y = (embeddings.take(some[c].to_numpy()).astype(np.float64) for c in ("row_a", "row_b"))
        cosine = np.einsum("ij,ij->i", x, y) / np.linalg.norm(x, axis=1) / np.linalg.norm(y, axis=1)
        kept.append(some[cosine >= THRESHOLD + 1e-6])
    return pd.concat(kept)


if __name__ == "__main__":
    main()
