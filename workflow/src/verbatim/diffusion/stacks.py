"""Generations as bytes, with what they cost: for those who keep every picture."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from verbatim.diffusion.denoiser import Denoiser
from verbatim.diffusion.sampling import synthesize
from verbatim.images import to_uint8


def synthesize_stack(
    denoiser: Denoiser,
    captions: Sequence[str],
    seeds: Sequence[int],
    steps: int,
    guidance: float,
    batch: int,
    sampler: str,
    spacing: str = "karras",
) -> tuple[list[list[np.ndarray | None]], int]:
    """`sampling.synthesize` of every caption with every seed, all kept.

    Bytes, as an archive stores them, so that whatever is worked out from the array comes out the same
    from the archive.

    Returns
    -------
    pictures : of each caption and seed (size, size, 3) uint8, or None where the network gave no finite picture.
    rows : network rows spent, both guidance halves.
    """
    pictures: list[list[np.ndarray | None]] = [[None] * len(seeds) for _ in captions]
    place = {seed: i for i, seed in enumerate(seeds)}
    before = denoiser.rows
    for caption, seed, picture in synthesize(
        denoiser, captions, seeds, steps, guidance, batch, sampler, spacing=spacing
    ):
        pictures[caption][place[seed]] = to_uint8(picture)
    return pictures, denoiser.rows - before
