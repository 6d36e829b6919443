"""All chosen detectors of prompts, with the network evaluations that they share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from verbatim.detectors import nemo_ssim
from verbatim.detectors.definitions import ALL_SEEDS, DetectorSettings
from verbatim.detectors.evaluations import Evaluations, Shared
from verbatim.detectors.registry import OF_ONE_SEED

if TYPE_CHECKING:
    import torch

    from verbatim.models.denoiser import Denoiser


class Found(NamedTuple):
    """One score of the captions `start`, `start + 1`, ... with one seed: (n,) float64; NaN where it is not finite."""

    start: int
    seed: int
    score: str
    values: npt.NDArray[np.float64]


@dataclass
class Spent:
    """Rows that were differentiated; the denoiser counts network rows itself."""

    derivatives: int = 0


def score_prompts(
    denoiser: Denoiser, captions: Sequence[str], settings: DetectorSettings, spent: Spent
) -> Iterator[Found]:
    """Every score of every caption with every seed, `settings.batch` captions at a time.

    Scores agree between batches to a relative 1e-4 (float32 networks).

    Parameters
    ----------
    settings : its scores are those that are defined for the denoiser's family.
    spent : is added to.

    Raises
    ------
    ValueError : a batch below 1, or too many steps for the model's schedule.
    NetworkError : the prediction without a caption is not finite.
    """
    if settings.batch < 1 or settings.gradient_batch < 1:
        raise ValueError("detectors.batch and detectors.gradient_batch must be at least 1")
    if not captions or not settings.scores:
        return
    shared = Shared(denoiser, settings.steps)
    for start in range(0, len(captions), settings.batch):
        some = list(captions[start : start + settings.batch])
        cond = denoiser.encode(some)
        changes = []
        for seed in dict.fromkeys(settings.seeds):
            made = Evaluations(shared, settings, some, cond, seed)
            for name in settings.scores:
                if name in OF_ONE_SEED:
                    yield Found(start, seed, name, _finite(OF_ONE_SEED[name](made)))
                else:
                    changes.append(nemo_ssim.stretched_change(made))
            spent.derivatives += made.derivatives
        if changes:
            yield Found(start, ALL_SEEDS, "nemo_ssim", _finite(nemo_ssim.nemo_ssim(changes)))
    spent.derivatives += shared.derivatives


def _finite(values: torch.Tensor) -> npt.NDArray[np.float64]:
    found = values.detach().double().cpu().numpy()
    return np.where(np.isfinite(found), found, np.nan)
