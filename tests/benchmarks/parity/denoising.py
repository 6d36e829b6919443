"""DCS, noise levels and Heun's sampler, beside k-diffusion on diffusers' own classes, as Webster's reference uses them.

Two tiny Stable Diffusion folders with random weights, one that predicts noise and one that predicts v. Our side reads the
folder by `models.load`; the other side reads each part by its own library and denoises with k-diffusion's wrapper.
"""

from __future__ import annotations

import contextlib
import io
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

from tiny_models import CAPTIONS, make_sd, with_prediction
from verbatim.models.denoiser import Denoiser
from verbatim.models.load import load_denoiser
from verbatim.models.sampling import Sampling, karras_sigmas, noise_levels, sample
from verbatim.whitebox.dcs import score_captions

from .comparison import Comparison, Measured, relative

SEEDS, GUIDANCE, STEPS = (0, 1, 2, 3), 7.5, 16
PREDICTIONS = ("epsilon", "v_prediction")
NEEDS = {"k_diffusion.external": "k-diffusion"}


class Sides(NamedTuple):
    """One folder, read by us and by the libraries. asked : timesteps that the network of the libraries was asked for."""

    ours: Denoiser
    wrapped: Any
    states: dict[str, torch.Tensor]
    asked: list[float]


@cache
def read_both(folder: Path, prediction: str) -> Sides:
    """A tiny Stable Diffusion in `folder`, made if it is not there."""
    from diffusers import LMSDiscreteScheduler, UNet2DConditionModel
    from k_diffusion.external import CompVisDenoiser, CompVisVDenoiser
    from transformers import CLIPTextModel, CLIPTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()

    plain = folder / "sd"
    if not plain.exists():
        make_sd(plain, size=64)
    place = with_prediction(plain, folder, prediction)
    unet = UNet2DConditionModel.from_pretrained(place / "unet").eval()
    text = CLIPTextModel.from_pretrained(place / "text_encoder").eval()
    words = CLIPTokenizer.from_pretrained(place / "tokenizer")
    asked: list[float] = []

    class Model:
        """What k-diffusion calls."""

        alphas_cumprod = LMSDiscreteScheduler.from_pretrained(place / "scheduler").alphas_cumprod

        def apply_model(self, x: Any, t: Any, cond: Any) -> Any:
            asked.extend(t.tolist())
            return unet(x, t, encoder_hidden_states=cond).sample

    states = {}
    for caption in ("", *CAPTIONS):
        ids = words(
            caption, padding="max_length", max_length=words.model_max_length, truncation=True,
            return_tensors="pt",
        ).input_ids  # fmt: skip
        with torch.no_grad():
            states[caption] = text(ids)[0]
    kind = CompVisVDenoiser if prediction == "v_prediction" else CompVisDenoiser
    return Sides(load_denoiser(place, "sd", "cpu"), kind(Model()), states, asked)


