"""Does a model fill in the hidden half of an image better if it was trained on it?

Carlini et al. 2023, section 5.3. The known half is put back, noised, before every step (Lugmayr et al.
2022, "RePaint", algorithm 1 without its jumps back).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from verbatim.membership.losses import LossSettings, diffusion_losses, encode_images
from verbatim.models.denoiser import Condition, check_broken
from verbatim.models.latent import LatentDenoiser
from verbatim.models.noise import unit_noise
from verbatim.models.sampling import denoise, noise_levels, to_images

# ASSUME: noise that completions are judged with, the same for all and none of those that they start from
JUDGING_SEED = 1_000_003


def hide_half(images: np.ndarray) -> np.ndarray:
    """The images (n, h, w, 3), uint8, with white for their right half, so that no code of the left knows of it."""
    hidden = images.copy()
    hidden[:, :, hidden.shape[2] // 2 :] = 255
    return hidden


def inpaint(
    denoiser: LatentDenoiser,
    known: torch.Tensor,
    keep: torch.Tensor,
    cond: Condition,
    seed: int,
    steps: int,
) -> torch.Tensor:
    """x0 (n, c, h, w) that agrees with `known` where `keep` says so; Euler steps, no guidance.

    keep : bool (h, w). The noise is the seed's, the same for all images.
    """
    levels = noise_levels(denoiser, steps, "euler").tolist()
    noise = unit_noise(seed, denoiser.shape).to(denoiser.device)
    z, keep = known.to(denoiser.device, torch.float32), keep.to(denoiser.device)
    x = (noise * levels[0]).expand(len(z), -1, -1, -1)
    for now, after in pairwise(levels):
        x = torch.where(keep, z + now * noise, x)
        x0 = torch.where(keep, z, denoise(denoiser, x, now, cond, None, 1.0))
        x = x0 + (x - x0) / now * after
    return x


def half_errors(images: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """l2 of the hidden right halves of images (n, h, w, 3) in [0, 1]: (n,) float64."""
    half = images.shape[2] // 2
    difference = images[:, :, half:].astype(np.float64) - truth[:, :, half:].astype(np.float64)
    return np.sqrt((difference**2).mean(axis=(1, 2, 3)))


@dataclass(frozen=True)
class Completions:
    """Completions of each image: a seed each, how many of the best are looked at, and the steps of one."""

    seeds: Sequence[int]
    best: int
    steps: int


def inpainting_errors(
    denoiser: LatentDenoiser,
    images: np.ndarray,
    captions: Sequence[str],
    completions: Completions,
    timestep: int,
    batch: int,
) -> np.ndarray:
    """Error of the hidden half of each image, over the `best` of its completions: (n,), low for members.

    Carlini 2023, section 5.3: 5,000 completions an image, of which the ten are looked at that the model
    itself denoises best, and their mean distance to the truth on the hidden half.

    Parameters
    ----------
    images : uint8 (n, h, w, 3); captions : theirs
    timestep : of the model's own loss, by which the best completions are chosen
    batch : images that run together

    Raises
    ------
    NetworkError : too many completions are not finite (`denoiser.check_broken`); a few are left out.
    """
    cond = denoiser.encode(list(captions))
    known = encode_images(denoiser, hide_half(images), batch)
    keep = torch.zeros(denoiser.shape[1:], dtype=torch.bool)
    keep[:, : denoiser.shape[2] // 2] = True
    truth = images.astype(np.float64) / 255.0
    judging = LossSettings(timestep, [JUDGING_SEED], batch)
    errors, losses = (np.zeros((len(completions.seeds), len(images))) for _ in range(2))
    for start in range(0, len(images), batch):
        part = slice(start, min(start + batch, len(images)))
        told = cond if len(cond) == 1 else cond[list(range(part.start, part.stop))]
        for i, seed in enumerate(completions.seeds):
            x0 = inpaint(denoiser, known[part], keep, told, seed, completions.steps)
            losses[i, part] = diffusion_losses(denoiser, x0, told, judging)
            errors[i, part] = half_errors(to_images(denoiser, x0), truth[part])
    broken = np.isnan(errors) | np.isnan(losses)
    check_broken(int(broken.sum()), broken.size, denoiser.dtype, "completions")
    losses[broken], errors[broken] = np.inf, np.nan
    order = np.argsort(losses, axis=0, kind="stable")[: max(1, completions.best)]
    return np.nanmean(np.take_along_axis(errors, order, axis=0), axis=0)
