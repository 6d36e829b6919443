"""How alike the first predictions of several seeds are: Hintersdorf et al. 2024 (NeMo).

Public code: ml-research/localizing_memorization_in_diffusion_models. delta_k = eps_c(n_k) - n_k, each channel stretched to [0, 1],
with the network told of the second step (timestep 961) at pure noise, as the code has it. The score is the highest multi-scale
structural similarity of two seeds (Wang 2003; three scales of equal weight 0.33, kernel 11). The paper has 10 seeds.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import torch

from verbatim.detectors.evaluations import Evaluations

STEP = 1  # the second
SCALES = (0.33, 0.33, 0.33)
KERNEL, DEVIATION = 11, 1.5  # of the Gaussian window, in latent pixels; Wang 2004, section III.B


def stretch(delta: torch.Tensor) -> torch.Tensor:
    """(n, c, h, w), each channel of each stretched to [0, 1]."""
    flat = delta.flatten(2)
    low, high = flat.min(2, keepdim=True).values, flat.max(2, keepdim=True).values
    return ((flat - low) / (high - low).clamp(min=1e-12)).view_as(delta)


def stretched_change(made: Evaluations) -> torch.Tensor:
    """delta of one seed, (n, *shape) in [0, 1]: 1 row."""
    return stretch(made.eps_at_noise(STEP) - made.shared.noise(made.seed))


def alike(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Multi-scale structural similarity of each of `a` and the one of `b` at its place, (n, c, h, w) in [0, 1]: (n,) float64.

    NaN where a latent has no room for three scales. ASSUME: the largest odd kernel that has room, its deviation in proportion,
    where 11 has none (a latent of fewer than 44); and a scale with a negative similarity counts as 0, because it has no root.
    """
    from torchmetrics.functional.image import multiscale_structural_similarity_index_measure as ssim

    room = min(a.shape[2:]) // (len(SCALES) - 1) ** 2
    kernel = min(KERNEL, room - 1 + room % 2)
    if kernel < 3:
        return torch.full((len(a),), float("nan"), dtype=torch.float64)
    how = {
        "kernel_size": kernel, "sigma": DEVIATION * kernel / KERNEL, "betas": SCALES, "data_range": 1.0,
        "reduction": "none", "normalize": "relu",
    }  # fmt: skip
    return ssim(a.cpu(), b.cpu(), **how).reshape(-1).double()


def nemo_ssim(changes: Sequence[torch.Tensor]) -> torch.Tensor:
    """(n,) float64, in [0, 1]; NaN for fewer than two seeds, or a latent without room for three scales (`alike`).

    Parameters
    ----------
    changes : `stretched_change` of each seed.
    """
    if len(changes) < 2:
        return torch.full((len(changes[0]),), float("nan"), dtype=torch.float64)
    pairs = [alike(a, b) for a, b in combinations(changes, 2)]
    return torch.stack(pairs).max(0).values
