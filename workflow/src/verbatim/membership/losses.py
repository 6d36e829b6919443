"""How well a model denoises given images at one noise level: what membership is told by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from verbatim.models.denoiser import Condition
from verbatim.models.latent import LatentDenoiser
from verbatim.models.noise import unit_noise


@torch.no_grad()
def encode_images(denoiser: LatentDenoiser, images: np.ndarray, batch: int) -> torch.Tensor:
    """Means of the latents of uint8 images (n, h, w, 3), scaled as the network sees them: (n, c, h', w')."""
    parts = []
    for start in range(0, len(images), batch):
        x = torch.from_numpy(images[start : start + batch].copy()).permute(0, 3, 1, 2)
        x = (x.float() / 127.5 - 1.0).to(denoiser.device, denoiser.dtype)
        z = denoiser.vae.encode(x).latent_dist.mean.float()
        parts.append((z - denoiser.shift) * denoiser.scale)
    return torch.cat(parts) if parts else torch.zeros((0, *denoiser.shape))


@dataclass(frozen=True)
class LossSettings:
    """How a loss is taken.

    timestep : of the trained ones, 0 the least noisy (Carlini 2023: about 100 of 1,000).
    seeds : of the noises that it is averaged over.
    batch : rows that run together.
    """

    timestep: int
    seeds: Sequence[int]
    batch: int


def diffusion_losses(
    denoiser: LatentDenoiser, latents: torch.Tensor, cond: Condition, how: LossSettings
) -> np.ndarray:
    """mean((eps - eps_model)^2) of each image at one timestep, averaged over noises.

    Ho et al. 2020, eq. 14; Carlini 2023, section 5.2. A seed's noise is the same for all images and
    models, so that two of these differ in nothing else.

    Parameters
    ----------
    latents : (n, c, h, w)
    cond : n captions, or one for all

    Returns
    -------
    (n,) float64
    """
    sigma = float(denoiser.sigmas[how.timestep])
    total = np.zeros(len(latents))
    for seed in how.seeds:
        noise = unit_noise(seed, denoiser.shape).to(denoiser.device)
        for start in range(0, len(latents), how.batch):
            z = latents[start : start + how.batch].to(denoiser.device)
            told = cond if len(cond) == 1 else cond[list(range(start, start + len(z)))]
            error = denoiser.predict(z + sigma * noise, sigma, told) - noise
            total[start : start + how.batch] += (
                error.square().double().mean(dim=(1, 2, 3)).cpu().numpy()
            )
    return total / max(1, len(how.seeds))


def member_losses(
    denoiser: LatentDenoiser,
    images: np.ndarray,
    captions: Sequence[str],
    how: LossSettings,
    flip: bool,
) -> np.ndarray:
    """`diffusion_losses` of uint8 images (n, h, w, 3) with their captions: (n,) float64.

    flip : averaged with those of the mirrored images too (Carlini 2022, section VI-C: augmentations).
    """
    cond = denoiser.encode(list(captions))
    views = [images, images[:, :, ::-1]] if flip else [images]
    losses = [
        diffusion_losses(denoiser, encode_images(denoiser, view, how.batch), cond, how)
        for view in views
    ]
    return np.mean(losses, axis=0)
