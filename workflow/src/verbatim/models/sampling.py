"""Samplers over `Denoiser`: Karras's Heun, Euler and DDIM, and the single step of Webster's scores.

Nothing here draws noise in a loop: every image is a function of (caption, seed, settings). The
batch decides only how many run together; results agree to 1e-4 relative in float32 (the order of
additions inside a matrix product may depend on the batch), and a test shows it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from verbatim.models.denoiser import Condition, Denoiser, check_unconditional
from verbatim.models.noise import noise_of_seeds, unit_noise

SAMPLERS = ("heun", "euler", "ddim")
SPACINGS = ("karras", "even")

# ASSUME: sampling of several steps starts at most here, as in Karras et al. 2022, table 1. A cosine
# schedule (DeepFloyd IF) ends near sigma 20,000, where most of a Karras schedule's steps would be
# spent on pure noise. Stable Diffusion's 14.6 lies below it and is not touched; neither is the
# single step of the scores, which always starts at sigma_max.
SIGMA_START = 80.0


def karras_sigmas(n: int, sigma_min: float, sigma_max: float, rho: float = 7.0) -> torch.Tensor:
    """Noise levels of `n` steps, falling, and a last 0: (n + 1,) float64. n = 1: [sigma_max, 0].

    Karras et al. 2022, eq. 5.
    """
    if n < 1:
        raise ValueError(f"karras_sigmas: {n} steps; at least 1 is needed")
    ramp = torch.linspace(0, 1, n, dtype=torch.float64)
    low, high = sigma_min ** (1 / rho), sigma_max ** (1 / rho)
    levels = (high + ramp * (low - high)) ** rho
    levels[0] = sigma_max  # exactly, without the rounding of the two powers
    return torch.cat([levels, torch.zeros(1, dtype=torch.float64)])


def noise_levels(
    denoiser: Denoiser, steps: int, sampler: str, spacing: str = "karras"
) -> torch.Tensor:
    """Falling noise levels of a sampler's steps with a last 0, (steps + 1,) float64.

    karras: Karras et al. 2022, eq. 5. even: evenly spaced timesteps from the last trained one to 0, the levels that
    k-diffusion gives its LMS sampler (`get_sigmas`) and Webster's reference its full generations. ddim always has
    these (Song et al. 2021). A family with levels of its own (`Denoiser.own_levels`: rectified flow) has them whatever the
    spacing.

    Raises
    ------
    ValueError : the sampler or the spacing is unknown.
    """
    for what, value, known in (("sampler", sampler, SAMPLERS), ("spacing", spacing, SPACINGS)):
        if value not in known:
            raise ValueError(f"{what} {value!r} is unknown; known: {', '.join(known)}")
    own = denoiser.own_levels(steps)
    if own is not None:
        return own
    start = denoiser.sigma_max if steps == 1 else min(denoiser.sigma_max, SIGMA_START)
    if steps == 1 or (sampler != "ddim" and spacing == "karras"):
        return karras_sigmas(steps, denoiser.sigma_min, start)
    first = float(denoiser.sigma_to_t(torch.tensor([start], dtype=torch.float64))[0])
    levels = denoiser.t_to_sigma(torch.linspace(first, 0, steps, dtype=torch.float64))
    return torch.cat([levels, torch.zeros(1, dtype=torch.float64)])


@dataclass(frozen=True)
class Sampling:
    """How images are generated (`sampling` in the config).

    steps : at least 1. guidance : guidance scale; 1 is the conditional prediction alone. sampler : one of
    `SAMPLERS`. spacing : of the noise levels, one of `SPACINGS`.
    """

    steps: int
    guidance: float
    sampler: str = "heun"
    spacing: str = "karras"


def guided_eps(
    denoiser: Denoiser,
    x: torch.Tensor,
    sigma: float,
    cond: Condition,
    uncond: Condition | None,
    guidance: float,
) -> torch.Tensor:
    """eps_u + g (eps_c - eps_u), (n, *shape): two network rows a sample, one at g = 1 (and g = 0).

    Ho & Salimans 2022, eq. 6, with g = 1 + w: g = 1 is the conditional prediction alone.
    """
    n = x.shape[0]
    if guidance == 1.0:
        return denoiser.predict(x, sigma, cond)
    if uncond is None:
        raise ValueError(f"guidance {guidance} needs the unconditional condition")
    uncond = uncond.repeat(n) if len(uncond) == 1 else uncond
    if guidance == 0.0:
        return denoiser.predict(x, sigma, uncond)
    cond = cond.repeat(n) if len(cond) == 1 else cond
    both = denoiser.predict(torch.cat([x, x]), sigma, Condition.cat([uncond, cond]))
    eps_u, eps_c = both[:n], both[n:]
    return eps_u + guidance * (eps_c - eps_u)


def denoise(
    denoiser: Denoiser,
    x: torch.Tensor,
    sigma: float,
    cond: Condition,
    uncond: Condition | None,
    guidance: float,
) -> torch.Tensor:
    """D(x; sigma) = x - sigma * eps, the guided estimate of x0, (n, *shape).

    D_u + g (D_c - D_u) equals x - sigma (eps_u + g (eps_c - eps_u)). It is then thresholded as the family
    does (DeepFloyd IF: dynamic thresholding, Saharia et al. 2022, section 2.3).
    """
    x = x.to(denoiser.device, torch.float32)
    return denoiser.threshold(x - sigma * guided_eps(denoiser, x, sigma, cond, uncond, guidance))


def sample(
    denoiser: Denoiser,
    cond: Condition,
    uncond: Condition | None,
    noise: torch.Tensor,
    how: Sampling,
) -> torch.Tensor:
    """x0 (n, *shape) from unit noise (n, *shape), without any further noise.

    Karras et al. 2022, algorithm 1 (Heun; its last step, to 0, is an Euler step); euler and ddim
    are Euler steps throughout (DDIM is Euler's method in these variables: Song et al. 2021, eq. 14).

    Network rows a sample: heun 2 * steps - 1, the others `steps`; twice that when guided.
    """
    levels = noise_levels(denoiser, how.steps, how.sampler, how.spacing).tolist()
    x = noise.to(denoiser.device, torch.float32) * levels[0]
    for now, after in pairwise(levels):
        x0 = denoise(denoiser, x, now, cond, uncond, how.guidance)
        if after == 0.0:
            return x0  # what the Euler step to 0 gives, without its rounding
        slope = (x - x0) / now
        ahead = x + slope * (after - now)
        if how.sampler == "heun":
            x0 = denoise(denoiser, ahead, after, cond, uncond, how.guidance)
            ahead = x + (slope + (ahead - x0) / after) * (0.5 * (after - now))
        x = ahead
    raise AssertionError("a schedule ends at 0")


def first_eps(denoiser: Denoiser, cond: Condition, noise: torch.Tensor) -> torch.Tensor:
    """eps at sigma_max for pure noise, (n, *shape): the one forward behind DCS and the one-step image.

    Webster 2023, eq. 1. `noise` (1, *shape), one seed's for all captions, or (n, *shape).
    """
    n = max(len(cond), noise.shape[0])
    x = noise.to(denoiser.device, torch.float32).expand(n, -1, -1, -1) * denoiser.sigma_max
    return denoiser.predict(x, denoiser.sigma_max, cond)


def one_step(
    denoiser: Denoiser,
    cond: Condition,
    uncond: Condition | torch.Tensor | None,
    seed: int,
    guidance: float,
    threshold: bool = True,
) -> torch.Tensor:
    """One-step generation Gen(c, r, T=1) of each caption from one seed: x0 (n, *shape).

    Webster 2023, eq. 3. Every caption gets the seed's same noise, so that the unconditional half is
    one network row for all of them: give it as `uncond`, either the Condition (one row is spent
    here) or eps_u (1, *shape) from `first_eps` (none is). Not needed at guidance 1.
    """
    noise = unit_noise(seed, denoiser.shape).to(denoiser.device)
    eps = first_eps(denoiser, cond, noise)
    if guidance != 1.0:
        if uncond is None:
            raise ValueError(f"one_step: guidance {guidance} needs `uncond`")
        eps_u = first_eps(denoiser, uncond, noise) if isinstance(uncond, Condition) else uncond
        eps = eps_u + guidance * (eps - eps_u)
    x0 = denoiser.sigma_max * (noise - eps)
    return denoiser.threshold(x0) if threshold else x0


def decode_images(denoiser: Denoiser, x0: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Decoded images (n, size, size, 3), float32 in [0, 1], on the CPU; and which are finite, (n,) bool.

    One that half precision cannot hold is decoded again in float32, if its x0 is finite. One that is not
    finite even so is NaN throughout.
    """

    def arrays(decoded: torch.Tensor) -> np.ndarray:
        return decoded.permute(0, 2, 3, 1).float().cpu().numpy()

    images = np.ascontiguousarray(arrays(denoiser.decode(x0)))
    sound = np.isfinite(images).all(axis=(1, 2, 3))
    whole = torch.isfinite(x0).flatten(1).all(1).cpu().numpy()
    for i in np.flatnonzero(~sound):
        again = arrays(denoiser.decode_in_float32(x0[i : i + 1]))[0] if whole[i] else images[i]
        sound[i] = np.isfinite(again).all()
        images[i] = again if sound[i] else np.nan
    return images, sound


def to_images(denoiser: Denoiser, x0: torch.Tensor) -> np.ndarray:
    """The images of `decode_images`, (n, size, size, 3): NaN throughout where one is not finite."""
    return decode_images(denoiser, x0)[0]


def generate(
    denoiser: Denoiser,
    captions: Sequence[str],
    seeds: Sequence[int],
    how: Sampling,
    batch: int,
) -> Iterator[tuple[int, int, np.ndarray]]:
    """Images of every caption with every seed: (index of the caption, seed, (h, w, 3) in [0, 1]).

    Batches of `batch` images run across captions and seeds alike, in the order captions, then
    seeds; a guided forward holds 2 * `batch` rows, and nothing grows with the count of captions. An image that is
    not finite is left out: see `denoiser.check_broken`.
    Where the family has a second stage the images are its, as its own settings say.
    """
    if batch < 1:
        raise ValueError(f"generate: a batch of {batch}; at least 1 is needed")
    uncond = denoiser.encode([""]) if how.guidance != 1.0 else None
    total = len(captions) * len(seeds)
    for start in range(0, total, batch):
        jobs = [divmod(job, len(seeds)) for job in range(start, min(start + batch, total))]
        wanted = list(dict.fromkeys(index for index, _ in jobs))
        codes = denoiser.encode([captions[index] for index in wanted])
        cond = codes[[wanted.index(index) for index, _ in jobs]]
        chosen = [seeds[position] for _, position in jobs]
        noise = noise_of_seeds(chosen, denoiser.shape)
        x0 = sample(denoiser, cond, uncond, noise, how)
        if denoiser.upscaler is None:
            images = to_images(denoiser, x0)
        else:
            images = denoiser.upscaler.generate(x0, cond, chosen)
        for (index, _), seed, image in zip(jobs, chosen, images, strict=True):
            if np.isfinite(image).all():
                yield index, seed, image


def generate_one_step(
    denoiser: Denoiser,
    captions: Sequence[str],
    seeds: Sequence[int],
    guidance: float,
    batch: int,
    threshold: bool = True,
) -> Iterator[tuple[int, int, np.ndarray]]:
    """`generate` in one step, at half the cost: len(captions) + 1 network rows for each seed when guided.

    Webster 2023, eq. 3. Batches are of captions, each with all seeds in turn. An image that is not
    finite is left out: see `denoiser.check_broken`.
    """
    if batch < 1:
        raise ValueError(f"generate_one_step: a batch of {batch}; at least 1 is needed")
    eps_u: dict[int, torch.Tensor | None] = dict.fromkeys(seeds)
    if guidance != 1.0 and captions:
        empty = denoiser.encode([""])
        for seed in eps_u:
            found = first_eps(denoiser, empty, unit_noise(seed, denoiser.shape))
            check_unconditional(found, denoiser.dtype)
            eps_u[seed] = found
    for start in range(0, len(captions), batch):
        cond = denoiser.encode(captions[start : start + batch])
        for seed in seeds:
            x0 = one_step(denoiser, cond, eps_u[seed], seed, guidance, threshold)
            images, sound = decode_images(denoiser, x0)
            for offset in np.flatnonzero(sound).tolist():
                yield start + offset, seed, images[offset]
