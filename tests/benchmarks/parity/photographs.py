"""Photographs that packages of the lock bring along, and images made of them."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image


@cache
def photographs() -> tuple[np.ndarray, ...]:
    """Three photographs, uint8 (h, w, 3): two of scikit-learn's, one of Matplotlib's."""
    import matplotlib
    import sklearn.datasets

    folder = Path(sklearn.datasets.__file__).parent / "images"
    files = [folder / "china.jpg", folder / "flower.jpg"]
    files.append(Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg")
    return tuple(np.asarray(Image.open(file).convert("RGB")) for file in files)


def crops(n: int, size: int, seed: int) -> np.ndarray:
    """Squares of 100 to 400 pixels cut out of the photographs at random, resampled: uint8 (n, size, size, 3)."""
    rng = np.random.default_rng(seed)
    out = []
    for i in range(n):
        whole = photographs()[i % len(photographs())]
        side = int(rng.integers(100, 401))
        top, left = (int(rng.integers(0, long - side + 1)) for long in whole.shape[:2])
        cut = Image.fromarray(whole[top : top + side, left : left + side])
        out.append(np.asarray(cut.resize((size, size), Image.Resampling.BICUBIC)))
    return np.stack(out)


def as_jpeg(image: np.ndarray, quality: int) -> np.ndarray:
    """An image as it comes back from a JPEG file, uint8 (h, w, 3)."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file).convert("RGB"))


def noised(image: np.ndarray, sse: float, rng: np.random.Generator) -> np.ndarray:
    """An 8-bit image whose sum of squared differences to `image`, pixels in [0, 1], is about `sse`."""
    spread = np.sqrt(sse / image.size)
    return to_bytes(image / 255 + rng.normal(0, spread, image.shape))


def to_bytes(image: np.ndarray) -> np.ndarray:
    """As diffusers turns decoded images into 8 bits: rounded to the nearest level."""
    return np.rint(np.clip(image, 0, 1) * 255).astype(np.uint8)
