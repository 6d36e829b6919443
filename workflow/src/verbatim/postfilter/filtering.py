"""Carlini's filter over many prompts at once: rounds of images, distances, cliques, decisions.

Carlini et al. 2023, section 4, with the rounds of `stopping`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from verbatim.postfilter.cliques import Clique, clique_distance, search_clique
from verbatim.postfilter.stopping import decide, schedule
from verbatim.postfilter.tiles import pair_distances

# of each caption and seed an image (height, width, 3) uint8, or None where there is none; and network rows spent
Generate = Callable[
    [Sequence[str], Sequence[int]], tuple[Sequence[Sequence[np.ndarray | None]], int]
]


@dataclass(frozen=True)
class Preset:
    """tiles : tiles along each side. edge : distance below which two generations are near-copies, in [0, 1].
    clique : least size of a clique that keeps a prompt."""

    tiles: int
    edge: float
    clique: int


@dataclass(frozen=True)
class Rounds:
    """How many images, in what rounds, and when to stop; see `stopping`.

    max_nodes : branches of one exact clique search, after which it returns a bound.
    """

    n_images: int
    first: int
    stop_early: bool
    futility: float = 0.0
    max_nodes: int | None = None


class Filtered(NamedTuple):
    """One prompt: its scores under the names of the `postfilter` table, its images (n, h, w, 3) and their seeds.

    missing : seeds for which the network gave no finite image.
    """

    scores: dict[str, float | int | bool]
    images: np.ndarray
    seeds: list[int]
    missing: list[int]


def filter_captions(
    captions: Sequence[str], generate: Generate, preset: Preset, rounds: Rounds
) -> list[Filtered]:
    """Generate images of each caption until its decision is certain, and score them.

    Undecided captions share the batches of a round. The result of a caption depends on its own images alone. Seeds are 0, 1, ... in the order of the rounds.
    """
    states = [_State() for _ in captions]
    seen = 0
    for count in schedule(rounds.n_images, rounds.first, preset.clique, rounds.stop_early):
        open_ = [i for i, state in enumerate(states) if not state.stopped]
        if not open_:
            break
        images, rows = generate([captions[i] for i in open_], range(seen, count))
        for i, new in zip(open_, images, strict=True):
            states[i].add(list(new), rows / len(open_), preset, rounds)
        seen = count
    return [state.result() for state in states]


class _State:
    """One prompt between rounds."""

    def __init__(self) -> None:
        self.images = np.zeros((0, 1, 1, 3), dtype=np.uint8)
        self.distances = np.zeros((0, 0))
        self.clique = Clique(np.zeros(0, dtype=np.int64), 0)
        self.rows = 0.0
        self.asked = 0  # images, made or missing
        self.seeds: list[int] = []
        self.stopped = self.kept = self.certain = False

    def add(
        self, asked: list[np.ndarray | None], rows: float, preset: Preset, rounds: Rounds
    ) -> None:
        there = [image for image in asked if image is not None]
        self.seeds += [self.asked + i for i, image in enumerate(asked) if image is not None]
        self.asked += len(asked)
        if there:
            self._measure(np.stack(there), preset, rounds)
        decision = decide(
            found=len(self.clique.members),
            bound=self.clique.bound,
            seen=self.asked,
            n_images=rounds.n_images,
            clique=preset.clique,
            futility=rounds.futility,
        )
        self.kept, self.certain, self.stopped = decision
        self.rows += rows

    def _measure(self, new: np.ndarray, preset: Preset, rounds: Rounds) -> None:
        old = len(self.images)
        self.images = np.concatenate([self.images, new]) if old else np.ascontiguousarray(new)
        distances = np.zeros((len(self.images), len(self.images)))
        distances[:old, :old] = self.distances
        distances[old:] = pair_distances(new, preset.tiles, self.images)
        distances[:old, old:] = distances[old:, :old].T
        self.distances = distances
        self.clique = search_clique(distances < preset.edge, rounds.max_nodes)

    def result(self) -> Filtered:
        pairs = self.distances[np.triu_indices(len(self.distances), 1)]
        return Filtered(
            {
                "n_images": len(self.images),
                "clique_size": len(self.clique.members),
                "clique_distance": clique_distance(self.distances, self.clique.members),
                "mean_distance": float(pairs.mean()) if len(pairs) else float("nan"),
                "kept": self.kept,
                "certain": self.certain,
                "unet_rows": round(self.rows),
            },
            self.images,
            self.seeds,
            sorted(set(range(self.asked)) - set(self.seeds)),
        )
