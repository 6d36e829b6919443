"""The generations of a run: read in the order of their table, and which of them are its sample.

The sample is what similarities, quality and complexity speak of.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from verbatim.io.images import ImageArchive, resize, to_uint8


class RunError(ValueError):
    """A run's files do not hold together; the message names the file and the cure."""


def read_generations(archive: ImageArchive, generations: pd.DataFrame, size: int) -> np.ndarray:
    """The images of a run in the order of its table, uint8 (n, size, size, 3).

    Raises RunError for a table without rows, and for an image that is not there.
    """
    if generations.empty:
        raise RunError(
            f"{archive.path}: its generations.parquet has no rows, though the training went well; delete both "
            "and run generate_point again"
        )
    out = np.empty((len(generations), size, size, 3), np.uint8)
    for place, number in enumerate(generations["generation"].tolist()):
        name = f"{number}.png"
        if name not in archive:
            raise RunError(
                f"{archive.path}: no {name}, which its generations.parquet lists; delete both and run "
                "generate_point again"
            )
        out[place] = to_uint8(resize(archive.read(name), size, size))
    return out


def in_sample(generations: pd.DataFrame) -> np.ndarray:
    """Whether each generation is of the sample (kind `one`): further ones of a caption only help to find copies."""
    return (generations["kind"] == "one").to_numpy()


def sample_similarities(similarities: pd.DataFrame, generations: pd.DataFrame) -> pd.DataFrame:
    """The rows of a run's `similarity_matches` that are of its sample, all descriptors."""
    chosen = generations["generation"][in_sample(generations)]
    return similarities[similarities["generation"].isin(chosen)]
