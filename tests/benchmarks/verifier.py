"""How many planted copies the verifier finds, how many unrelated pairs it calls copies, and at what cost.

Training pictures and generations are OpenMoji drawings of different families, generations drawn at four
times the size, changed, and brought to the size that is compared, with noise. A copy is found if its
pair's p-value is at most --p against the null of the run (for each training picture, the unrelated
generations that look most like it); false positives are counted among other unrelated pairs, none of
which is in the null, and among the twenty-fifth of them that look most alike.

python tests/benchmarks/verifier.py [--pictures 400] [--unrelated 250]
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
sys.path.insert(0, str(ROOT / "workflow" / "src"))

from verbatim.compare import rmse  # noqa: E402
from verbatim.evidence.matching import Search  # noqa: E402
from verbatim.evidence.null import empirical_p, relative_null, relative_residuals  # noqa: E402
from verbatim.evidence.pairing import choose_null, thumbnails  # noqa: E402
from verbatim.evidence.placements import SearchSettings  # noqa: E402
from verbatim.images import resize, to_uint8  # noqa: E402
from verbatim.world.pictures import list_pictures, render  # noqa: E402

Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]
NOISE = 0.02


def crop(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A window of 70 to 90 % of the side, anywhere."""
    side = int(len(picture) * rng.uniform(0.7, 0.9))
    top, left = rng.integers(0, len(picture) - side + 1, 2)
    return picture[top : top + side, left : left + side]


