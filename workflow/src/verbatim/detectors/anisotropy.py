"""Norm and alignment at a high and at a low noise level: Asthana et al. 2026 (ICLR).

Public code: rohanasthana/memorization-anisotropy. Both terms are of the same pure noise x_net = n: the norm ||eps_c - eps_u||_2
as the network is told of the first step, the cosine as it is told of the third-last (timesteps 981 and 41 of 50 steps). The
cosine of the unconditional prediction and the change is taken in each pixel, over channels, and averaged.

anisotropy         w_n norm + w_c cosine, on their raw scales. The published weights (1, 2) of Stable Diffusion 1 and (1, 0.1) of 2
                   were tuned on the prompts that the paper reports.
anisotropy_cosine  the cosine alone.

With v-prediction the cosine is of v, as in the code, and the norm is divided by 1 - abar.
"""

from __future__ import annotations

import torch

from verbatim.detectors.evaluations import Evaluations
from verbatim.detectors.wen import wen_ddim_1

FROM_END = 3  # the low step, counted from the last: timesteps[-3]


def anisotropy_cosine(made: Evaluations) -> torch.Tensor:
    """(n,) float64, in [-1, 1]; 0 in a pixel where the caption changes nothing: 1 row."""
    step = len(made.levels) - FROM_END
    if step < 1:
        raise ValueError(f"detectors.steps is {len(made.levels)}: anisotropy needs at least 4")
    c, u = made.eps_at_noise(step).double(), made.shared.eps(made.seed, step).double()
    if made.denoiser.prediction_type == "v_prediction":
        # v = root eps - sigma x_net: the inverse of `Denoiser.predict`
        root, sigma = made.shared.root(step), made.levels[step]
        noise = made.shared.noise(made.seed).double()
        c, u = root * c - sigma * noise, root * u - sigma * noise
    change = c - u
    both = change.square().sum(1).sqrt() * u.square().sum(1).sqrt()
    cosine = (u * change).sum(1) / both.where(both > 0, 1.0)
    return cosine.clamp(-1.0, 1.0).flatten(1).mean(1)


def anisotropy(made: Evaluations) -> torch.Tensor:
    """(n,) float64: 2 rows."""
    kind = made.denoiser.prediction_type
    weights = made.settings.anisotropy.get(kind, made.settings.anisotropy["epsilon"])
    norm = wen_ddim_1(made)
    if kind == "v_prediction":
        norm = norm / made.noise_variance(0)
    return weights[0] * norm + weights[1] * anisotropy_cosine(made)
