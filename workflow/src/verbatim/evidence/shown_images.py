"""The images that evidence is made of, read from a model's archives by key."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache

import numpy as np
import pandas as pd

from verbatim.io.images import (
    ImageArchive,
    ImageError,
    Seeds,
    generation_name,
    most_seeds,
    resize,
    seeds_of,
)
from verbatim.io.seals import DamagedError
from verbatim.metrics.rmse import fit_square


def read_generations(
    archive: ImageArchive, prompt_ids: Iterable[int], seeds: Seeds, size: int
) -> tuple[np.ndarray, np.ndarray]:
    """Generations of every prompt and seed as squares (n * seeds, size, size, 3), and which exist.

    One that cannot be read is black in the stack and False in the (n, seeds) answer, and is compared
    with nothing. Where prompts have seeds of their own, each has places for as many as any has.

    seeds : of every prompt, or prompt_id -> its own.
    """
    ids = [int(prompt_id) for prompt_id in prompt_ids]
    places = most_seeds(seeds, ids)
    stack = np.zeros((len(ids) * places, size, size, 3), dtype=np.float32)
    readable = np.zeros((len(ids), places), dtype=bool)
    for i, prompt_id in enumerate(ids):
        for j, seed in enumerate(seeds_of(seeds, prompt_id)):
            try:
                image = archive.read(generation_name(prompt_id, seed))
            except (KeyError, ImageError):
                continue
            stack[i * places + j] = resize(image, size, size)
            readable[i, j] = True
    return stack, readable


class Squares:
    """Distinct training images of an archive, as squares.

    Attributes
    ----------
    image_of : row -> index of its image; rows whose files are equal to the byte share one.
    """

    def __init__(self, archive: ImageArchive, fetched: pd.DataFrame, size: int, keep: int = 2000):
        self._archive, self._size = archive, size
        self._members: list[str] = []
        self.image_of: dict[int, int] = {}
        index: dict[bytes, int] = {}
        good = fetched[fetched["status"].eq("ok")].sort_values("row")
        for row, member in zip(good["row"].tolist(), good["member"], strict=True):
            try:
                data = archive.read_bytes(member)
                digest = hashlib.sha256(data).digest()
                if digest not in index:
                    archive.read(member)
            except KeyError as err:
                raise DamagedError(
                    archive.path, f"{member} is missing, which `fetched` lists"
                ) from err
            except ImageError:
                continue
            if digest not in index:
                index[digest] = len(self._members)
                self._members.append(member)
            self.image_of[row] = index[digest]
        self._squares = lru_cache(maxsize=keep)(self._load)

    def __len__(self) -> int:
        return len(self._members)

    def _load(self, image: int) -> dict[str, np.ndarray]:
        return fit_square(self._archive.read(self._members[image]), self._size)

    def get(self, image: int) -> list[np.ndarray]:
        """The image's squares (s, s, 3) in [0, 1], in the order of `crop`."""
        return list(self._squares(image).values())

    def crop(self, image: int, base: int) -> str:
        """How a square was made of the image: a key of `fit_square`."""
        return list(self._squares(image))[base]