def pad(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """On white, 75 to 90 % of the side, anywhere."""
    size = len(picture)
    side = int(size * rng.uniform(0.75, 0.9))
    out = np.ones_like(picture)
    top, left = rng.integers(0, size - side + 1, 2)
    out[top : top + side, left : left + side] = resize(picture, side, side)
    return out


def shift(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """By up to a fifth of the side in both directions, white behind it."""
    size = len(picture)
    down, right = rng.integers(-size // 5, size // 5 + 1, 2)
    out = np.ones_like(picture)
    to = [slice(max(0, d), size + min(0, d)) for d in (down, right)]
    of = [slice(max(0, -d), size + min(0, -d)) for d in (down, right)]
    out[to[0], to[1]] = picture[of[0], of[1]]
    return out


def scale(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """About the middle, to 80 to 120 % of the side."""
    size = len(picture)
    side = int(size * rng.uniform(0.8, 1.2))
    scaled, out = resize(picture, side, side), np.ones_like(picture)
    gap = abs(size - side) // 2
    if side >= size:
        return scaled[gap : gap + size, gap : gap + size]
    out[gap : gap + side, gap : gap + side] = scaled
    return out


def jpeg(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Quality 10 to 50."""
    data = io.BytesIO()
    Image.fromarray(to_uint8(picture)).save(data, "JPEG", quality=int(rng.integers(10, 50)))
    return np.asarray(Image.open(data), dtype=np.float32) / 255.0


def moved_patch(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A patch of a quarter of the side from one place over another."""
    size = len(picture)
    side = size // 4
    (a, b), (c, d) = rng.integers(0, size - side, (2, 2))
    out = picture.copy()
    out[a : a + side, b : b + side] = picture[c : c + side, d : d + side]
    return out


def darker(picture: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """10 to 20 % less light."""
    return picture * np.float32(rng.uniform(0.8, 0.9))


CHANGES: dict[str, Change] = {
    "unchanged": lambda picture, rng: picture,
    "crop": crop,
    "pad": pad,
    "shift": shift,
    "flip": lambda picture, rng: picture[:, ::-1],
    "scale": scale,
    "jpeg": jpeg,
    "moved patch": moved_patch,
    "darker": darker,
    "crop and flip": lambda picture, rng: crop(picture, rng)[:, ::-1],
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=400, help="training pictures (default 400)")
    parser.add_argument("--unrelated", type=int, default=250, help="pairs a picture (default 250)")
    parser.add_argument("--p", type=float, default=1e-3, help="p-value of a find (default 0.001)")
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    block = yaml.safe_load((ROOT / "config/config.yaml").read_text())["evidence"]
    settings = SearchSettings(size=block["size"], **block["search"])
    n_null, quantile = block["test"]["generations"], block["test"]["quantile"]
    rng = np.random.default_rng(asked.seed)
    table = list_pictures().drop_duplicates("family")
    n_pool = 4 * n_null  # the null is chosen from these, false positives are counted among others
    n_others = n_pool + asked.unrelated
    table = table.iloc[rng.permutation(len(table))[: asked.pictures + n_others]]
    large = np.stack(list(render(table["code"].tolist(), 4 * settings.size)))

    def finish(picture: np.ndarray) -> np.ndarray:
        small = resize(picture, settings.size, settings.size)
        return np.clip(small + rng.normal(0, NOISE, small.shape), 0, 1).astype(np.float32)

    training = [resize(p, settings.size, settings.size) for p in large[: asked.pictures]]
    names = list(CHANGES)
    others = [CHANGES[names[i % len(names)]](p, rng) for i, p in enumerate(large[asked.pictures :])]
    search = Search(settings)
    drawn_others = np.stack([finish(p) for p in others])
    unrelated, afar = search.prepare(drawn_others), thumbnails(drawn_others)[:, None]
    free, there = np.zeros(n_others, dtype=bool), np.ones((n_others, 1), dtype=bool)
    held_out = np.arange(n_pool, n_others)
    null, false, alike, planted, plain, near = [], [], [], [], [], []
    seconds, pairs = 0.0, 0
    for i, picture in enumerate(training):
        changed = np.stack([finish(change(large[i], rng)) for change in CHANGES.values()])
        like = thumbnails(picture[None])[0]
        chosen = choose_null(free[:n_pool], afar[:n_pool], there[:n_pool], like, n_null)
        apart = ((afar[held_out, 0] - like) ** 2).sum(axis=1)
        alike.append(apart <= np.quantile(apart, 0.04))
        order = np.concatenate([chosen, held_out])
        copies = search.prepare(changed)
        start = time.perf_counter()
        of_others = search.compare([picture], unrelated.take(order)).residual
        seconds += time.perf_counter() - start
        pairs += len(order)
        of_copies = search.compare([picture], copies).residual
        drawn, rest = of_others[:n_null], of_others[n_null:]
        null.append(relative_null(drawn, quantile))
        false.append(relative_residuals(drawn, quantile, rest))
        planted.append(relative_residuals(drawn, quantile, of_copies))
        plain.append(rmse(changed, picture[None])[:, 0])
        near.append(of_others <= settings.refine)
    values = np.concatenate(null)
    p = np.stack([empirical_p(row, values) for row in planted])
    distance = np.stack(plain)
    print(f"{'planted':16}{'verifier':>10}{'RMSE <= 0.12':>14}   of {len(training)}")
    for k, name in enumerate(names):
        print(
            f"{name:16}{(p[:, k] <= asked.p).mean():10.3f}{(distance[:, k] <= 0.12).mean():14.3f}"
        )
    wrong = empirical_p(np.concatenate(false), values)
    near_ones = wrong[np.concatenate(alike)]
    print(
        f"\n{len(wrong)} unrelated pairs, {len(near_ones)} of them most alike; null of {len(values)}"
    )
    for level in (0.05, 0.01, asked.p, asked.p / 10):
        print(
            f"p <= {level:g}: {(wrong <= level).mean():.5f} ({(wrong <= level).sum()}), of the most alike "
            f"{(near_ones <= level).mean():.5f}"
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    looked = np.concatenate(near).mean()
    print(f"\n{1e3 * seconds / pairs:.3f} ms a pair ({looked:.0%} refined), peak {peak:.0f} MiB")


if __name__ == "__main__":
    main()
