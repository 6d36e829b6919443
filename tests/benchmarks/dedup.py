"""Deduplication of made embeddings, stage by stage as the rules run it: time, memory, recall, precision.

Rows are unit vectors around a common mean with a spectrum that falls as 1/i in variance (CLIP's falls too; white
noise would be harder to compress than anything real). Planted among them: near-duplicates, in clusters of Zipf
sizes, and exact copies of one row in twenty. Prints how time grows from `--small` to `--rows`, and the ratio to a
brute-force search, of which `--sample` queries are timed and the time is scaled to all rows.

    python tests/benchmarks/dedup.py --rows 1000000 --small 100000
    python tests/benchmarks/dedup.py --rows 50000 --small 5000 --sample 500
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from jobs import ROOT, Cost, measure, run_job

sys.path.insert(0, str(ROOT / "workflow/src"))

from verbatim.io.records import MANIFEST, read_table, write_table
from verbatim.io.search import Embeddings

THRESHOLD, RELATIVES, K = 0.98, 0.9, 64


def zipf_sizes(n: int, rng: np.random.Generator) -> list[int]:
    """Sizes of clusters that hold a fifth of n rows; Zipf's, at most 1,000."""
    sizes: list[int] = []
    while sum(sizes) < n // 5:
        sizes.append(int(min(1 + rng.zipf(2.0), 1000, n // 20)))
    return sizes


class Groups(NamedTuple):
    """Sizes of the planted clusters, and versions of each, if not 0: rows of a version are nearer to each other than to others."""

    sizes: list[int]
    versions: int = 0


def make_data(
    folder: Path, n: int, dim: int, a_shard: int, seed: int, groups: Groups | None = None
) -> np.ndarray:
    """Shards of embeddings, their `rows` tables and the manifest; the planted cluster of each row (-1: none)."""
    rng = np.random.default_rng(seed)
    spectrum = (1 / np.sqrt(np.arange(1, dim + 1)))[rng.permutation(dim)].astype(np.float32)
    spectrum /= np.linalg.norm(spectrum)
    mean = (rng.standard_normal(dim) / np.sqrt(dim)).astype(np.float32) * 0.5
    sizes, versions = groups or Groups(zipf_sizes(n, rng))
    planted = np.full(n, -1)
    clustered = rng.permutation(n)[: sum(sizes)]
    planted[clustered] = np.repeat(np.arange(len(sizes)), sizes)
    place = np.zeros(n, int)  # in its cluster
    place[clustered] = np.concatenate([np.arange(size) for size in sizes])
    centers = len(sizes)
    noise = 0.09  # cosine of two members of a cluster: 1 / (1 + noise ** 2) = 0.992
    manifest = []
    (folder / "embeddings").mkdir(parents=True)
    for number, first in enumerate(range(0, n, a_shard)):
        rows = np.arange(first, min(n, first + a_shard))
        out = np.empty((len(rows), dim), np.float16)
        for start in range(0, len(rows), 8192):
            part = rows[start : start + 8192]
            vectors = rng.standard_normal((len(part), dim)).astype(np.float32) * spectrum + mean
            for i in np.flatnonzero(planted[part] >= 0):
                own = np.random.default_rng([seed, int(planted[part[i]])])
                center = own.standard_normal(dim).astype(np.float32) * spectrum + mean
                length = np.linalg.norm(center)
                change = rng.standard_normal(dim).astype(np.float32) * spectrum
                vectors[i] = center + change * (noise * length / np.linalg.norm(change))
                if versions:
                    one = [seed, int(planted[part[i]]), int(place[part[i]] % versions)]
                    off = np.random.default_rng(one).standard_normal(dim) * spectrum
                    near = 0.05 * change / np.linalg.norm(change) + off / np.linalg.norm(off)
                    vectors[i] = center + near * noise * length
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
            out[start : start + len(part)] = vectors
        again = np.flatnonzero((planted[rows] < 0) & (rng.random(len(rows)) < 0.05))
        out[again] = out[rng.integers(0, max(1, len(rows) // 2), len(again))]
        planted[rows[again]] = -2  # copies: what they copy is found from the bits
        name = f"{number:05d}"
        file = folder / "embeddings" / f"{name}.npy"
        np.save(file, out)
        captions = [
            f"caption {c}" for c in np.where(planted[rows] >= 0, planted[rows], rows + centers)
        ]
        write_table(
            folder / f"inputs/rows/{name}.parquet", "rows",
            pd.DataFrame({"row": rows, "url": "", "caption": captions, "width": 1, "height": 1,
                          "archive": "", "member": "", "status": "ok", "reason": ""}),
        )  # fmt: skip
        manifest.append(
            {column: kind() for column, kind in MANIFEST.items()}
            | {
                "shard": name,
                "embeddings": str(file),
                "rows": len(rows),
                "first_row": first,
                "dim": dim,
            }
        )
    table = pd.DataFrame(manifest)[list(MANIFEST)]
    table.to_csv(folder / "inputs/manifest.tsv", sep="\t", index=False)
    return planted


class Jobs:
    """Jobs of the stage on made data, one after the other; `costs` has what each rule's jobs cost.

    folder: of `make_data`. dedup: where the jobs write.
    """

    def __init__(self, folder: Path, dedup: Path, args: argparse.Namespace):
        self.folder, self.dedup, self.args = folder, dedup, args
        self.costs: dict[str, list[Cost]] = defaultdict(list)
        self.manifest = str(folder / "inputs/manifest.tsv")
        table = pd.read_csv(self.manifest, sep="\t", dtype={"shard": str})
        self.shards, self.n = table["shard"].tolist(), int(table["rows"].sum())
        self.rows = [str(folder / f"inputs/rows/{s}.parquet") for s in self.shards]
        self.memory = {"memory_mb": args.memory_mb}
        self.copies = str(dedup / "copies.parquet")

    def job(
        self, rule: str, wild: str = "", params: dict | None = None, output: dict | None = None, **inputs
    ):  # fmt: skip
        cost = run_job(
            f"dedup/{rule}.py", {"manifest": self.manifest, **inputs},
            {k: str(self.dedup / v) for k, v in (output or {}).items()}, params or {},
            {"shard": wild, "part": wild}, self.folder, self.args.threads,
        )  # fmt: skip
        self.costs[rule].append(cost)
        print(f"  {rule} {wild}: {cost.seconds:.1f} s, {cost.own_mb:.0f} MB", file=sys.stderr)

    def find_copies(self) -> None:
        marks = [str(self.dedup / f"fingerprints/{s}.npy") for s in self.shards]
        for s, rows in zip(self.shards, self.rows, strict=True):
            output = {"fingerprints": f"fingerprints/{s}.npy"}
            self.job("build_fingerprints", s, output=output, rows=rows)
        self.job(
            "merge_copies",
            params=self.memory,
            output={"copies": "copies.parquet"},
            fingerprints=marks,
        )

    def build_index(self) -> list[str]:
        args, trained = self.args, str(self.dedup / "trained.faiss")
        lists = max(16, self.n // args.rows_a_list)
        self.job(
            "train_index", output={"index": "trained.faiss"}, rows=self.rows, copies=self.copies,
            params={"factory": args.factory.format(lists=lists), "nprobe": args.nprobe, "seed": 0, "gpu": 0,
                    "train_rows": min(self.n, max(20_000, 40 * lists))},
        )  # fmt: skip
        parts = []
        for i in range(0, len(self.shards), args.shards_a_part):
            name = f"{len(parts):05d}"
            self.job(
                "build_index", name, {"batch": args.batch}, {"index": f"index/{name}.faiss"},
                rows=self.rows[i : i + args.shards_a_part], copies=self.copies, trained=trained,
            )  # fmt: skip
            parts.append(str(self.dedup / f"index/{name}.faiss"))
        return parts

    def search(self, parts: list[str]) -> list[str]:
        """Pairs of every shard by `args.search`; of an index of these parts."""
        args = self.args
        for s, rows in zip(self.shards, self.rows, strict=True):
            self.job(
                "search_pairs", s,
                {"search": args.search, "exact_rows": {"cpu": 0, "gpu": 0},
                 "k": K, "most_neighbours": 1024, "threshold": THRESHOLD, "relatives_threshold": RELATIVES,
                 "margin": args.margin, "batch": args.batch, "gpu": 0, **self.memory},
                {"pairs": f"pairs/{s}.parquet"}, rows=rows, index=parts, copies=self.copies,
            )  # fmt: skip
        return [str(self.dedup / f"pairs/{s}.parquet") for s in self.shards]


def run_stage(folder: Path, n: int, args: argparse.Namespace) -> dict[str, list[Cost]]:
    """All jobs of the stage, one after the other; rule -> what each of its jobs cost."""
    jobs = Jobs(folder, folder / "dedup", args)
    dedup, job, rows, memory = jobs.dedup, jobs.job, jobs.rows, jobs.memory
    jobs.find_copies()
    pairs = jobs.search([] if args.search == "exact" else jobs.build_index())
    clusters, stats, sizes = (
        str(dedup / f"{name}.parquet") for name in ("clusters", "cluster_stats", "cluster_sizes")
    )
    job(
        "cluster_rows", params={"threshold": THRESHOLD, **memory}, pairs=pairs,
        output={"clusters": "clusters.parquet", "sizes": "cluster_sizes.parquet"},
    )  # fmt: skip
    job(
        "count_clusters",
        params=memory,
        output={"stats": "cluster_stats.parquet"},
        rows=rows,
        clusters=clusters,
    )
    job(
        "count_duplicates", params={"share_bins": 10}, output={"histograms": "histograms.parquet"},
        rows=rows, clusters=clusters, stats=stats,
    )  # fmt: skip
    job(
        "select_prompts", output={"prompts": "prompts.parquet"}, rows=rows, sizes=sizes, stats=stats, extra=[],
        params={"n_prompts": n // 1000, "min_caption_chars": 1, "max_caption_chars": 99, **memory},
    )  # fmt: skip
    job(
        "select_kept_rows",
        params=memory,
        output={"kept": "kept_rows.parquet"},
        rows=rows,
        clusters=clusters,
    )
    return jobs.costs


def judge(folder: Path, planted: np.ndarray) -> None:
    """Recall and precision of pairs and clusters; components against scipy's, of the same pairs in one go."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    manifest = pd.read_csv(folder / "inputs/manifest.tsv", sep="\t", dtype={"shard": str})
    embeddings = Embeddings.from_manifest(manifest)
    pairs = pd.concat([read_table(p, "pairs") for p in sorted((folder / "dedup/pairs").iterdir())])
    pairs = pairs.drop_duplicates(["row_a", "row_b"])
    near = pairs[pairs["similarity"] >= THRESHOLD]
    n = len(planted)
    a, b = near["row_a"].to_numpy(), near["row_b"].to_numpy()
    graph = coo_array((np.ones(len(a), dtype=bool), (a, b)), shape=(n, n))
    _, label = connected_components(graph, directed=False)
    lowest = np.full(label.max() + 1, n)
    np.minimum.at(lowest, label, np.arange(n))
    want = lowest[label]
    clusters = read_table(folder / "dedup/clusters.parquet", "clusters")
    got = np.arange(n)
    got[clusters["row"]] = clusters["cluster"]
    print(f"  components equal scipy's of the same {len(near)} pairs: {np.array_equal(got, want)}")

    copied = read_table(folder / "dedup/copies.parquet", "copies")["row"]  # tied to one row alone
    table = pd.DataFrame({"row": np.flatnonzero(planted >= 0), "planted": planted[planted >= 0]})
    table = table[~table["row"].isin(copied)]
    members = table.groupby("planted")["row"].apply(list)
    truth = [
        (r, s)
        for rows in members
        if 2 <= len(rows) <= K
        for i, r in enumerate(rows)
        for s in rows[i + 1 :]
    ]
    truth = np.array(truth)
    truth = truth[embeddings.cosines(truth[:, 0], truth[:, 1]) >= THRESHOLD]
    found = pd.MultiIndex.from_arrays([a, b])
    there = pd.MultiIndex.from_arrays(truth.T).isin(found)
    print(f"  recall of planted pairs (clusters of 2 to {K}): {there.mean():.5f} of {len(truth)}")
    holds = 0
    for i in range(0, len(a), 100_000):  # all at once are 30 GB at a million rows
        x, y = (embeddings.take(rows[i : i + 100_000]).astype(np.float64) for rows in (a, b))
        cosine = np.einsum("ij,ij->i", x, y)
        cosine /= np.linalg.norm(x, axis=1) * np.linalg.norm(y, axis=1)
        holds += int((cosine >= THRESHOLD - 1e-6).sum())
    same = (planted[a] == planted[b]) & (planted[a] >= 0) | (planted[a] == -2) | (planted[b] == -2)
    print(
        f"  pairs whose cosine in float64 holds: {holds / len(a):.5f}; planted: {same.mean():.5f}"
    )
    whole = [len({got[r] for r in rows}) == 1 for rows in members if len(rows) > 1]
    print(
        f"  planted clusters found whole: {np.mean(whole):.5f} of {len(whole)}, sizes up to {members.str.len().max()}"
    )


BRUTE = """
import sys, time, json
sys.path.insert(0, {src!r})
import faiss, numpy as np, pandas as pd
from verbatim.io.search import Embeddings
faiss.omp_set_num_threads({threads})
manifest = pd.read_csv({manifest!r}, sep="\\t", dtype={{"shard": str}})
e = Embeddings.from_manifest(manifest)
index = faiss.IndexFlatIP(e.dim)
for start in range(0, e.n_rows, 16384):
    index.add(e.take(np.arange(start, min(e.n_rows, start + 16384))).astype(np.float32))
rows = np.sort(np.random.default_rng(0).choice(e.n_rows, {sample}, replace=False))
queries = e.take(rows).astype(np.float32)
start, cpu = time.monotonic(), time.process_time()
for at in range(0, len(queries), 1024):
    index.search(queries[at : at + 1024], {k} + 1)
json.dump([time.monotonic() - start, time.process_time() - cpu], open({out!r}, "w"))
"""


def brute_force(folder: Path, args: argparse.Namespace) -> tuple[list[float], Cost]:
    """Wall and processor seconds that exact search of `--sample` queries took, and the cost of its process."""
    out = folder / "brute.json"
    code = BRUTE.format(
        src=str(ROOT / "workflow/src"), threads=args.threads, sample=args.sample, k=K,
        manifest=str(folder / "inputs/manifest.tsv"), out=str(out),
    )  # fmt: skip
    cost = measure([sys.executable, "-c", code], args.threads)
    return json.loads(out.read_text()), cost


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument(
        "--small",
        type=int,
        default=100_000,
        help="rows of the run that growth is measured from; 0: none",
    )
    parser.add_argument("--dim", type=int, default=768)
    parser.add_argument("--rows-a-shard", type=int, default=100_000)
    parser.add_argument("--shards-a-part", type=int, default=4)
    parser.add_argument(
        "--factory", default="IVF{lists},PQ96x4fs", help="{lists}: rows / --rows-a-list"
    )
    parser.add_argument("--search", choices=("index", "exact"), default="index")
    parser.add_argument("--rows-a-list", type=int, default=1000)
    parser.add_argument("--nprobe", type=int, default=16)
    parser.add_argument("--margin", type=float, default=0.1)
    parser.add_argument("--batch", type=int, default=8192)
    parser.add_argument("--memory-mb", type=int, default=500)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--sample", type=int, default=2048, help="queries of the brute-force search; 0: none"
    )
    parser.add_argument(
        "--folder", help="where to work (default: a temporary folder, deleted at the end)"
    )
    args = parser.parse_args()
    totals = {}
    base = Path(args.folder or tempfile.mkdtemp(prefix="dedup-"))
    try:
        for n in [size for size in (args.small, args.rows) if size]:
            folder = base / str(n)
            start = time.monotonic()
            planted = make_data(folder, n, args.dim, args.rows_a_shard, seed=0)
            print(
                f"{n} x {args.dim} float16 (made in {time.monotonic() - start:.0f} s), {args.threads} threads"
            )
            costs = run_stage(folder, n, args)
            print(
                f"  {'rule':20} {'jobs':>5} {'seconds':>9} {'cpu s':>9} {'peak MB':>9} {'of it own':>10}"
            )
            for rule, jobs in costs.items():
                seconds, cpu = sum(j.seconds for j in jobs), sum(j.cpu for j in jobs)
                peak, own = max(j.peak_mb for j in jobs), max(j.own_mb for j in jobs)
                print(
                    f"  {rule:20} {len(jobs):5} {seconds:9.1f} {cpu:9.1f} {peak:9.0f} {own:10.0f}"
                )
            every = [j for jobs in costs.values() for j in jobs]
            totals[n] = sum(j.seconds for j in every), sum(j.cpu for j in every)
            print(f"  {'all':20} {len(every):5} {totals[n][0]:9.1f} {totals[n][1]:9.1f}")
            judge(folder, planted)
            if args.sample and n == args.rows:
                took, cost = brute_force(folder, args)
                whole = [seconds * n / args.sample for seconds in took]
                print(
                    f"  exact search: {args.sample} queries in {took[0]:.1f} s ({took[1]:.1f} of a processor), "
                    f"so {whole[0]:.0f} ({whole[1]:.0f}) s for all (scaled), {cost.own_mb:.0f} MB: "
                    f"{whole[0] / totals[n][0]:.1f} ({whole[1] / totals[n][1]:.1f}) times this stage"
                )
            shutil.rmtree(folder)
        if args.small:
            ratios = np.divide(totals[args.rows], totals[args.small])
            growth = np.log(ratios) / np.log(args.rows / args.small)
            print(
                f"from {args.small} to {args.rows} rows time grows as rows ** {growth[0]:.2f} "
                f"(of a processor: {growth[1]:.2f})"
            )
    finally:
        if not args.folder:
            shutil.rmtree(base, ignore_errors=True)


if __name__ == "__main__":
    main()
