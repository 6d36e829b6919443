"""Every defence behind one interface: words, prompt embeddings, initial noise, guidance or weights, whatever it changes.

`Protection.ask` takes prompts, as users do. `Protection.hand_in` takes prompt embeddings, as somebody with the weights can: what
changes words or tokens never meets these, and lets them pass. Who has the weights can leave out everything but the weights
themselves; what is measured with embeddings is what a defence does to a trigger that is not the prompt that it expects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from verbatim.config.defence_kinds import CHANGES, MEET_EMBEDDINGS
from verbatim.mitigation import initial_noise, padding, reanchoring
from verbatim.mitigation.defences import DEFENCES, Defended, change_prompt, random_word_norm
from verbatim.mitigation.descent import Descent
from verbatim.mitigation.neurons import Neurons, switched_off
from verbatim.models.denoiser import Condition, Denoiser
from verbatim.models.noise import noise_of_seeds
from verbatim.models.sampling import Sampling, sample, to_images


@dataclass(frozen=True)
class Constants:
    """What the defences are told, as the config has it.

    inference : `mitigation.inference`. noise, sail, prss : these keys of `mitigation.attacked`. neurons : that nemo switches off.
    """

    inference: Mapping[str, Any] = field(default_factory=dict)
    noise: Mapping[str, float] = field(default_factory=dict)
    sail: Mapping[str, float] = field(default_factory=dict)
    prss: Mapping[str, float] = field(default_factory=dict)
    neurons: Neurons = field(default_factory=dict)


@dataclass(frozen=True)
class Asked:
    """What a model is asked for, a line for each generation.

    prompts : texts that the model received; "" of an embedding that was handed in. cond : their embeddings. empty : those of the
    empty prompt, one for all or one each. seeds : of the noise. anchors, replaced : of PRSS alone.
    """

    prompts: list[str]
    cond: Condition
    empty: Condition
    seeds: list[int]
    anchors: Condition | None = None
    replaced: torch.Tensor | None = None


class Protection:
    """A denoiser behind one defence.

    Raises
    ------
    ValueError
        For an unknown defence.
    """

    def __init__(self, denoiser: Denoiser, name: str, constants: Constants):
        if name not in CHANGES:
            raise ValueError(f"defence {name!r} is unknown; known: {', '.join(CHANGES)}")
        self.denoiser, self.name, self.constants = denoiser, name, constants
        told = name if name in DEFENCES else "none"
        self._words = Defended(denoiser, told, dict(constants.inference), 0)
        self._unit: float | None = None
        self._stand_ins: dict[str, str] = {}

    @property
    def changes(self) -> str:
        """What the defence changes, one of the values of `CHANGES`."""
        return CHANGES[self.name]

    @property
    def meets_embeddings(self) -> bool:
        """Whether a prompt embedding that is handed in meets the defence; else it passes as without one."""
        return self.changes in MEET_EMBEDDINGS

    @property
    def unit(self) -> float:
        """Median change of the first prediction by captions of random words, in which targets are told."""
        if self._unit is None:
            self._unit = random_word_norm(self.denoiser)
        return self._unit

    def prepare(self) -> None:
        """Compute what does not depend on prompts."""
        if self.name in ("noise", "sail", "prss"):
            _ = self.unit
        if self.name == "wen":
            self._words.prepare()

    @contextmanager
    def active(self) -> Iterator[None]:
        """Open while the network predicts anything: what changes weights does it here."""
        if self.changes == "weights":
            with switched_off(self.denoiser, self.constants.neurons):
                yield
        else:
            yield

    def ask(self, prompts: Sequence[str], seeds: Sequence[int]) -> Asked:
        """What becomes of prompts, each with the seed of its generation; words that are drawn at random are drawn anew for each."""
        seeds, given = list(seeds), list(prompts)
        if self.name == "padding":
            empty = padding.encode_without_ends(self.denoiser, [""])
            return Asked(given, padding.encode_without_ends(self.denoiser, given), empty, seeds)
        if self.name == "prss":
            return self._stand_in(given, seeds)
        told = [
            change_prompt(prompt, self.name, dict(self.constants.inference), seed)
            for prompt, seed in zip(given, seeds, strict=True)
        ]
        cond = self._words.encode_prompts(told, seeds)
        return Asked(told, cond, self._words.encode_empty(seeds), seeds)

    def _stand_in(self, prompts: list[str], seeds: list[int]) -> Asked:
        new = [one for one in dict.fromkeys(prompts) if one not in self._stand_ins]
        found = reanchoring.choose_prompts(self.denoiser, new, self._reanchoring())
        self._stand_ins |= dict(zip(new, found, strict=True))
        told = [self._stand_ins[prompt] for prompt in prompts]
        replaced = torch.tensor([a != b for a, b in zip(told, prompts, strict=True)])
        empty = self.denoiser.encode([""])
        anchors = self.denoiser.encode(prompts)
        return Asked(told, self.denoiser.encode(told), empty, seeds, anchors, replaced)

    def _reanchoring(self) -> reanchoring.Reanchoring:
        scaled = {name: value * self.unit for name, value in self.constants.prss.items()}
        return reanchoring.Reanchoring(**scaled)

    def hand_in(self, cond: Condition, seeds: Sequence[int]) -> Asked:
        """What becomes of prompt embeddings that are handed in instead of prompts."""
        if self.changes == "embedding":
            cond = self._words.change_states(cond, [str(seed) for seed in seeds])
        empty = self._words.encode_empty(list(seeds))
        return Asked([""] * len(cond), cond, empty, list(seeds))

    def start(self, asked: Asked) -> torch.Tensor:
        """Unit noise that generation starts from, (n, *shape)."""
        noise = noise_of_seeds(asked.seeds, self.denoiser.shape)
        if self.name == "noise":
            how = self._descent(self.constants.noise)
            return initial_noise.quiet_noise(self.denoiser, noise, asked.cond, asked.empty, how)
        if self.name == "sail":
            how, weight = self._descent(self.constants.sail), self.constants.sail["weight"]
            return initial_noise.flat_noise(
                self.denoiser, noise, asked.cond, asked.empty, how, weight
            )
        return noise

    def _descent(self, told: Mapping[str, float]) -> Descent:
        return Descent(int(told["steps"]), told["rate"], told["target"] * self.unit)

    def generate(self, asked: Asked, noise: torch.Tensor, how: Sampling) -> np.ndarray:
        """Images (n, h, w, 3) in [0, 1]; NaN throughout where one is not finite."""
        network: Any = self.denoiser
        if asked.anchors is not None and asked.replaced is not None:
            told = (asked.anchors, asked.replaced, self._reanchoring(), how.guidance)
            network = reanchoring.Reanchored(self.denoiser, *told)
        return to_images(self.denoiser, sample(network, asked.cond, asked.empty, noise, how))
