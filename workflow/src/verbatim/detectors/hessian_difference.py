"""The difference of two products of Hessian and score, by one backward pass.

Public code: randomnameforicml/icml-2026 (2026). With g = grad of ||eps||^2 / 2 = J^T eps by x_net at pure noise, first step:
||g_c - g_u||_2^2. g_u is the same for all captions of a seed.
"""

from __future__ import annotations

import torch

from verbatim.detectors.evaluations import Evaluations


def hessian_difference(made: Evaluations) -> torch.Tensor:
    """(n,) float64, from 0: 1 row, differentiated."""
    product = made.gradients.of_own
    assert product is not None
    change = product - made.shared.gradient(made.seed)
    return change.flatten(1).double().square().sum(1)
