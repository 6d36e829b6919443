"""How much a prompt changes the first prediction: the energy of a search for triggers.

Hong et al. 2024 (MemBench): D = ||eps_c - eps_u||^2 of pure noise at the last timestep. Its root is `wen_first_step` of the white-box
attack, whose implementation computes it here.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from verbatim.models.denoiser import Denoiser, check_broken
from verbatim.whitebox.dcs import score_captions

GUIDANCE = 2.0  # of another score of the same forward pass; the norm does not depend on it


class FirstStepEnergy:
    """Energy of prompts with the noise of a seed.

    Parameters
    ----------
    batch : prompts in one forward; results do not depend on it beyond rounding.

    Attributes
    ----------
    tried, broken : prompts so far, and those of them without a finite energy.
    """

    def __init__(self, denoiser: Denoiser, batch: int):
        self._denoiser, self._batch = denoiser, batch
        self.tried = self.broken = 0

    def __call__(self, prompts: Sequence[str], seed: int) -> np.ndarray:
        """D (n,) float64, from 0; NaN where the network gives no finite number. n + 1 network rows.

        Raises
        ------
        NetworkError : too many without a finite number.
        """
        energy = np.full(len(prompts), np.nan)
        for found in score_captions(self._denoiser, prompts, [seed], GUIDANCE, self._batch):
            norms = found.scores["wen_first_step"]
            energy[found.start : found.start + len(norms)] = norms**2
        self.tried += len(prompts)
        self.broken += int(np.isnan(energy).sum())
        check_broken(self.broken, self.tried, self._denoiser.dtype, "prompts")
        return energy
