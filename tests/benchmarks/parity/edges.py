"""Edge maps and ECS, beside the filter of Webster's reference implementation and beside image libraries.

The reference finds edges by a threshold on `scipy.ndimage.sobel`; it has no Canny filter.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import yaml
from PIL import Image
from scipy import ndimage

from verbatim.metrics.edges import (
    EdgePreset,
    edge_consistency,
    edge_maps,
    resize_images,
    sobel_magnitude,
)

from .comparison import ROOT, Comparison, Measured, largest
from .photographs import crops, to_bytes

MAPS, PROMPTS, SEEDS = 60, 30, 4
PRESETS = yaml.safe_load((ROOT / "config/config.yaml").read_text("utf-8"))["blackbox"]["presets"]
REFERENCE = EdgePreset(**PRESETS["reference"])


def reference_edges(image: np.ndarray) -> np.ndarray:
    """Webster 2023's filter on the bytes of one image (256, 256, 3): bool (256, 256)."""
    pixels = image.astype(np.float32) / 255.0
    slopes = [ndimage.sobel(pixels, axis=axis) for axis in (0, 1)]
    return np.hypot(*slopes).sum(axis=2) > 1.5


@cache
def one_step_images() -> np.ndarray:
    """Float images (prompts, seeds, 512, 512, 3) as one step gives them: sharp in part, and otherwise blurs of each seed."""
    rng = np.random.default_rng(1)
    out = np.empty((PROMPTS, SEEDS, 512, 512, 3), np.float32)
    sharp, small = crops(PROMPTS, 512, 2), crops(PROMPTS * SEEDS, 16, 3)
    for i, image in enumerate(sharp):
        common = ndimage.gaussian_filter(np.float32(image) / 255, (*[rng.uniform(0.3, 3)] * 2, 0))
        for j in range(SEEDS):
            blur = Image.fromarray(small[i * SEEDS + j]).resize(
                (512, 512), Image.Resampling.BICUBIC
            )
            share = np.float32(rng.uniform(0, 0.5))
            noise = rng.standard_normal(common.shape, np.float32) / 100
            out[i, j] = (1 - share) * common + share * np.float32(blur) / 255 + noise
    return out.clip(0, 1)


def measure_maps(folder: Path) -> Measured:
    images = crops(MAPS, 256, 0)
    ours = edge_maps(images.astype(np.float32) / 255.0, REFERENCE)
    theirs = np.stack([reference_edges(image) for image in images])
    return Measured(
        MAPS,
        float((ours != theirs).sum((1, 2)).max()),
        f"{theirs.mean():.2f} of the pixels are edges",
    )


def bytes_at_256(image: np.ndarray) -> np.ndarray:
    """A decoded image as the reference stores and resizes it: 8 bits, Lanczos, 8 bits."""
    small = Image.fromarray(to_bytes(image)).resize((256, 256), Image.Resampling.LANCZOS)
    return np.asarray(small)


@cache
def reference_scores() -> tuple[np.ndarray, np.ndarray]:
    """ECS of each prompt by the reference's formula (prompts,), and the bytes it was had from."""
    stored = np.stack([[bytes_at_256(image) for image in seeds] for seeds in one_step_images()])
    votes = [np.mean([reference_edges(image) for image in seeds], axis=0) for seeds in stored]
    return np.array([(vote > 0.5).mean() for vote in votes]), stored


def measure_scores(folder: Path) -> Measured:
    theirs, stored = reference_scores()
    ours = [
        edge_consistency(
            edge_maps(seeds.astype(np.float32) / 255.0, REFERENCE), REFERENCE.agreement
        )
        for seeds in stored
    ]
    return Measured(PROMPTS, largest(ours, theirs), f"ECS {theirs.min():.2f} to {theirs.max():.2f}")


def measure_resize(folder: Path) -> Measured:
    theirs, _ = reference_scores()
    ours = [
        edge_consistency(edge_maps(resize_images(seeds, 256), REFERENCE), REFERENCE.agreement)
        for seeds in one_step_images()
    ]
    return Measured(PROMPTS, largest(ours, theirs), f"ECS {theirs.min():.2f} to {theirs.max():.2f}")


def measure_plane(folder: Path) -> Measured:
    import cv2

    images = crops(MAPS, 256, 4).astype(np.float32) / 255.0
    theirs = np.zeros(images.shape[:3])
    for image, total in zip(images, theirs, strict=True):
        for c in range(3):
            plane = np.ascontiguousarray(image[..., c])
            dx, dy = (
                cv2.Sobel(plane, cv2.CV_64F, *order, ksize=3, borderType=cv2.BORDER_REFLECT)
                for order in ((1, 0), (0, 1))
            )
            total += np.hypot(dx, dy)
    return Measured(MAPS, largest(sobel_magnitude(images, "plane"), theirs))


def measure_solid(folder: Path) -> Measured:
    from skimage import filters

    images = crops(MAPS, 256, 5).astype(np.float32) / 255.0
    # scikit-image divides each of the two smoothings by 4
    theirs = [
        np.hypot(*(16 * filters.sobel(image.astype(np.float64), axis=axis) for axis in (0, 1))).sum(
            2
        )
        for image in images
    ]
    return Measured(MAPS, largest(sobel_magnitude(images, "nd"), theirs))


COMPARISONS = [
    Comparison(
        "edge map, `reference`", "metrics.edges.edge_maps", "onestep-extraction's filter, by scipy.ndimage.sobel",
        0, "pixels that differ", measure_maps,
    ),
    Comparison(
        "ECS of the same bytes", "metrics.edges.edge_consistency", "onestep-extraction's formula", 0, "absolute",
        measure_scores,
    ),
    Comparison(
        "ECS, resized in floats", "metrics.edges.resize_images", "the same, resized as bytes by Pillow", 0.0045,
        "absolute", measure_resize,
    ),
    Comparison(
        "gradient of each channel", "metrics.edges.sobel_magnitude, plane", "cv2.Sobel", 1e-5, "absolute",
        measure_plane, {"cv2": "opencv-python-headless"},
    ),
    Comparison(
        "gradient of the array", "metrics.edges.sobel_magnitude, nd", "skimage.filters.sobel", 2e-5, "absolute",
        measure_solid, {"skimage": "scikit-image"},
    ),
]  # fmt: skip
