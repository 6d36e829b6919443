"""Which images of a folder can be tested, and which show the same: before anything is asked of a model."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from verbatim.audit.image_folders import Entry
from verbatim.io.images import MAX_BYTES, ImageError, decode_image, resize
from verbatim.io.keys import prompt_id
from verbatim.io.training_images import TrainingImages
from verbatim.metrics.degenerate_images import GuardSettings, doubts

SMALL = (
    32  # ASSUME: pixels at which duplicates are told; a print and its thumbnail are one image there
)
BLOCK = 1024  # images compared at once; bounds memory, changes nothing
EMPTY = ("white", "flat", "low contrast")  # doubts that say an image is matched by nearly anything


@dataclass(frozen=True)
class ScreenSettings:
    """least_side : shorter side in pixels below which an image is too small. stored_side : longer side of what is kept.

    size : side of the squares that are compared. threshold : RMSE up to which an image is given back.
    guards : when an image says too little.
    """

    least_side: int
    stored_side: int
    size: int
    threshold: float
    guards: GuardSettings


def screen_images(
    entries: Iterable[Entry], settings: ScreenSettings
) -> Iterator[tuple[dict[str, Any], np.ndarray | str]]:
    """A row of the `audit_images` table for each entry, and its image (h, w, 3) in [0, 1], or why there is none.

    An image that cannot be tested is there with its reason: unreadable, too small, or so plain that any generation
    would match it.
    """
    with TrainingImages() as archives:
        for number, entry in enumerate(entries):
            image, reason, digest = _read(entry, archives)
            height, width = (0, 0) if image is None else image.shape[:2]
            if image is not None and not reason:
                reason = _too_little(image, settings)
            caption = entry.caption or ""
            row = {
                "image": number, "file": entry.name, "sha256": digest, "caption": caption,
                "prompt_id": prompt_id(caption), "owner": entry.owner, "control": entry.control,
                "url": entry.url, "width": width, "height": height, "duplicate_of": -1,
                "status": "not_tested" if reason else "ok", "reason": reason,
            }  # fmt: skip
            yield row, reason if image is None else _stored(image, settings.stored_side)


def _read(entry: Entry, archives: TrainingImages) -> tuple[np.ndarray | None, str, str]:
    """Image, why it cannot be tested, and SHA-256 of its file ("" for a member of an archive)."""
    if entry.reason and not entry.path.is_file():
        return None, entry.reason, ""
    if entry.member:
        got = archives.read(str(entry.path), entry.member)
        return got.image, entry.reason or got.reason, ""
    try:
        if entry.path.stat().st_size > MAX_BYTES:
            return None, f"the file has more than {MAX_BYTES:,} bytes", ""
        data = entry.path.read_bytes()
        return decode_image(data), entry.reason, hashlib.sha256(data).hexdigest()
    except ImageError as err:
        return None, entry.reason or str(err), ""
    except OSError as err:
        return None, entry.reason or f"the file cannot be read: {err.strerror}", ""


def _too_little(image: np.ndarray, settings: ScreenSettings) -> str:
    """Why an image says too little to be tested; "" for one that can be."""
    if (side := min(image.shape[:2])) < settings.least_side:
        return f"too small: {side} pixels, at least {settings.least_side} are needed"
    square = resize(image, settings.size, settings.size)
    found = [d for d in doubts(square, settings.guards, settings.threshold) if d in EMPTY]
    if found:
        return f"so plain that unrelated images match it ({', '.join(found)})"
    return ""


def _stored(image: np.ndarray, most: int) -> np.ndarray:
    """An image with its longer side at most `most` pixels."""
    height, width = image.shape[:2]
    scale = most / max(height, width)
    if scale >= 1:
        return image
    return resize(image, max(1, round(height * scale)), max(1, round(width * scale)))


def small_square(image: np.ndarray) -> np.ndarray:
    """An image (h, w, 3) as a vector (3 * SMALL * SMALL,) about 0, float32."""
    return resize(image, SMALL, SMALL).ravel() - np.float32(0.5)


def find_duplicates(vectors: np.ndarray, digests: list[str], threshold: float) -> np.ndarray:
    """First image of the group that each image belongs to, (n,) int: its own index for one that stands alone.

    Images are duplicates if their files are equal or their small squares at most `threshold` apart (RMSE), and so are
    duplicates of duplicates.

    Parameters
    ----------
    vectors : (n, d) of `small_square`. digests : SHA-256 of each file, "" where it is not known.
    """
    n, d = vectors.shape
    parent = np.arange(n)

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = int(parent[i])
        return i

    def join(i: int, j: int) -> None:
        a, b = sorted((root(i), root(j)))
        parent[b] = a

    first: dict[str, int] = {}
    for i, digest in enumerate(digests):
        if digest:
            join(first.setdefault(digest, i), i)
    norms = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)
    limit = threshold**2 * d
    for start in range(0, n, BLOCK):
        block = slice(start, start + BLOCK)
        apart = norms[block, None] + norms - 2.0 * (vectors[block] @ vectors.T)
        for i, j in zip(*np.nonzero(apart <= limit), strict=True):
            if start + i < j:
                join(start + int(i), int(j))
    return np.array([root(i) for i in range(n)], dtype=np.int64)
