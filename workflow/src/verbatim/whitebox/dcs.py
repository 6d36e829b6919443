"""Denoising Confidence Score: how far one denoising step moves pure noise.

Webster 2023, eq. 1 and 2: DCS(c) = ||sigma eps - D(sigma eps, c)||^2 at sigma = sigma_max. Because
D = x - sigma eps_hat, this equals sigma^2 ||eps_hat||^2. A memorized caption moves the noise far in one step.
All captions share one noise for each seed, so the unconditional prediction eps_u costs one network row for each
seed, and a caption costs one more. The same forward pass gives four scores:

dcs_reference   sigma^2 mean((eps_u + g (eps_c - eps_u))^2): guidance g and the mean over the
                latent, as the reference implementation computes it. A network that predicts the
                noise itself scores sigma^2 (Stable Diffusion 1: 213.6).
dcs_paper       sigma^2 sum(eps_c^2): as eq. 1 is printed, conditional only, a squared norm.
wen_first_step  ||eps_c - eps_u||_2 of pure noise at sigma_max: Wen et al. 2024, eq. 3, at one step. The published
                detector is its mean over the steps of a generation and over generations.
guidance_cosine cosine of eps_u and eps_c - eps_u over the whole latent; 0 if the caption changes nothing. It is not
                the anisotropy score of rohanasthana/memorization-anisotropy, which adds the cosine of each pixel at a low
                noise level to the norm.

For a rectified flow (family `flow`) eps stands for the velocity v and sigma is 1: DCS is mean((v_u + g (v_c - v_u))^2), and the
Wen norm is ||v_c - v_u||_2 (`verbatim.models.flow`). Neither paper defines them.

A caption whose prediction is not finite has NaN for all four with that seed. Sums are float64, because sums in
half precision would tie. Scores agree between batches and shards to a relative 1e-4 (float32 networks; the
rounding of a matrix product depends on its size).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from verbatim.models.denoiser import check_unconditional
from verbatim.models.noise import unit_noise
from verbatim.models.sampling import first_eps

if TYPE_CHECKING:
    import torch

    from verbatim.models.denoiser import Denoiser


class Scored(NamedTuple):
    """Scores of the captions `start`, `start + 1`, ... with one seed: name -> (n,) float64; NaN where not finite."""

    start: int
    seed: int
    scores: dict[str, npt.NDArray[np.float64]]


def dcs_scores(
    eps_c: torch.Tensor, eps_u: torch.Tensor, sigma: float, guidance: float
) -> dict[str, npt.NDArray[np.float64]]:
    """The four scores of the module's docstring.

    Webster 2023, eq. 1; Wen et al. 2024, eq. 3.

    Parameters
    ----------
    eps_c : (n, c, h, w), predicted noise with each caption at `sigma`.
    eps_u : (1, c, h, w) or (n, c, h, w), predicted noise without a caption.

    Returns
    -------
    name -> (n,) float64; dcs and wen_first_step >= 0, guidance_cosine in [-1, 1].
    """
    c = eps_c.flatten(1).double()
    u = eps_u.flatten(1).double()
    change = c - u
    guided = u + guidance * change
    norm = change.square().sum(1).sqrt()
    both = norm * u.square().sum(1).sqrt()
    cosine = (u * change).sum(1) / both.where(both > 0, 1.0)
    scores = {
        "dcs_reference": sigma**2 * guided.square().mean(1),
        "dcs_paper": sigma**2 * c.square().sum(1),
        "wen_first_step": norm,
        "guidance_cosine": cosine.clamp(-1.0, 1.0),
    }
    return {name: score.cpu().numpy() for name, score in scores.items()}


def score_captions(
    denoiser: Denoiser, captions: Sequence[str], seeds: Sequence[int], guidance: float, batch: int
) -> Iterator[Scored]:
    """Scores of every caption with every seed, `batch` captions at a time.

    Network rows: len(captions) * len(seeds) + len(seeds).

    Raises
    ------
    ValueError : a batch below 1, or a guidance that makes dcs_reference another score.
    NetworkError : the prediction without a caption is not finite, or too many captions' predictions are not
        (`denoiser.check_broken`).
    """
    if guidance <= 1:
        raise ValueError(
            f"whitebox.guidance is {guidance}: dcs_reference needs more than 1 (the reference has "
            "7.5); for the conditional prediction alone keep it and rank by whitebox.preset: paper"
        )
    if batch < 1:
        raise ValueError(f"whitebox.batch is {batch}; at least 1 is needed")
    if not captions:
        return
    noises = {seed: unit_noise(seed, denoiser.shape) for seed in dict.fromkeys(seeds)}
    empty = denoiser.encode([""])
    eps_u = {seed: first_eps(denoiser, empty, noise) for seed, noise in noises.items()}
    for found in eps_u.values():
        check_unconditional(found, denoiser.dtype)
    for start in range(0, len(captions), batch):
        chunk = captions[start : start + batch]
        cond = denoiser.encode(chunk)
        for seed, noise in noises.items():
            eps_c = first_eps(denoiser, cond, noise)
            scores = dcs_scores(eps_c, eps_u[seed], denoiser.sigma_max, guidance)
            sound = np.isfinite(np.stack(list(scores.values()))).all(axis=0)
            yield Scored(start, seed, {k: np.where(sound, v, np.nan) for k, v in scores.items()})
