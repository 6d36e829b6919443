"""How much of other people's images is shown or handed on: one setting for everything that leaves a run.

Bundles, the review page, every figure with images and the release ask here. Tables and archives inside the results folder
are the run itself: they are no output to hand on, and are left as they are.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from PIL import Image, ImageFilter

from verbatim.io.images import to_uint8
from verbatim.io.parquet import read_parquet

LEVELS = ("full", "blurred", "none")
BLUR = 6  # ASSUME: a radius of a sixth of the longer side leaves patches of colour, and no face


class PrivacyError(ValueError):
    """The switch cannot be honoured as it is set; the message names the key and the cure."""


@dataclass(frozen=True)
class Privacy:
    """What is shown of each prompt.

    level : full; blurred: images beyond recognition, no urls, no digests, no masks; none: no images either.
    only : prompt_ids that it applies to, the others are shown in full; empty: all.
    """

    level: str = "full"
    only: frozenset[int] = field(default_factory=frozenset)

    def level_of(self, prompt_id: int) -> str:
        return self.level if not self.only or int(prompt_id) in self.only else "full"

    def strictest(self, prompt_ids: Iterable[int]) -> str:
        """The level of a file that several prompts share."""
        return max((self.level_of(one) for one in prompt_ids), key=LEVELS.index, default="full")

    def image(self, prompt_id: int, image: np.ndarray | None) -> np.ndarray | None:
        """An image (h, w, 3) in [0, 1] of a prompt as it may be shown; None where it may not."""
        return show_image(image, self.level_of(prompt_id))

    def mask(self, prompt_id: int, mask: np.ndarray | None) -> np.ndarray | None:
        """A template's mask, which draws the outline of what it was made from; None where it may not be shown."""
        return mask if self.level_of(prompt_id) == "full" else None

    def url(self, prompt_id: int, url: str) -> str:
        """Address of a training image; "" where it may not be told."""
        return url if self.level_of(prompt_id) == "full" else ""


def show_image(image: np.ndarray | None, level: str) -> np.ndarray | None:
    """An image (h, w, 3) in [0, 1] at a level: itself, blurred, or None."""
    if image is None or level == "none":
        return None
    return image if level == "full" else blur(image)


def blur(image: np.ndarray) -> np.ndarray:
    """An image (h, w, 3) in [0, 1], blurred beyond recognition; float32."""
    shown = Image.fromarray(to_uint8(image))
    blurred = shown.filter(ImageFilter.GaussianBlur(max(shown.size) / BLUR))
    return np.asarray(blurred, dtype=np.float32) / np.float32(255)


def read_privacy(level: str, only: Iterable[int], tables: Iterable[str | os.PathLike]) -> Privacy:
    """The switch of a run.

    Parameters
    ----------
    level, only : the config's `privacy.images` and `privacy.only`.
    tables : Parquet files whose column `prompt_id` names every prompt of the run; read where `only` names some.

    Raises
    ------
    DamagedError
        A table is not as it was written: a flipped bit could turn a prompt's id into the mistyped one.
    PrivacyError
        An id of `only` is no prompt of the run: a mistyped one would leave its images in full.
    """
    asked = frozenset(int(one) for one in only)
    if asked:
        known: set[int] = set()
        for path in tables:
            known |= set(read_parquet(path, ["prompt_id"])["prompt_id"].to_pylist())
        if unknown := sorted(asked - known):
            raise PrivacyError(
                f"config: privacy.only has {unknown}, no prompts of this run: their images would be shown in full; "
                "correct them by the column prompt_id of labels.parquet"
            )
    return Privacy(level, asked)
