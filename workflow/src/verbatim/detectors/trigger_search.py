"""Search for prompts that trigger a copy, without any caption of the training set.

MemBench (Hong et al. 2024): Gibbs sampling over the words of a prompt. At each step one position of a chain is drawn, words are
proposed for it, and one of them, or the present word, is drawn with probability proportional to exp(D / temperature), where D is the
energy of the whole prompt. Nothing is rejected afterwards. All candidates of a step share one noise, and the next step has another.

Every chain draws from a generator of its own, so that neither the batch nor the other chains decide what it finds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from verbatim.models.noise import stream_seed

# prompts and a seed of the noise -> energy of each (n,), NaN where there is none
Energy = Callable[[Sequence[str], int], np.ndarray]


@dataclass(frozen=True)
class SearchSettings:
    """How chains are run; the keys of the config block `detectors.triggers.search`.

    chains : their number. length : positions of a prompt. steps : of a chain. candidates : words that are proposed at a step.
    temperature : of the draw, in units of the energy. keep : prompts that a chain keeps, those of the highest energy.
    seed : of all draws and of the noise.
    """

    chains: int
    length: int
    steps: int
    candidates: int
    temperature: float
    keep: int
    seed: int

    @property
    def tried(self) -> int:
        """Prompts that a chain tries."""
        return self.steps * (self.candidates + 1)

    def noise(self, step: int) -> int:
        """Seed of the noise of a step; -1 is for prompts that no chain proposes."""
        return stream_seed(self.seed, f"triggers/{step}")


class Tried(NamedTuple):
    """A prompt that a chain keeps: its energy, and the step at which it was proposed (-1 without steps)."""

    chain: int
    prompt: str
    energy: float
    step: int


@dataclass
class Chain:
    """One chain: its generator, the words at its positions ("" is none), and the prompts of the highest energy that it has tried."""

    number: int
    rng: np.random.Generator
    words: list[str]
    best: dict[str, Tried] = field(default_factory=dict)

    def keep(self, tried: Tried, count: int) -> None:
        """Keep a prompt if it is among the `count` of the highest energy; an empty one, and one whose energy is not finite, never is."""
        known = self.best.get(tried.prompt)
        if (
            not tried.prompt
            or not np.isfinite(tried.energy)
            or (known and known.energy >= tried.energy)
        ):
            return
        self.best[tried.prompt] = tried
        if len(self.best) > count:
            del self.best[min(self.best, key=lambda prompt: self.best[prompt].energy)]

    def ranked(self) -> list[Tried]:
        """What is kept, the highest energy first."""
        return sorted(self.best.values(), key=lambda one: -one.energy)


def join(words: Sequence[str]) -> str:
    """The prompt of the words at the positions of a chain."""
    return " ".join(word for word in words if word)


def chain_generator(seed: int, chain: int) -> np.random.Generator:
    """The generator of a chain's draws."""
    return np.random.default_rng([stream_seed(seed, "chains of triggers"), chain])


def try_words(
    energy: Energy, words: Sequence[str], chains: Sequence[int], settings: SearchSettings
) -> list[Tried]:
    """Words as prompts of their own, in place of chains: the number of a chain is that of a word. One prompt a word."""
    prompts = [words[number] for number in chains]
    found = energy(prompts, settings.noise(-1)).tolist()
    return [
        Tried(number, prompt, value, -1)
        for number, prompt, value in zip(chains, prompts, found, strict=True)
        if np.isfinite(value)
    ]


def draw_word(energies: np.ndarray, temperature: float, rng: np.random.Generator) -> int:
    """Index drawn with probability proportional to exp(energy / temperature); one that is not finite is never drawn.

    energies : (n,), the last of the present word, which stays where none is finite.
    """
    logits = np.where(np.isfinite(energies), energies, -np.inf) / temperature
    highest = logits.max()
    if highest == -np.inf:
        return len(energies) - 1
    chances = np.exp(logits - highest)
    return int(rng.choice(len(energies), p=chances / chances.sum()))


def run_chains(
    energy: Energy, words: Sequence[str], chains: Sequence[int], settings: SearchSettings
) -> list[Tried]:
    """What each chain keeps, chain after chain, the highest energy first. A chain starts without a word, as MemBench's with masks.

    Prompts tried: chains x `settings.tried`.
    """
    running = [
        Chain(number, chain_generator(settings.seed, number), [""] * settings.length)
        for number in chains
    ]
    for step in range(settings.steps):
        proposed = [propose(chain, words, settings.candidates) for chain in running]
        prompts = [join(one) for many in proposed for one in many]
        found = energy(prompts, settings.noise(step)).reshape(len(running), -1)
        for chain, many, energies in zip(running, proposed, found, strict=True):
            for one, value in zip(many, energies.tolist(), strict=True):
                chain.keep(Tried(chain.number, join(one), value, step), settings.keep)
            chain.words = many[draw_word(energies, settings.temperature, chain.rng)]
    return [tried for chain in running for tried in chain.ranked()]


def propose(chain: Chain, words: Sequence[str], count: int) -> list[list[str]]:
    """`count` proposals for a position that is drawn, and the present words last, (count + 1)."""
    position = int(chain.rng.integers(len(chain.words)))
    drawn = chain.rng.choice(len(words), min(count, len(words)), replace=False)
    out = []
    for i in drawn.tolist():
        changed = list(chain.words)
        changed[position] = words[i]
        out.append(changed)
    return [*out, list(chain.words)]


def try_random(
    energy: Energy, words: Sequence[str], chains: Sequence[int], settings: SearchSettings
) -> list[Tried]:
    """The control: as many prompts of 1 to `settings.length` random words as a chain tries, in place of each chain."""
    out = []
    for number in chains:
        rng = chain_generator(settings.seed, number)
        chain = Chain(number, rng, [])
        lengths = rng.integers(1, settings.length + 1, size=settings.tried).tolist()
        prompts = [join([words[i] for i in rng.integers(len(words), size=n)]) for n in lengths]
        for prompt, value in zip(
            prompts, energy(prompts, settings.noise(-1)).tolist(), strict=True
        ):
            chain.keep(Tried(number, prompt, value, -1), settings.keep)
        out += chain.ranked()
    return out


METHODS = {"words": try_words, "gibbs": run_chains, "random": try_random}


def count_chains(method: str, words: Sequence[str], settings: SearchSettings) -> tuple[int, int]:
    """Number of chains of a method, and prompts that each tries."""
    return (len(words), 1) if method == "words" else (settings.chains, settings.tried)
