"""Carlini's filter on 500 images a prompt: time against a loop over pairs, and what stopping early saves.

Distances and clique: `postfilter.tiles.pair_distances` and `cliques.search_clique` of made images,
against the same distance a pair at a time (124,750 pairs; a sample is timed and the rest reckoned, and
the sample's distances are compared). Early stopping: `filter_captions` over prompts whose made
images are copies with a chance of their own, once with all 500 images and once in rounds; the
decisions are compared.

    python tests/benchmarks/postfilter.py
    python tests/benchmarks/postfilter.py --images 500 --size 512 --pairs 500 --prompts 400
"""

from __future__ import annotations

import argparse
import itertools
import resource
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "workflow" / "src"))

import numpy as np

from verbatim.postfilter.cliques import search_clique
from verbatim.postfilter.filtering import Preset, Rounds, filter_captions
from verbatim.postfilter.tiles import pair_distances

CARLINI = Preset(tiles=4, edge=0.1, clique=10)


def make_images(n: int, size: int, share: float, seed: int) -> np.ndarray:
    """n images, a share of them noisy copies of one: (n, size, size, 3) uint8."""
    rng = np.random.default_rng(seed)
    side = 4 if size % 16 else 16  # blocks, so that tiles differ

    def coarse() -> np.ndarray:
        blocks = rng.integers(0, 256, (side, side, 3))
        return blocks.repeat(size // side, 0).repeat(size // side, 1)

    one = coarse()
    images = np.empty((n, size, size, 3), np.uint8)
    for i, copy in enumerate(rng.random(n) < share):
        noise = rng.integers(-12, 13, one.shape)
        images[i] = np.clip(one + noise, 0, 255) if copy else coarse()
    return images


def pair_at_a_time(a: np.ndarray, b: np.ndarray, tiles: int) -> float:
    """Carlini et al. 2023, section 4, of one pair: the largest l2 of its tiles."""
    step = a.shape[0] // tiles
    worst = 0.0
    for y in range(0, a.shape[0], step):
        for x in range(0, a.shape[1], step):
            left = a[y : y + step, x : x + step].astype(np.float64)
            right = b[y : y + step, x : x + step].astype(np.float64)
            worst = max(worst, float(np.sqrt(np.mean((left - right) ** 2))) / 255)
    return worst


def measure_pairs(n_images: int, size: int, sample: int) -> None:
    images = make_images(n_images, size, 0.05, seed=0)
    pairs = list(itertools.combinations(range(n_images), 2))
    chosen = [pairs[i] for i in np.random.default_rng(1).choice(len(pairs), sample, replace=False)]
    start = time.perf_counter()
    theirs = [pair_at_a_time(images[i], images[j], CARLINI.tiles) for i, j in chosen]
    loop = (time.perf_counter() - start) * len(pairs) / sample
    start = time.perf_counter()
    distances = pair_distances(images, CARLINI.tiles)
    ours = time.perf_counter() - start
    start = time.perf_counter()
    clique = search_clique(distances < CARLINI.edge)
    search = time.perf_counter() - start
    apart = max(abs(distances[i, j] - d) for (i, j), d in zip(chosen, theirs, strict=True))
    print(f"{n_images} images of {size}x{size}, {len(pairs)} pairs, 16 tiles")
    print(f"loop over pairs     {loop:9.1f} s  (reckoned from {sample} pairs)")
    print(f"ours, all distances {ours:9.2f} s  {loop / ours:.0f} times as fast")
    print(f"exact clique        {search:9.4f} s  of {len(clique.members)}")
    print(
        f"distances differ by at most {apart:.1e}; peak "
        f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.2f} GiB\n"
    )


def measure_stopping(n_images: int, prompts: int) -> None:
    """Made prompts: 20 of 100 copy, with a chance between 0.01 and 1 (evenly in the logarithm)."""
    rng = np.random.default_rng(2)
    chance = np.where(rng.random(prompts) < 0.2, 10 ** rng.uniform(-2, 0, prompts), 0.0)
    stacks = {str(i): make_images(n_images, 8, p, seed=100 + i) for i, p in enumerate(chance)}

    def generate(captions, seeds):  # type: ignore[no-untyped-def]
        return np.stack([stacks[c][list(seeds)] for c in captions]), len(captions) * len(seeds)

    def run(**settings):  # type: ignore[no-untyped-def]
        rounds = Rounds(n_images, 16, max_nodes=200_000, **settings)
        return [one.scores for one in filter_captions(list(stacks), generate, CARLINI, rounds)]

    whole = run(stop_early=False)
    kept = np.array([one["kept"] for one in whole])
    print(f"{prompts} prompts, {kept.sum()} with a clique of {CARLINI.clique} in {n_images} images")
    print(
        f"{'stopping':32}{'images a prompt':>16}{'kept':>8}{'others':>8}{'saved':>8}{'changed':>9}"
    )
    for name, settings in (
        ("never", {"stop_early": False}),
        ("when certain", {"stop_early": True}),
        ("below a chance of 0.0001", {"stop_early": True, "futility": 1e-4}),
        ("below a chance of 0.001", {"stop_early": True, "futility": 1e-3}),
        ("below a chance of 0.01", {"stop_early": True, "futility": 1e-2}),
        ("below a chance of 0.05", {"stop_early": True, "futility": 5e-2}),
    ):
        done = run(**settings)
        made = np.array([one["n_images"] for one in done], dtype=float)
        changed = int((np.array([one["kept"] for one in done]) != kept).sum())
        saved = 1 - made.mean() / n_images
        print(
            f"{name:32}{made.mean():16.1f}{made[kept].mean():8.1f}{made[~kept].mean():8.1f}"
            f"{saved:8.1%}{changed:9d}"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=500, help="a prompt")
    parser.add_argument("--size", type=int, default=512, help="pixels, a multiple of 16")
    parser.add_argument("--pairs", type=int, default=300, help="that are timed one at a time")
    parser.add_argument("--prompts", type=int, default=300, help="of the early-stopping part")
    args = parser.parse_args()
    measure_pairs(args.images, args.size, args.pairs)
    measure_stopping(args.images, args.prompts)


if __name__ == "__main__":
    main()
