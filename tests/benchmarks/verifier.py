"""How many planted copies the verifier finds, how many unrelated pairs it calls copies, and at what cost.

Training images and generations are OpenMoji drawings of different families, generations drawn at four
times the size, changed, and brought to the size that is compared, with noise. A copy is found if its
pair's p-value is at most --p against the null of the run (for each training image, the unrelated
generations that look most like it); false positives are counted among other unrelated pairs, none of
which is in the null, and among the twenty-fifth of them that look most alike.

With --world the images are those of a run's world folder: the planted ones that keep apart from all others
stand for training images, the others of other families (held out ones first) for unrelated generations.

python tests/benchmarks/verifier.py [--images 400] [--pairs 100000] [--world results/world]
"""

from __future__ import annotations

import argparse
import io
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "workflow" / "src"), str(ROOT / "tests")]

from white_drawings import render_on_white  # noqa: E402

from verbatim.evidence.matching import Search  # noqa: E402
from verbatim.evidence.null import empirical_p, relative_null, relative_residuals  # noqa: E402
from verbatim.evidence.pairing import choose_null, thumbnails  # noqa: E402
from verbatim.evidence.placements import SearchSettings  # noqa: E402
from verbatim.io.images import resize, to_uint8  # noqa: E402
from verbatim.io.records import read_table  # noqa: E402
from verbatim.metrics.intervals import share_interval, wilson  # noqa: E402
from verbatim.metrics.rmse import rmse  # noqa: E402
from verbatim.world.drawings import list_drawings  # noqa: E402

Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]
NOISE = 0.02


