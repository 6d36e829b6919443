"""One model behind one defence: generations of prompts and of adversarial embeddings, scores, and what it costs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from verbatim.config.defence_kinds import OTHER_SEEDS, PROMPT
from verbatim.io.images import to_uint8
from verbatim.mitigation.first_scores import ScoreSettings, score_asked
from verbatim.mitigation.protections import Asked, Protection
from verbatim.models.denoiser import NOT_FINITE, Condition
from verbatim.models.row_counter import RowCounter
from verbatim.models.sampling import Sampling


@dataclass(frozen=True)
class RunSettings:
    """how : of the generations. seeds : of each prompt. batch : prompts that run together."""

    how: Sampling
    seeds: Sequence[int]
    batch: int


class DefendedRun:
    """Collects the generations of a model behind a defence.

    Attributes
    ----------
    generations
        Lines of `mitigation_attacked`. Their images are what the methods yield, in the same order.
    scores
        Lines of `mitigation_scores`.
    spent
        Lines of `mitigation_spent`.
    """

    def __init__(self, protection: Protection, settings: RunSettings, counter: RowCounter):
        self.protection, self.settings, self.counter = protection, settings, counter
        self.generations: list[dict[str, object]] = []
        self.scores: list[dict[str, object]] = []
        self.spent: list[dict[str, object]] = []
        protection.prepare()  # once for a model: no cost of a prompt

    def of_prompts(
        self, prompts: pd.DataFrame, scoring: ScoreSettings
    ) -> Iterator[tuple[str, np.ndarray | str]]:
        """Members of an archive: each prompt with each seed; its scores are computed where its generation starts.

        prompts : prompt_id, caption and group.
        """
        for _, of_group in prompts.groupby("group", sort=False):
            for start in range(0, len(of_group), self.settings.batch):
                some = of_group.iloc[start : start + self.settings.batch]
                asked, noise = {}, {}
                for seed in self.settings.seeds:
                    before = self._rows()
                    with self.protection.active():
                        one = self.protection.ask(some["caption"].tolist(), [seed] * len(some))
                        asked[seed], noise[seed] = one, self.protection.start(one)
                        images = self.protection.generate(one, noise[seed], self.settings.how)
                    self._spend(some["group"].iloc[0], len(some), before)
                    yield from self._members(some, one, images, PROMPT)
                found = score_asked(self.protection, asked, noise, scoring)
                self.scores += [
                    {"prompt_id": key, "seed": seed, "score": name, "value": value}
                    for (name, seed), values in found.items()
                    for key, value in zip(some["prompt_id"], values, strict=True)
                ]

    def of_other_seeds(
        self, prompts: pd.DataFrame, seeds: Sequence[int]
    ) -> Iterator[tuple[str, np.ndarray | str]]:
        """Members of an archive: each prompt with seeds that no other generation has, for what differs by chance alone."""
        for start in range(0, len(prompts), self.settings.batch):
            some = prompts.iloc[start : start + self.settings.batch]
            for seed in seeds:
                with self.protection.active():
                    asked = self.protection.ask(some["caption"].tolist(), [seed] * len(some))
                    noise = self.protection.start(asked)
                    images = self.protection.generate(asked, noise, self.settings.how)
                yield from self._members(some, asked, images, OTHER_SEEDS)

    def of_embeddings(
        self, embeddings: pd.DataFrame, states: torch.Tensor
    ) -> Iterator[tuple[str, np.ndarray | str]]:
        """Members of an archive: each adversarial embedding with each seed.

        embeddings : prompt_id and start, a line for each of `states` (n, tokens, width).
        """
        seeds = self.settings.seeds
        for start in range(0, len(embeddings), self.settings.batch):
            some = embeddings.iloc[start : start + self.settings.batch]
            of_some = Condition(states[start : start + self.settings.batch])
            for seed in seeds:
                with self.protection.active():
                    asked = self.protection.hand_in(of_some, [seed] * len(some))
                    noise = self.protection.start(asked)
                    images = self.protection.generate(asked, noise, self.settings.how)
                yield from self._members(some, asked, images, "")

    def _rows(self) -> tuple[int, int]:
        return self.counter.rows, self.counter.with_gradient

    def _spend(self, group: str, n: int, before: tuple[int, int]) -> None:
        rows, backward = (now - was for now, was in zip(self._rows(), before, strict=True))
        line = {"group": group, "generations": n, "unet_rows": rows, "with_gradient": backward}
        self.spent.append(line)

    def _members(
        self, some: pd.DataFrame, asked: Asked, images: np.ndarray, attack: str
    ) -> Iterator[tuple[str, np.ndarray | str]]:
        starts = some["start"] if "start" in some else [attack] * len(some)
        for key, start, prompt, seed, image in zip(
            some["prompt_id"], starts, asked.prompts, asked.seeds, images, strict=True
        ):
            number, sound = len(self.generations), bool(np.isfinite(image).all())
            self.generations.append(
                {"generation": number, "prompt_id": key, "seed": seed, "attack": start, "prompt": prompt,
                 "status": "ok" if sound else "failed", "reason": "" if sound else NOT_FINITE}
            )  # fmt: skip
            yield f"{number}.png", to_uint8(image) if sound else NOT_FINITE
