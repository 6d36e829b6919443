"""How much the conditional prediction changes from one guided step to the next.

Public code: randomnameforicml/icml-2026 (2026), "dsm": ||eps_c(x_1, t_1) - eps_c(x_0, t_0)||_2^2, and the same of steps 1 and 2.
"""

from __future__ import annotations

import torch

from verbatim.detectors.evaluations import Evaluations


def _between(made: Evaluations, step: int) -> torch.Tensor:
    change = made.eps(step + 1) - made.eps(step)
    return change.flatten(1).double().square().sum(1)


def dsm_01(made: Evaluations) -> torch.Tensor:
    """(n,) float64, from 0: 2 rows."""
    return _between(made, 0)


def dsm_12(made: Evaluations) -> torch.Tensor:
    """(n,) float64, from 0: 4 rows."""
    return _between(made, 1)
