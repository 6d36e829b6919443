"""DeepFloyd IF, stage II: diffusion of large images, conditioned on stage I's image and a T5 encoder's states.

Saharia et al. 2022 (Imagen), section 2.2, and Ho et al. 2022 (Cascaded diffusion models), section 4.2.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from verbatim.models.denoiser import Condition
from verbatim.models.noise import noise_of_seeds
from verbatim.models.pixel import PixelDenoiser
from verbatim.models.sampling import Sampling, sample, to_images
from verbatim.models.schedule import Thresholding

# the streams of a seed's noise; stage I has the seed's own
START, AUGMENTATION = "stage II", "stage II augmentation"


@dataclass(frozen=True)
class UpscalerSettings:
    """How stage II generates.

    sampler : one of `sampling.SAMPLERS`, none of which draws noise. steps : at least 1.
    guidance : guidance scale; 1 is the conditional prediction alone.
    noise_level : timestep whose noise stage I's enlarged image is given, 0 to 999.
    """

    sampler: str = "ddim"
    steps: int = 50
    guidance: float = 4.0
    noise_level: int = 250


class Upscaler(PixelDenoiser):
    """An `IFSuperResolutionPipeline`'s parts behind the `Denoiser` interface.

    Its captions are stage I's: the same encoder, the same states. What it is told beside them, stage I's
    image, enlarged and noised, travels in `Condition.extra["low"]`, (n, 3, size, size) float32.

    how : how it generates. noising : betas of the noise that stage I's image is given.
    parts, settings, thresholding : as of `PixelDenoiser`.
    seconds : spent in `generate` so far.
    """

    def __init__(
        self,
        parts: Mapping[str, Any],
        settings: Mapping[str, Any],
        thresholding: Thresholding,
        how: UpscalerSettings,
        noising: torch.Tensor,
    ):
        super().__init__(parts, settings, thresholding)
        self.settings, self.seconds = how, 0.0
        abar = torch.cumprod(1.0 - noising.double().cpu(), dim=0)
        if not 0 <= how.noise_level < len(abar):
            raise ValueError(
                f"a noise level of {how.noise_level} is none of image_noising_scheduler's "
                f"{len(abar)}; set sampling.upscaler.noise_level to 0 to {len(abar) - 1}"
            )
        kept = float(abar[how.noise_level])
        self._kept, self._noised = kept**0.5, (1.0 - kept) ** 0.5

    def network(self, x: torch.Tensor, t: torch.Tensor, cond: Condition) -> torch.Tensor:
        low = cond.extra["low"].to(self.device, x.dtype)
        level = torch.full((len(x),), self.settings.noise_level, device=self.device)
        out: torch.Tensor = self.here(self.unet)(
            torch.cat([x, low], dim=1),
            t,
            encoder_hidden_states=cond.states,
            class_labels=level,
            return_dict=False,
        )[0]
        return out[:, : self.shape[0]]

    def condition(self, x0: torch.Tensor, cond: Condition, seeds: Sequence[int]) -> Condition:
        """Captions and stage I's images, enlarged and noised (conditioning augmentation).

        Parameters
        ----------
        x0 : (n, 3, h, w), stage I's images in [-1, 1].
        cond : n captions. seeds : (n,), of each image's noise.
        """
        low = F.interpolate(x0.float().cpu(), self.shape[1:], mode="bilinear", align_corners=True)
        noise = noise_of_seeds(seeds, self.shape, AUGMENTATION)
        return Condition(cond.states, {"low": self._kept * low + self._noised * noise})

    def generate(self, x0: torch.Tensor, cond: Condition, seeds: Sequence[int]) -> np.ndarray:
        """Stage II's images of stage I's: (n, size, size, 3) float32 in [0, 1], as `condition` takes them.

        NaN throughout where one is not finite.
        """
        told = self.condition(x0, cond, seeds)  # from here on stage I's work is done, on a GPU too
        start = time.monotonic()
        how, uncond = self.settings, None
        if how.guidance != 1.0:
            empty = self.encode([""]).repeat(len(told))
            uncond = Condition(empty.states, told.extra)
        noise = noise_of_seeds(seeds, self.shape, START)
        big = sample(self, told, uncond, noise, Sampling(how.steps, how.guidance, how.sampler))
        images = to_images(self, big)
        self.seconds += time.monotonic() - start
        return images
