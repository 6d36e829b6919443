"""What is known of every image of the pool before any run is measured: its descriptors and its complexity.

One file for all runs: training images are described once, and not for every model that was trained on them.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from verbatim.io.atomic import new_file
from verbatim.io.seals import ZIP_DAMAGE, check_zip, seal_zip
from verbatim.metrics.complexity import MEASURES


class Described(NamedTuple):
    """Vectors (n, d) and chunks (n, c, e) of n images; as `descriptors.Features`, which needs no import here."""

    whole: np.ndarray
    chunks: np.ndarray


class FeatureError(ValueError):
    """A file of features cannot be used; the message names the file and the cure."""


class PoolFeatures:
    """Descriptors of images by their image_id.

    Parameters
    ----------
    ids : (n,) image_id.
    described : descriptor -> `Described` of the n images.
    complexity : measure -> (n,).
    inception : (n, 2048), or (n, 0) where there is no Inception.
    """

    def __init__(
        self,
        ids: np.ndarray,
        described: Mapping[str, Described],
        complexity: Mapping[str, np.ndarray],
        inception: np.ndarray,
    ):
        self.ids, self.described, self.inception = ids, dict(described), inception
        self.complexity = {
            name: dict(zip(ids.tolist(), values.tolist(), strict=True))
            for name, values in complexity.items()
        }
        self._place = {int(key): i for i, key in enumerate(ids)}

    def places(self, ids: Sequence[int] | np.ndarray) -> np.ndarray:
        """Where these images stand, (m,)."""
        return np.array([self._place[int(key)] for key in ids], dtype=np.int64)

    def of(self, ids: Sequence[int] | np.ndarray) -> dict[str, Described]:
        """Descriptor -> of these images, in their order."""
        at = self.places(ids)
        return {
            name: Described(one.whole[at], one.chunks[at]) for name, one in self.described.items()
        }

    def write(self, path: str | os.PathLike) -> None:
        """Write an .npz without pickle, sealed (see `io.seals`)."""
        arrays = {"image_id": self.ids, "inception": self.inception}
        for name, values in self.complexity.items():
            arrays[f"complexity:{name}"] = np.array([values[int(key)] for key in self.ids])
        for name, one in self.described.items():
            arrays |= {f"whole:{name}": one.whole, f"chunks:{name}": one.chunks}
        with new_file(path) as temporary:
            with open(temporary, "wb") as file:
                np.savez(file, **arrays)  # type: ignore[arg-type]
            seal_zip(temporary)

    @classmethod
    def read(
        cls,
        path: str | os.PathLike,
        descriptors: Sequence[str] | None = None,
        inception: bool = True,
    ) -> PoolFeatures:
        """Raises FeatureError if the file is missing or is not one that `write` wrote.

        descriptors : those that are wanted, all by default; what is not asked for is not read, and not there: of
        many images the vectors are large, complexity is next to nothing.
        """
        try:
            with np.load(path, allow_pickle=False) as file:  # an array is read where it is named
                check_zip(file.zip, path)
                ids = file["image_id"]
                known = [name.partition(":")[2] for name in file.files if name.startswith("whole:")]
                names = known if descriptors is None else descriptors
                return cls(
                    ids,
                    {n: Described(file[f"whole:{n}"], file[f"chunks:{n}"]) for n in names},
                    {n: file[f"complexity:{n}"] for n in MEASURES},
                    file["inception"] if inception else np.zeros((len(ids), 0), np.float32),
                )
        except (OSError, ValueError, KeyError, EOFError, TypeError, *ZIP_DAMAGE) as err:
            raise FeatureError(
                f"{path}: not a file of features ({err}); delete it and run embed_pool"
            ) from err


def complexity_of(images: np.ndarray) -> dict[str, np.ndarray]:
    """Measure -> of each image (n,); images (n, h, w, 3) uint8."""
    return {
        name: np.array([measure(image) for image in images], dtype=np.float64)
        for name, measure in MEASURES.items()
    }