def crop(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A window of 70 to 90 % of the side, anywhere."""
    side = int(len(image) * rng.uniform(0.7, 0.9))
    top, left = rng.integers(0, len(image) - side + 1, 2)
    return image[top : top + side, left : left + side]


def pad(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """On white, 75 to 90 % of the side, anywhere."""
    size = len(image)
    side = int(size * rng.uniform(0.75, 0.9))
    out = np.ones_like(image)
    top, left = rng.integers(0, size - side + 1, 2)
    out[top : top + side, left : left + side] = resize(image, side, side)
    return out


def shift(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """By up to a fifth of the side in both directions, white behind it."""
    size = len(image)
    down, right = rng.integers(-size // 5, size // 5 + 1, 2)
    out = np.ones_like(image)
    to = [slice(max(0, d), size + min(0, d)) for d in (down, right)]
    of = [slice(max(0, -d), size + min(0, -d)) for d in (down, right)]
    out[to[0], to[1]] = image[of[0], of[1]]
    return out


def scale(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """About the middle, to 80 to 120 % of the side."""
    size = len(image)
    side = int(size * rng.uniform(0.8, 1.2))
    scaled, out = resize(image, side, side), np.ones_like(image)
    gap = abs(size - side) // 2
    if side >= size:
        return scaled[gap : gap + size, gap : gap + size]
    out[gap : gap + side, gap : gap + side] = scaled
    return out


def jpeg(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Quality 10 to 50."""
    data = io.BytesIO()
    Image.fromarray(to_uint8(image)).save(data, "JPEG", quality=int(rng.integers(10, 50)))
    return np.asarray(Image.open(data), dtype=np.float32) / 255.0


def moved_patch(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A patch of a quarter of the side from one place over another."""
    size = len(image)
    side = size // 4
    (a, b), (c, d) = rng.integers(0, size - side, (2, 2))
    out = image.copy()
    out[a : a + side, b : b + side] = image[c : c + side, d : d + side]
    return out


def darker(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """10 to 20 % less light."""
    return image * np.float32(rng.uniform(0.8, 0.9))


CHANGES: dict[str, Change] = {
    "unchanged": lambda image, rng: image,
    "crop": crop,
    "pad": pad,
    "shift": shift,
    "flip": lambda image, rng: image[:, ::-1],
    "scale": scale,
    "jpeg": jpeg,
    "moved patch": moved_patch,
    "darker": darker,
    "crop and flip": lambda image, rng: crop(image, rng)[:, ::-1],
}


def draw_images(size: int, n: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """OpenMoji drawings one a family, (m, size, size, 3): the first n stand for training images."""
    table = list_drawings()
    table = table.iloc[rng.permutation(len(table))]
    return np.stack(list(render_on_white(table["code"].tolist(), size))), np.arange(n)


def read_images(
    world: Path, size: int, n: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """The images of a world folder, one a template family, enlarged; those planted first."""
    truth = read_table(world / "truth.parquet", "truth")
    planted = truth[truth["kind"].isin(["full", "image_only", "near"])]["image_id"].unique()
    planted = rng.permutation(planted)[:n]
    held_out = truth[truth["kind"].eq("held_out")]["image_id"].unique()
    family = truth["family"].mask(truth["family"].eq(""), truth["image_id"].astype(str))
    lone = truth[~family.duplicated()]["image_id"]
    rest = np.setdiff1d(lone, [*planted, *held_out])
    order = np.concatenate([planted, rng.permutation(held_out), rng.permutation(rest)])
    images = np.load(world / "images.npy", mmap_mode="r", allow_pickle=False)
    large = np.stack([resize(images[p] / np.float32(255), size, size) for p in order])
    return large, np.arange(len(planted))


def print_shares(title: str, p: np.ndarray, of: np.ndarray, levels: list[float]) -> None:
    """Share of pairs at or below each level, with a 95 % interval (bootstrap over training images)."""
    print(f"\n{title}: {len(p)} pairs")
    for level in levels:
        hits = p <= level
        share, low, high = share_interval(hits, of, 1000, 0.95, 0)
        print(f"  p <= {level:<8g} {share:.5f} [{low:.5f}, {high:.5f}]  ({hits.sum()})")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--world", type=Path, help="a run's world folder; else OpenMoji's drawings")
    parser.add_argument(
        "--images", type=int, default=400, help="training images, at most (default 400)"
    )
    parser.add_argument(
        "--pairs", type=int, default=100_000, help="unrelated pairs (default 100000)"
    )
    parser.add_argument("--p", type=float, default=1e-3, help="p-value of a find (default 0.001)")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    block = yaml.safe_load((ROOT / "config/config.yaml").read_text())["evidence"]
    settings = SearchSettings(size=block["size"], **block["search"])
    n_null, quantile = block["test"]["generations"], block["test"]["quantile"]
    rng = np.random.default_rng(asked.seed)
    how = (4 * settings.size, asked.images, rng)
    large, of_training = read_images(asked.world, *how) if asked.world else draw_images(*how)
    n = len(of_training)
    n_pool = 4 * n_null  # the null is chosen from these, false positives are counted among others
    n_others = n_pool + -(-asked.pairs // n)
    large = large[: n + n_others]
    if len(large) < n + n_others:
        most = (len(large) - n - n_pool) * n
        parser.error(f"--pairs {asked.pairs}: {most} at most of {n} training images")

    def finish(image: np.ndarray) -> np.ndarray:
        small = resize(image, settings.size, settings.size)
        return np.clip(small + rng.normal(0, NOISE, small.shape), 0, 1).astype(np.float32)

    training = [resize(p, settings.size, settings.size) for p in large[:n]]
    names = list(CHANGES)
    others = [CHANGES[names[i % len(names)]](p, rng) for i, p in enumerate(large[n:])]
    search = Search(settings)
    start = time.perf_counter()
    drawn_others = np.stack([finish(p) for p in others])
    unrelated, afar = search.prepare(drawn_others), thumbnails(drawn_others)[:, None]
    preparing = time.perf_counter() - start
    free, there = np.zeros(n_others, dtype=bool), np.ones((n_others, 1), dtype=bool)
    held_out = np.arange(n_pool, n_others)
    null, false, alike, planted, plain, near = [], [], [], [], [], []
    seconds, pairs = 0.0, 0
    for i, image in enumerate(training):
        changed = np.stack([finish(change(large[i], rng)) for change in CHANGES.values()])
        like = thumbnails(image[None])[0]
        chosen = choose_null(free[:n_pool], afar[:n_pool], there[:n_pool], like, n_null)
        apart = ((afar[held_out, 0] - like) ** 2).sum(axis=1)
        alike.append(apart <= np.quantile(apart, 0.04))
        order = np.concatenate([chosen, held_out])
        copies = search.prepare(changed)
        start = time.perf_counter()
        of_others = search.compare([image], unrelated.take(order)).residual
        seconds += time.perf_counter() - start
        pairs += len(order)
        of_copies = search.compare([image], copies).residual
        drawn, rest = of_others[:n_null], of_others[n_null:]
        null.append(relative_null(drawn, quantile))
        false.append(relative_residuals(drawn, quantile, rest))
        planted.append(relative_residuals(drawn, quantile, of_copies))
        plain.append(rmse(changed, image[None])[:, 0])
        near.append(of_others <= settings.refine)
        if (i + 1) % 20 == 0:
            print(f"{i + 1} of {n} images, {1e3 * seconds / pairs:.3f} ms a pair", flush=True)
    values = np.concatenate(null)
    p = np.stack([empirical_p(row, values) for row in planted])
    distance = np.stack(plain)
    alpha = block["test"]["alpha"]
    print(
        f"{'planted':16}{'p <= ' + str(alpha):>26}{f'p <= {asked.p}':>26}{'RMSE <= 0.12':>14}   of {n}"
    )
    for k, name in enumerate(names):
        cells = []
        for level in (alpha, asked.p):
            hits = int((p[:, k] <= level).sum())
            low, high = wilson(hits, n, 0.95)
            cells.append(f"{hits / n:.3f} [{low:.3f}, {high:.3f}]")
        print(f"{name:16}{cells[0]:>26}{cells[1]:>26}{(distance[:, k] <= 0.12).mean():14.3f}")
    wrong, of = empirical_p(np.concatenate(false), values), np.repeat(np.arange(n), len(held_out))
    close = np.concatenate(alike)
    levels = sorted({0.05, alpha, 0.01, asked.p, asked.p / 10}, reverse=True)
    print(f"\nnull of {len(values)} pairs")
    print_shares("unrelated", wrong, of, levels)
    print_shares("the 4 % of them that look most alike", wrong[close], of[close], levels)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    looked = np.concatenate(near).mean()
    print(
        f"\n{1e3 * seconds / pairs:.3f} ms a pair ({looked:.0%} refined), so {seconds / pairs * 1e5:.0f} s for "
        f"100,000; {1e3 * preparing / n_others:.2f} ms a generation beforehand; peak {peak:.0f} MiB"
    )


if __name__ == "__main__":
    main()
