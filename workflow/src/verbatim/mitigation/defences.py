"""What can be done to a prompt before a model that copies is given it.

Somepalli 2023, section 5.2, as its public code has it (somepago/DCR, sd_mitigation.py): GNI adds 0.1 N(0, 1) to the
prompt's embedding and to that of the empty prompt; RT, CWR and RNA always insert four words or numbers (`captions`). Wen et al. 2024, section 4.3: the embedding itself is moved, by a few gradient steps, until
the caption says no more at the first step than a caption should: ||eps_c - eps_u||_2 is brought down to a target.

Two departures from Wen: the target is not one number of Stable Diffusion but what captions of random words
reach in the same model (they belong to no training image); and one code is optimised a caption, on noises of its own,
rather than one an image, so that every attack meets the same defended prompt.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import torch

from verbatim.models import conditioning
from verbatim.models.denoiser import Condition, Denoiser
from verbatim.models.noise import noise_of_seeds

DEFENCES = ("none", "gni", "rt", "cwr", "rna", "wen")
WEN_SEEDS = (900_001, 900_002)  # noises that a code is optimised on; no image is made of them
YARDSTICK = 32  # captions of random words


def change_prompt(caption: str, defence: str, constants: dict[str, Any], seed: int) -> str:
    """The prompt that a model is given for `caption`; itself for defences that change its code only.

    constants : `mitigation.inference` of the config. seed : the same gives the same prompt.
    """
    rng = random.Random(f"{defence}/{seed}/{caption}")
    if defence == "rt":
        return conditioning.insert_words(caption, constants["passes"], rng)
    if defence == "cwr":
        return conditioning.repeat_words(caption, constants["passes"], rng)
    if defence == "rna":
        return conditioning.insert_numbers(caption, constants["passes"], constants["rna_high"], rng)
    return caption


class Defended:
    """A denoiser whose captions are defended as they are encoded; all else is the model's own.

    Whatever is written against `Denoiser` (scores, samplers) can be given one. The empty prompt ("") has no words to
    change and is not optimised; GNI adds its noise to it too.
    """

    def __init__(self, denoiser: Denoiser, defence: str, constants: dict[str, Any], seed: int):
        if defence not in DEFENCES:
            raise ValueError(f"defence {defence!r} is unknown; known: {', '.join(DEFENCES)}")
        self.denoiser, self.defence, self.constants, self.seed = denoiser, defence, constants, seed
        self._target: float | None = None
        self._known: dict[str, torch.Tensor] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.denoiser, name)

    def encode(self, captions: Sequence[str], batch: int = 256) -> Condition:
        """Codes of captions whose words are changed first, by the caption and the seed alone."""
        prompts = [
            change_prompt(caption, self.defence, self.constants, self.seed) if caption else ""
            for caption in captions
        ]
        return self.encode_prompts(prompts, [self.seed] * len(prompts), batch)

    def encode_prompts(
        self, prompts: Sequence[str], seeds: Sequence[int], batch: int = 256
    ) -> Condition:
        """Codes of prompts whose words are as they shall be; `seeds` of each decide a code's noise."""
        if self.defence == "wen":
            self._optimize([prompt for prompt in dict.fromkeys(prompts) if prompt], batch)
        code = self.denoiser.encode(prompts, batch)
        states = code.states
        if self.defence == "gni":
            keys = [f"{seed}/{prompt}" for prompt, seed in zip(prompts, seeds, strict=True)]
            return self.change_states(code, keys)
        if self.defence == "wen":
            moved = [
                self._known[prompt] if prompt else state
                for prompt, state in zip(prompts, states, strict=True)
            ]
            return Condition(torch.stack(moved), code.extra)
        return code

    def encode_empty(self, seeds: Sequence[int]) -> Condition:
        """Codes of the empty prompt for generations with `seeds`: one for all of them, or with GNI one each."""
        seeds = seeds if self.defence == "gni" else seeds[:1]
        return self.encode_prompts([""] * len(seeds), seeds)

    def change_states(self, code: Condition, keys: Sequence[str]) -> Condition:
        """Prompt embeddings of any origin, behind a defence of embeddings; unchanged behind one of words.

        keys : of each, which decide the noise of GNI.
        """
        if self.defence == "gni":
            noises = [_noise(key, code.states.shape[1:]) for key in keys]
            noise = torch.stack(noises).to(code.states.device, code.states.dtype)
            return Condition(code.states + self.constants["gni"] * noise, code.extra)
        return self._moved(code) if self.defence == "wen" else code

    def prepare(self) -> float:
        """Wen's target, in what the network answers; computed once."""
        if self._target is None:
            self._target = self.constants["wen_target"] * random_word_norm(self.denoiser)
        return self._target

    def _moved(self, code: Condition) -> Condition:
        """Wen's optimization of prompt embeddings."""
        target = self.prepare()
        steps, rate = self.constants["wen_steps"], self.constants["wen_rate"]
        return optimize_codes(self.denoiser, code, target, steps, rate)

    def _optimize(self, prompts: list[str], batch: int) -> None:
        """Make the codes of prompts that have none yet."""
        new = [prompt for prompt in prompts if prompt not in self._known]
        size = min(batch, 64)
        for start in range(0, len(new), size):
            part = new[start : start + size]
            codes = self._moved(self.denoiser.encode(part))
            self._known |= dict(zip(part, codes.states, strict=True))