def drawn(shape: tuple[int, ...], seed: int) -> torch.Tensor:
    return torch.randn((1, *shape), generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def heun(sides: Sides, caption: str, noise: torch.Tensor, steps: int) -> tuple[Any, Any]:
    """Start and end of k-diffusion's `sample_heun` on Karras's levels, guided, both halves in one batch."""
    from k_diffusion.sampling import get_sigmas_karras, sample_heun

    levels = sides.wrapped.sigmas
    sigmas = get_sigmas_karras(n=steps, sigma_min=levels[0].item(), sigma_max=levels[-1].item())
    states = torch.cat([sides.states[""], sides.states[caption]])

    def guided(x: Any, sigma: Any) -> Any:
        of_none, of_caption = sides.wrapped(
            torch.cat([x] * 2), torch.cat([sigma] * 2), cond=states
        ).chunk(2)
        return of_none + GUIDANCE * (of_caption - of_none)

    start = noise * sigmas[0]
    with contextlib.redirect_stderr(io.StringIO()):  # its progress bars
        return start, sample_heun(guided, start, sigmas)


def measure_dcs(folder: Path) -> Measured:
    worst, pairs = 0.0, 0
    for prediction in PREDICTIONS:
        sides = read_both(folder, prediction)
        for scored in score_captions(sides.ours, CAPTIONS, SEEDS, GUIDANCE, len(CAPTIONS)):
            theirs = []
            for caption in CAPTIONS:
                noise = drawn(sides.ours.shape, scored.seed)
                start, end = heun(sides, caption, noise, 1)
                theirs.append(float(((start - end) ** 2).mean()))
            worst = max(worst, relative(scored.scores["dcs_reference"], theirs))
            pairs += len(theirs)
    return Measured(pairs, worst, "epsilon and v")


def measure_timestep(folder: Path) -> Measured:
    found, ours = [], []
    for prediction in PREDICTIONS:
        sides = read_both(folder, prediction)
        sides.asked.clear()
        heun(sides, CAPTIONS[0], drawn(sides.ours.shape, 0), 1)
        found += sides.asked
        level = torch.tensor([sides.ours.sigma_max], dtype=torch.float64)
        ours += sides.ours.sigma_to_t(level).tolist() * len(sides.asked)
    worst = float(np.abs(np.subtract(ours, found)).max())
    return Measured(len(found), worst, f"t = {', '.join(f'{t:g}' for t in sorted(set(found)))}")


def measure_sigma_max(folder: Path) -> Measured:
    ours, theirs = [], []
    for prediction in PREDICTIONS:
        sides = read_both(folder, prediction)
        ours.append(sides.ours.sigma_max)
        theirs.append(sides.wrapped.sigmas[-1].item())
    return Measured(len(ours), relative(ours, theirs), f"{ours[0]:.4f}")


def measure_heun(folder: Path) -> Measured:
    worst, largest_value, pairs = 0.0, 0.0, 0
    how = Sampling(STEPS, GUIDANCE, "heun", "karras")
    for prediction in PREDICTIONS:
        sides = read_both(folder, prediction)
        empty = sides.ours.encode([""])
        for caption in CAPTIONS[:5]:
            noise = drawn(sides.ours.shape, pairs)
            _, theirs = heun(sides, caption, noise, STEPS)
            ours = sample(sides.ours, sides.ours.encode([caption]), empty, noise, how)
            worst = max(worst, float((ours - theirs).abs().max()))
            largest_value = max(largest_value, float(theirs.abs().max()))
            pairs += 1
    return Measured(
        pairs, worst / largest_value, f"{worst:.1g} of {largest_value:.3g}; epsilon and v"
    )


def measure_karras(folder: Path) -> Measured:
    from k_diffusion.sampling import get_sigmas_karras

    worst, counts = 0.0, (2, 8, 16, 50)
    sides = read_both(folder, "epsilon")
    low, high = sides.ours.sigma_min, sides.ours.sigma_max
    for steps in counts:
        theirs = get_sigmas_karras(n=steps, sigma_min=low, sigma_max=high)
        worst = max(worst, relative(karras_sigmas(steps, low, high), theirs))
    return Measured(sum(counts), worst)


def measure_even(folder: Path) -> Measured:
    worst, counts = 0.0, (2, 8, 16, 32, 50)
    sides = read_both(folder, "epsilon")
    for steps in counts:
        theirs = sides.wrapped.get_sigmas(steps)
        worst = max(worst, relative(noise_levels(sides.ours, steps, "heun", "even"), theirs))
    return Measured(sum(counts), worst)


def measure_lms(folder: Path) -> Measured:
    from diffusers import LMSDiscreteScheduler

    worst, counts = 0.0, (16, 32)
    place = folder / "lms"
    ours = load_denoiser(make_sd(place, size=64), "sd", "cpu")
    # as the reference has it: the scheduler of the folder, turned into LMS with that one's own spacing
    scheduler = LMSDiscreteScheduler.from_pretrained(
        place / "scheduler", timestep_spacing="linspace"
    )
    for steps in counts:
        scheduler.set_timesteps(steps)
        worst = max(worst, relative(noise_levels(ours, steps, "heun", "even"), scheduler.sigmas))
    return Measured(sum(counts), worst, "the levels of the reference's full generations")


COMPARISONS = [
    Comparison(
        "DCS, `reference`", "whitebox.dcs.score_captions", "k-diffusion, sample_heun with one step", 4e-6, "relative",
        measure_dcs, NEEDS,
    ),
    Comparison(
        "16 Heun steps, guided", "models.sampling.sample", "k-diffusion, sample_heun", 1.5e-6,
        "of the largest value", measure_heun, NEEDS,
    ),
    Comparison(
        "sigma_max", "models.denoiser.Denoiser.sigma_max", "k-diffusion", 6e-7, "relative", measure_sigma_max, NEEDS,
    ),
    # a step of float32 at 999: its first level of Karras's is a seventh root to the power of seven
    Comparison(
        "timestep of one step", "models.denoiser.Denoiser.sigma_to_t", "k-diffusion", 1e-4, "absolute", measure_timestep,
        NEEDS,
    ),
    Comparison(
        "Karras's noise levels", "models.sampling.karras_sigmas", "k-diffusion, get_sigmas_karras", 5e-6, "relative",
        measure_karras, NEEDS,
    ),
    # k-diffusion takes 1 - alpha in float32, of which little is left at the lowest levels
    Comparison(
        "even noise levels", "models.sampling.noise_levels", "k-diffusion, get_sigmas", 2e-5, "relative", measure_even, NEEDS,
    ),
    # and diffusers interpolates in the level, not in its logarithm
    Comparison(
        "even noise levels", "models.sampling.noise_levels", "diffusers, LMSDiscreteScheduler", 3e-5, "relative", measure_lms,
    ),
]  # fmt: skip
