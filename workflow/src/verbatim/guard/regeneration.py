"""What the guard generates instead: the same prompt and seed behind a defence, and what that costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from verbatim.io.images import to_uint8
from verbatim.mitigation.defences import Defended, change_prompt
from verbatim.mitigation.generation import draw_images
from verbatim.models.denoiser import Denoiser
from verbatim.models.sampling import Sampling


@dataclass(frozen=True)
class Defence:
    """name : of `mitigation.defences.DEFENCES`. constants : `mitigation.inference` of the config. seed : of its own random
    numbers."""

    name: str
    constants: dict[str, Any]
    seed: int


def regenerate(
    denoiser: Denoiser,
    defence: Defence,
    captions: Sequence[str],
    seeds: Sequence[int],
    how: Sampling,
    batch: int,
) -> list[list[np.ndarray | None]]:
    """Each caption with each seed behind a defence: images (h, w, 3) uint8, None where one is not finite.

    batch : images that run together.
    """
    defended = Defended(denoiser, defence.name, defence.constants, defence.seed)
    prompts = [
        change_prompt(caption, defence.name, defence.constants, defence.seed)
        for caption in captions
    ]
    asked = [prompt for prompt in prompts for _ in seeds]
    images = draw_images(defended, asked, list(seeds) * len(prompts), how, batch)
    flat = [to_uint8(image) if np.isfinite(image).all() else None for image in images]
    return [flat[i : i + len(seeds)] for i in range(0, len(flat), len(seeds))]
