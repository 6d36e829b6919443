"""Rectified flow: what SD 3 and FLUX share.

Liu et al. 2022; Esser et al. 2024. A noisy sample is x = (1 - sigma) x0 + sigma n, sigma in [0, 1], and the network gives
the velocity v = n - x0 = (x - x0) / sigma. `predict` gives v, so that x - sigma v is x0 and dx/dsigma is v: the samplers of
`sampling` (Euler: x + (sigma' - sigma) v) and the scores of `whitebox.dcs` hold as they are written. At sigma_max = 1 they are,
for rectified flow:

one step   Gen(c, r, T=1) = n - (v_u + g (v_c - v_u))
DCS        mean((v_u + g (v_c - v_u))^2), by Webster 2023, eq. 1, with x - D = sigma v
Wen norm   ||v_c - v_u||_2 = ||x0_c - x0_u||_2

Neither Webster nor Wen defines them. A conversion of v to eps would not do: at sigma = 1, eps = x + (1 - sigma) v = x
whatever the caption.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import exp
from typing import Any

import torch

from verbatim.models.denoiser import Condition
from verbatim.models.latent import AutoencoderDenoiser
from verbatim.models.schedule import Shift


class FlowDenoiser(AutoencoderDenoiser):
    """A rectified flow in the latent of an autoencoder; an adapter adds `encode` and `network`.

    tokens_of_image : how many tokens the transformer makes of a latent, for a dynamic shift.
    """

    def __init__(
        self,
        parts: Mapping[str, Any],
        settings: Mapping[str, Any],
        shift: Shift,
        side: int,
        tokens_of_image: int,
    ):
        self.transformer = parts["transformer"]
        self.set_vae(parts["vae"], settings["device"])
        self.prediction_type = "velocity"
        self.factor, self.timesteps = _shift_at(shift, tokens_of_image), shift.steps
        t = torch.arange(1, shift.steps + 1, dtype=torch.float64) / shift.steps
        levels = self._shifted(t)
        # what diffusers' scheduler calls its lowest level, before the shift of a schedule of few steps
        self.lowest = float((t if shift.dynamic else levels)[0])
        size = side * 2 ** (len(self.vae.config.block_out_channels) - 1)
        shape = (int(self.vae.config.latent_channels), side, side)
        self._set_up(levels, shape, size, settings["device"], settings["dtype"])

    def _shifted(self, t: torch.Tensor) -> torch.Tensor:
        """Noise levels of evenly spaced ones: Esser et al. 2024, eq. 23; 1 stays 1."""
        return self.factor * t / (1.0 + (self.factor - 1.0) * t)

    def last_level(self, steps: int) -> float:
        """Where evenly spaced levels end, before the shift; as FlowMatchEulerDiscreteScheduler.set_timesteps."""
        return self.lowest

    def own_levels(self, steps: int) -> torch.Tensor:
        """The levels that the pipelines of diffusers take, and a last 0: evenly spaced from 1, then shifted."""
        if steps < 1:
            raise ValueError(f"own_levels: {steps} steps; at least 1 is needed")
        even = torch.linspace(1.0, self.last_level(steps), steps, dtype=torch.float64)
        return torch.cat([self._shifted(even), torch.zeros(1, dtype=torch.float64)])

    def sigma_to_t(self, sigma: torch.Tensor) -> torch.Tensor:
        """Timesteps (float64) of noise levels: the network is told the level itself, in trained timesteps."""
        return sigma.double().cpu() * self.timesteps

    def t_to_sigma(self, t: torch.Tensor) -> torch.Tensor:
        return t.double().cpu() / self.timesteps

    def predict_with_gradient(
        self, x: torch.Tensor, sigma: float | torch.Tensor, cond: Condition
    ) -> torch.Tensor:
        """The velocity v = (x - x0) / sigma, float32, in the shape of x, for `predict`, whose parameters it has."""
        n = x.shape[0]
        if len(cond) not in (1, n) or tuple(x.shape[1:]) != self.shape:
            raise ValueError(
                f"predict: x is {tuple(x.shape)}, expected (n, {self.shape}), with {len(cond)} "
                "conditions; give one condition a row, or one for all"
            )
        levels = torch.as_tensor(sigma, dtype=torch.float64).cpu().expand(n)
        t = self.sigma_to_t(levels).to(self.device, torch.float32)
        cond = cond if len(cond) == n else cond.repeat(n)
        out = self.in_parts(x.to(self.device, self.dtype), t, cond)
        self.rows += n
        return out.float()


def _shift_at(shift: Shift, tokens: int) -> float:
    """The factor s for an image of so many tokens; mu is linear in them where the shift is dynamic."""
    if shift.dynamic is None:
        return shift.shift
    (base, low), (most, high) = shift.dynamic
    return exp(low + (high - low) * (tokens - base) / (most - base))
