"""Another initial noise instead of another prompt: generation starts where the prompt says little.

noise  Han 2025 (arXiv 2510.08625; public code hygnhan/init_noise_diffusion_memorization), per sample: AdamW on the initial noise
       until ||eps_c - eps_u||_2 of the first step is small.
sail   Jeon 2025 (Dongjae0324/sharpness_memorization_diffusion), as its code computes it: Adam on ||Delta(x + u)||_2 + a ||x||_2 with
       Delta = eps_c - eps_u and u = Delta / ||Delta||_2 of the noise that it starts from. The paper subtracts Delta(x) and
       squares both terms.

Both papers stop at a number of Stable Diffusion. Here the change may be `target` times that of captions of random words. ASSUME:
one noise is moved for each generation, however far it gets; the code of Jeon 2025 draws another where the target is not reached.
"""

from __future__ import annotations

import torch

from verbatim.mitigation.descent import Descent, descend, first_change
from verbatim.models.denoiser import Condition, Denoiser


def _norm(x: torch.Tensor) -> torch.Tensor:
    return x.flatten(1).norm(dim=1)


def quiet_noise(
    denoiser: Denoiser, noise: torch.Tensor, cond: Condition, empty: Condition, how: Descent
) -> torch.Tensor:
    """Unit noise (n, *shape) moved until the prompt changes the first prediction by at most the target: (n, *shape)."""
    return descend(
        lambda x: _norm(first_change(denoiser, x, cond, empty)),
        noise.to(denoiser.device),
        how,
        torch.optim.AdamW,
    )


def flat_noise(
    denoiser: Denoiser,
    noise: torch.Tensor,
    cond: Condition,
    empty: Condition,
    how: Descent,
    weight: float,
) -> torch.Tensor:
    """Unit noise (n, *shape) moved to where the density is less sharp: (n, *shape).

    how : its target is of the change alone; that of the sum is higher by `weight` times the norm that noise is expected to
    have, the square root of its size.
    weight : a, of the noise's own norm.
    """
    x = noise.to(denoiser.device)
    with torch.no_grad():
        change = first_change(denoiser, x, cond, empty)
        unit = change / _norm(change).clamp(min=1e-12).view(-1, 1, 1, 1)
    expected = weight * x[0].numel() ** 0.5
    told = Descent(how.steps, how.rate, how.target + expected)
    return descend(
        lambda x: _norm(first_change(denoiser, x + unit, cond, empty)) + weight * _norm(x), x, told
    )
