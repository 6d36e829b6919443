"""Prompt re-anchoring and semantic prompt search (PRSS): Chen et al. 2025 (public code chenchen-usyd/BE-PRSS).

Where a prompt changes the first prediction by more than `low`, another prompt of the same meaning takes its place: of 25
paraphrases the first that changes it by at most `target`, else the one that changes it least. While m = ||eps_a - eps_u||_2 of that
prompt a is above `low` at a step, guidance is anchored at the prediction eps_c of the prompt that was given:

    eps = eps_c + s (eps_a - eps_c) + (g - s) (eps_a - eps_u),   s = min(g (m - c) / (high - c), g),   c = (g low - high) / (g - 1)

so that s is 1 at m = low and g from m = high on. Else it is eps_u + g (eps_a - eps_u). The numbers are of Stable Diffusion; here
they are in units of what captions of random words do.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from verbatim.mitigation.defences import change_norms
from verbatim.models import conditioning
from verbatim.models.denoiser import Condition, Denoiser

PARAPHRASES = 25


@dataclass(frozen=True)
class Reanchoring:
    """target, low, high : changes of the first prediction, as above, in the units of the network's answer."""

    target: float
    low: float
    high: float


def paraphrase(prompt: str) -> list[str]:
    """`PARAPHRASES` other wordings of a prompt, a function of its text alone.

    ASSUME: the words of the prompt in another order, one of them left out where there are more than two, in a wording of the
    copying study; a language model writes the paper's paraphrases.
    """
    rng = random.Random(f"prss/{prompt}")
    found = []
    for i in range(PARAPHRASES):
        words = prompt.split()
        if len(words) > 2:
            words.pop(rng.randrange(len(words)))
        rng.shuffle(words)
        wording = conditioning.WORDINGS[i % len(conditioning.WORDINGS)]
        found.append(wording.format(" ".join(words)))
    return found


@torch.no_grad()
def choose_prompts(denoiser: Denoiser, prompts: Sequence[str], how: Reanchoring) -> list[str]:
    """The prompt that stands in for each: itself where it changes the first prediction by at most `how.low`."""
    if not prompts:
        return []
    chosen = list(prompts)
    norms = change_norms(denoiser, denoiser.encode(list(prompts)))
    for i in torch.nonzero(norms > how.low).flatten().tolist():
        others = paraphrase(prompts[i])
        found = change_norms(denoiser, denoiser.encode(others)).tolist()
        good = [place for place, norm in enumerate(found) if norm <= how.target]
        chosen[i] = others[good[0] if good else min(range(len(found)), key=found.__getitem__)]
    return chosen


class Reanchored:
    """A denoiser whose guidance is anchored, for `sampling.sample` with a guidance scale above 1.

    `sample` asks for both halves, [eps_u, eps_c], and combines them to eps_u + g (eps_c - eps_u). Here the second half comes
    back as whatever makes that combination the one above. All else is the denoiser's own.

    Parameters
    ----------
    anchors : prompt embeddings of the prompts that were given, n. replaced : (n,) bool, which of them another one stands in for.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        anchors: Condition,
        replaced: torch.Tensor,
        how: Reanchoring,
        guidance: float,
    ):
        if guidance <= 1:
            raise ValueError(
                f"sampling.guidance is {guidance}: PRSS needs a guidance scale above 1; leave prss out of "
                "mitigation.attacked.defences"
            )
        self.denoiser, self.anchors, self.how, self.guidance = denoiser, anchors, how, guidance
        self.places = torch.nonzero(replaced).flatten().tolist()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.denoiser, name)

    @torch.no_grad()
    def predict(
        self, x: torch.Tensor, sigma: float | torch.Tensor, cond: Condition
    ) -> torch.Tensor:
        """Both halves, (2n, *shape), the second as anchored guidance has it; three rows a step where one is replaced."""
        both = self.denoiser.predict(x, sigma, cond)
        if not self.places:
            return both
        n = len(both) // 2
        at = torch.tensor(self.places, device=both.device)
        anchor = self.denoiser.predict(x[:n][at], sigma, self.anchors[self.places])
        eps_u, eps_a = both[:n][at], both[n:][at]
        anchored = anchored_eps(eps_u, anchor, eps_a, self.how, self.guidance)
        made = both[n:].clone()
        made[at] = eps_u + (anchored - eps_u) / self.guidance
        return torch.cat([both[:n], made])


def anchored_eps(
    eps_u: torch.Tensor,
    eps_c: torch.Tensor,
    eps_a: torch.Tensor,
    how: Reanchoring,
    guidance: float,
) -> torch.Tensor:
    """The guided prediction of the module's docstring, (n, *shape)."""
    change = eps_a - eps_u
    norm = change.flatten(1).norm(dim=1).view(-1, 1, 1, 1)
    c = (guidance * how.low - how.high) / (guidance - 1)
    s = (guidance * (norm - c) / (how.high - c)).clamp(max=guidance)
    anchored = eps_c + s * (eps_a - eps_c) + (guidance - s) * change
    return torch.where(norm > how.low, anchored, eps_u + guidance * change)
