"""CLIP embeddings of images in archives, for a source without embeddings."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from verbatim.io.images import resize
from verbatim.io.training_images import TrainingImages


def crop_square(image: np.ndarray, size: int) -> np.ndarray:
    """An image (h, w, 3) as CLIP looks at it (size, size, 3): its short side resampled, its middle cut out.

    OpenAI's and open_clip's preprocessing; clip-retrieval uses it.
    """
    short = min(image.shape[:2])
    # what is further from the middle is not seen, and the longest strip that `images` lets through would
    # take twenty times the memory of a square
    most = 8 * short
    top, left = ((max(0, side - most)) // 2 for side in image.shape[:2])
    image = image[top : top + most, left : left + most]
    height, width = image.shape[:2]
    scale = size / min(height, width)
    height, width = max(size, round(height * scale)), max(size, round(width * scale))
    resized = resize(image, height, width)
    top, left = (height - size) // 2, (width - size) // 2
    return resized[top : top + size, left : left + size]


def embed_members(
    archives: Sequence[str],
    members: Sequence[str],
    embed: Callable[[np.ndarray], np.ndarray],
    shape: tuple[int, int, int],
) -> tuple[np.ndarray, dict[int, str]]:
    """Embeddings of the images with these names, one row for each name.

    Parameters
    ----------
    archives, members
        (n,) from `archives.find_archives`; "" where no archive can hold the image.
    embed
        Images (b, size, size, 3) to embeddings (b, dim).
    shape
        size, dim, and how many images are embedded together.

    Returns
    -------
    (n, dim) float32, all zero where there is no image (a row that takes no part); and the reason of each row
    that has none.
    """
    size, dim, batch = shape
    out = np.zeros((len(members), dim), dtype=np.float32)
    missing: dict[int, str] = {}
    rows: list[int] = []
    images: list[np.ndarray] = []

    def flush() -> None:
        if rows:
            out[rows] = embed(np.stack(images))
            rows.clear()
            images.clear()

    with TrainingImages() as reader:
        for row, (archive, member) in enumerate(zip(archives, members, strict=True)):
            got = reader.read(archive, member)
            if got.image is None:
                missing[row] = f"{got.status}: {got.reason}"
                continue
            rows.append(row)
            images.append(crop_square(got.image, size))
            if len(rows) == batch:
                flush()
    flush()
    return out, missing
