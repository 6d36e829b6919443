"""Generations as bytes with their cost, for stages that keep every image."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from verbatim.io.images import to_uint8
from verbatim.models.denoiser import Denoiser
from verbatim.models.sampling import Sampling, generate


def generate_stack(
    denoiser: Denoiser,
    captions: Sequence[str],
    seeds: Sequence[int],
    how: Sampling,
    batch: int,
) -> tuple[list[list[np.ndarray | None]], int]:
    """`sampling.generate` of every caption with every seed, all kept.

    Bytes, as an archive stores them, so that whatever is worked out from the array comes out the same
    from the archive.

    Returns
    -------
    images : of each caption and seed (size, size, 3) uint8, or None where the network gave no finite image.
    rows : network rows spent, both guidance halves, of all stages of the model.
    """
    images: list[list[np.ndarray | None]] = [[None] * len(seeds) for _ in captions]
    place = {seed: i for i, seed in enumerate(seeds)}
    before = denoiser.full_rows
    for caption, seed, image in generate(denoiser, captions, seeds, how, batch):
        images[caption][place[seed]] = to_uint8(image)
    return images, denoiser.full_rows - before


class Meter:
    """Counts network rows and seconds of a model by stage, from this call on."""

    def __init__(self, denoiser: Denoiser):
        self._denoiser, self._began = denoiser, time.monotonic()
        self._before = self._state()

    def _state(self) -> tuple[int, int, float]:
        upscaler = self._denoiser.upscaler
        second = (upscaler.rows, upscaler.seconds) if upscaler else (0, 0.0)
        return self._denoiser.rows, *second

    def spent(
        self, stage: str, rows: npt.ArrayLike | None = None
    ) -> dict[str, tuple[npt.ArrayLike, float]]:
        """`stage` -> (rows, seconds); and `stage`_upscaler of a model with a second stage.

        Parameters
        ----------
        rows : of each prompt, both stages together, where they are known, (n,). Every image costs the
            same, so each prompt's are split as all are.
        """
        seconds = time.monotonic() - self._began
        first, second, upscaling = (
            after - before for after, before in zip(self._state(), self._before, strict=True)
        )
        if self._denoiser.upscaler is None:
            return {stage: (first if rows is None else rows, seconds)}
        shares = np.array([first, second]) / max(1, first + second)
        split = (first, second) if rows is None else [np.asarray(rows) * share for share in shares]
        return {
            stage: (split[0], seconds - upscaling),
            f"{stage}_upscaler": (split[1], upscaling),
        }
