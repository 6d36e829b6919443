"""The norm of what a caption adds to the prediction: Wen et al. 2024, eq. 3.

Public code: YuxinWenRick/diffusion_memorization. m_t = ||eps_c - eps_u||_2 at a step of a guided generation.

wen_ddim_1   m at the first step of the public code's generation (timestep 981), without its mean over steps.
wen_ddim_2   m at its second step, after one guided step.
wen          the published score: the mean of m over all steps. Its mean over generations is that over seeds.
x0_change    mean over all steps of sigma_t m_t = ||D_c - D_u||_2, the same in estimates of x0. Nobody publishes it: it is for
             rectified flows, where a change of eps is none at the first step, and a change of v weighs steps otherwise.

v-prediction: norms are those of eps. The public code takes those of v, which weighs steps otherwise over time.
"""

from __future__ import annotations

import torch

from verbatim.detectors.evaluations import Evaluations


def _norm(change: torch.Tensor) -> torch.Tensor:
    return change.flatten(1).double().square().sum(1).sqrt()


def wen_ddim_1(made: Evaluations) -> torch.Tensor:
    """(n,) float64, from 0: 1 row."""
    return _norm(made.change(0))


def wen_ddim_2(made: Evaluations) -> torch.Tensor:
    """(n,) float64, from 0: 3 rows."""
    return _norm(made.change(1))


def wen(made: Evaluations) -> torch.Tensor:
    """(n,) float64, from 0: 2 T - 1 rows of a generation of T steps."""
    return torch.stack([_norm(made.change(step)) for step in range(len(made.levels))]).mean(0)


def x0_change(made: Evaluations) -> torch.Tensor:
    """(n,) float64, from 0: 2 T - 1 rows of a generation of T steps."""
    norms = [sigma * _norm(made.change(step)) for step, sigma in enumerate(made.levels)]
    return torch.stack(norms).mean(0)
