"""Every score of the first steps, of what a network predicts behind a defence: does another score than the defence's own still find the prompt?

A defence that brings one number down may leave all others. The scores are read where the defended generation starts: with the
prompt embedding, the weights and the initial noise that the defence leaves. PRSS changes what is made of predictions and no
prediction of the prompt that was given; its scores are those without a defence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch

from verbatim.blackbox.ecs import score_images
from verbatim.detectors.definitions import DetectorSettings
from verbatim.detectors.evaluations import Evaluations, Shared
from verbatim.detectors.nemo_ssim import nemo_ssim, stretched_change
from verbatim.detectors.registry import OF_ONE_SEED
from verbatim.metrics.edges import EdgePreset
from verbatim.mitigation.protections import Asked, Protection
from verbatim.models.denoiser import Condition, Denoiser
from verbatim.models.sampling import decode_images, first_eps
from verbatim.whitebox.dcs import dcs_scores

ALL_SEEDS = -1  # in place of a seed, of a score that compares all of them
FIRST = ("dcs_reference", "dcs_paper", "wen_first_step", "guidance_cosine")
SEEDS = ("ecs", "seed_consistency", "nemo_ssim")


@dataclass(frozen=True)
class ScoreSettings:
    """guidance : of `dcs_reference`. edges : preset of ECS, with its own guidance scale. detectors : of other papers, with their settings."""

    guidance: float
    edges: EdgePreset
    detectors: DetectorSettings


class OwnNoise(Shared):
    """What the detectors share of a batch in which every line has its own noise, (n, *shape), and its own empty prompt."""

    def __init__(self, denoiser: Denoiser, steps: int, empty: Condition, noise: torch.Tensor):
        super().__init__(denoiser, steps)
        self.empty, self._own = empty, noise.to(denoiser.device)

    def noise(self, seed: int) -> torch.Tensor:
        return self._own


def score_asked(
    protection: Protection,
    asked: Mapping[int, Asked],
    noise: Mapping[int, torch.Tensor],
    settings: ScoreSettings,
) -> dict[tuple[str, int], np.ndarray]:
    """(score, seed) -> (n,) float64 of the same n prompts; NaN where it is not finite.

    Parameters
    ----------
    asked : seed -> the prompts with that seed. noise : seed -> what each starts from, (n, *shape).
    """
    found: dict[tuple[str, int], np.ndarray] = {}
    images, changes = [], []
    denoiser, names = protection.denoiser, settings.detectors.scores
    with protection.active():
        for seed, one in asked.items():
            one = _as_given(one)
            eps_c = first_eps(denoiser, one.cond, noise[seed])
            eps_u = first_eps(denoiser, one.empty, noise[seed])
            scores = dcs_scores(eps_c, eps_u, denoiser.sigma_max, settings.guidance)
            found |= {(name, seed): value for name, value in scores.items()}
            guided = eps_u + settings.edges.guidance * (eps_c - eps_u)
            x0 = denoiser.sigma_max * (noise[seed].to(guided) - guided)
            images.append(decode_images(denoiser, denoiser.threshold(x0))[0])
            shared = OwnNoise(denoiser, settings.detectors.steps, one.empty, noise[seed])
            made = Evaluations(shared, settings.detectors, one.prompts, one.cond, seed)
            for name in names:
                if name in OF_ONE_SEED:
                    found[name, seed] = OF_ONE_SEED[name](made).detach().double().cpu().numpy()
            if "nemo_ssim" in names:
                changes.append(stretched_change(made))
    lines = [
        _of_seeds([of_seed[i] for of_seed in images], settings.edges) for i in range(len(images[0]))
    ]
    for name in ("ecs", "seed_consistency"):
        found[name, ALL_SEEDS] = np.array([line[name] for line in lines], np.float64)
    if changes:
        found["nemo_ssim", ALL_SEEDS] = nemo_ssim(changes).cpu().numpy()
    return {key: np.where(np.isfinite(value), value, np.nan) for key, value in found.items()}


def _as_given(asked: Asked) -> Asked:
    """The prompts as they were given, where a defence puts others in their place while it guides."""
    return asked if asked.anchors is None else replace(asked, cond=asked.anchors)


def _of_seeds(images: Sequence[np.ndarray], edges: EdgePreset) -> dict[str, float]:
    """ECS and consistency of one prompt's one-step generations that are finite."""
    sound = [image for image in images if np.isfinite(image).all()]
    found = score_images(sound, {"world": edges}, "world")
    return {name: float(found[name]) for name in ("ecs", "seed_consistency")}
