"""The sharpness of the probability landscape at pure noise: Jeon et al. 2025 (SAIL).

Public code: Dongjae0324/sharpness_memorization_diffusion. With the score s = -eps / sqrt(1 - abar) and its Hessian H, the paper
has ||(H_c - H_u)(s_c - s_u)||^2. The code has, exactly, by forward-mode differentiation,

sharpness             ||(J_c - J_u) delta||_2 / (1 - abar), with J = d eps / d x_net and delta = eps_c - eps_u, not normalized.
sharpness_transposed  ||(J_c - J_u)^T delta||_2^2: as the code of randomnameforicml/icml-2026 computes it ("jeon"), backwards.
                      J of a network is not symmetric, so it is another number.

Finite differences of sharpness need as many rows, and a length of step that nobody publishes for detection.
"""

from __future__ import annotations

import torch

from verbatim.detectors.evaluations import Evaluations


def sharpness(made: Evaluations) -> torch.Tensor:
    """(n,) float64, from 0: 3 rows, 2 of them differentiated."""
    product = made.along(made.change(0)).flatten(1).double()
    return product.square().sum(1).sqrt() / made.noise_variance(0)


def sharpness_transposed(made: Evaluations) -> torch.Tensor:
    """(n,) float64, from 0: 2 rows, both differentiated."""
    product = made.gradients.of_change
    assert product is not None
    return product.flatten(1).double().square().sum(1)
