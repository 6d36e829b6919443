"""A denoiser whose answers are known in closed form, for tests of conversions and samplers."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from verbatim.models.denoiser import Condition, Denoiser

BETAS = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2


class GaussianDenoiser(Denoiser):
    """The exact denoiser of data N(0, 0.5^2), in any of the three predictions."""

    spread = 0.5

    def __init__(self, prediction_type: str = "epsilon", betas: torch.Tensor = BETAS):
        super().__init__(betas, prediction_type, (1, 2, 3), 2, "cpu", torch.float32)

    def encode(self, captions: Sequence[str], batch: int = 256) -> Condition:
        return Condition(torch.zeros(len(captions), 1, 1))

    def network(self, x: torch.Tensor, t: torch.Tensor, cond: Condition) -> torch.Tensor:
        sigma = self.t_to_sigma(t).float().view(-1, 1, 1, 1)
        root = (1 + sigma**2).sqrt()
        x = x * root
        x0 = x * self.spread**2 / (self.spread**2 + sigma**2)
        eps = (x - x0) / sigma
        if self.prediction_type == "epsilon":
            return eps
        return x0 if self.prediction_type == "sample" else (eps - sigma * x0) / root

    def decode(self, x0: torch.Tensor) -> torch.Tensor:
        return x0