@torch.no_grad()
def random_word_norm(denoiser: Denoiser) -> float:
    """Median of `change_norms` over captions of random words, which belong to no training image."""
    words = [
        conditioning.random_words(random.Random(f"wen/{i}"), 1 + i % 6) for i in range(YARDSTICK)
    ]
    return float(change_norms(denoiser, denoiser.encode(words)).median())


def _noise(key: str, shape: Sequence[int]) -> torch.Tensor:
    """Gaussian noise of unit variance, a function of `key` and `shape`."""
    generator = torch.Generator().manual_seed(random.Random(key).getrandbits(62))
    return torch.randn(tuple(shape), generator=generator)


def _first(denoiser: Denoiser, cond: Condition, noise: torch.Tensor) -> torch.Tensor:
    """The network's answer to pure noise (1, *shape) at sigma_max, as `sampling.first_eps`, with gradients."""
    sigma = denoiser.sigma_max
    t = denoiser.sigma_to_t(torch.full((len(cond),), sigma, dtype=torch.float64))
    x = noise.to(denoiser.device) * (sigma / (sigma**2 + 1) ** 0.5)
    x = x.expand(len(cond), *x.shape[1:]).to(denoiser.dtype)
    return denoiser.network(x, t.to(denoiser.device, torch.float32), cond).float()


def change_norms(
    denoiser: Denoiser, cond: Condition, empty: Sequence[torch.Tensor] | None = None
) -> torch.Tensor:
    """How much each caption changes the first prediction, (n,): Wen et al. 2024, eq. 3, at the first step.

    Mean over `WEN_SEEDS` of ||out_c - out_u||_2, of what the network gives (epsilon, or in proportion to it).

    empty : the answers without a caption to each noise, if they are known.
    """
    noises = noise_of_seeds(WEN_SEEDS, denoiser.shape)[:, None]
    if empty is None:
        empty = empty_answers(denoiser)
    norms = [
        (_first(denoiser, cond, noise) - out).flatten(1).norm(dim=1)
        for noise, out in zip(noises, empty, strict=True)
    ]
    return torch.stack(norms).mean(0)


@torch.no_grad()
def empty_answers(denoiser: Denoiser) -> list[torch.Tensor]:
    """The network's answer without a caption to each of the noises that codes are optimised on."""
    noises = noise_of_seeds(WEN_SEEDS, denoiser.shape)[:, None]
    return [_first(denoiser, denoiser.encode([""]), noise) for noise in noises]


def optimize_codes(
    denoiser: Denoiser, cond: Condition, target: float, steps: int, rate: float
) -> Condition:
    """Codes moved until their captions change the first prediction no more than `target`.

    Wen et al. 2024, section 4.3: Adam on the code; each stays where it is once it is there (at once, if it never was
    above), so that only prompts that say too much are changed.
    """
    empty = empty_answers(denoiser)
    states = cond.states.detach().clone().requires_grad_(True)
    final = cond.states.detach().clone()
    still = torch.ones(len(cond), dtype=torch.bool, device=states.device)
    optimizer = torch.optim.Adam([states], lr=rate)
    for step in range(steps + 1):
        with torch.enable_grad():
            norms = change_norms(denoiser, Condition(states, cond.extra), empty)
            final[still] = states.detach()[still]
            still &= norms.detach() > target
            if step == steps or not still.any():
                break
            optimizer.zero_grad()
            norms.sum().backward()
        optimizer.step()
    return Condition(final, cond.extra)
