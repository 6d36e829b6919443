"""What a run of the copying study consists of: its points, trainings and runs, and the files of each.

A training is a point with a study seed. A run is a training's generations behind one defence. Shadow models are
trained for the first study seed alone, and have no runs.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from verbatim.config.sweep_points import (
    MITIGATION_CONSTANTS,
    NO_DEFENCE,
    GridError,
    Point,
    check_defended,
    list_runs,
    list_trainings,
    read_grid,
    select_points,
)


@dataclass(frozen=True, repr=False)  # Snakemake prints input functions with what they belong to
class SweepPlan:
    """The points of one config, and what is asked of them.

    every : all points of the sheet by name. points : those of this run, in the sheet's order. seeds : study seeds.
    defended : points that are attacked behind each of `defences`. users_point : the point that users' prompts are
    given to. mitigations : `sweep.mitigations` of the config. inference : `mitigation.inference` of the config.
    base_training : how the model that all points continue from is trained.

    Methods that take `wildcards` are input or params functions of rules.
    """

    every: dict[str, Point]
    points: dict[str, Point]
    seeds: tuple[int, ...]
    defended: tuple[str, ...]
    defences: tuple[str, ...]
    users_point: str
    mitigations: Mapping[str, Any]
    inference: Mapping[str, Any]
    base_training: Mapping[str, Any]

    @property
    def trainings(self) -> list[tuple[str, int]]:
        """(point, seed) of every training, shadow models too."""
        return list_trainings(self.points, list(self.seeds))

    @property
    def runs(self) -> list[tuple[str, int, str]]:
        """(point, seed, defence) of every run."""
        return list_runs(self.points, list(self.seeds), list(self.defended), list(self.defences))

    @property
    def shadows(self) -> list[str]:
        """Names of the shadow models."""
        return [name for name, point in self.points.items() if point.half >= 0]

    @property
    def bare(self) -> list[tuple[str, int]]:
        """(point, seed) of every training without captions."""
        return [
            (point, seed)
            for point, seed in self.trainings
            if not self.points[point].has_prompts and self.points[point].half < 0
        ]

    @property
    def run_seeds(self) -> list[int]:
        """Study seeds that have a run."""
        return sorted({seed for _, seed, _ in self.runs})

    @property
    def pool_size(self) -> int:
        """Images that the largest point of the whole sheet takes: a selection of points must not change the pool."""
        return max(point.images * (1 + (point.half >= 0)) for point in self.every.values())

    @property
    def shown_point(self) -> str:
        """The point whose generations are shown one by one: the first as `sweep.base` says, else with captions."""
        told = [p for p in self.points.values() if p.has_prompts and p.half < 0]
        plain = [p.point for p in told if p.ddf == 1 and p.mitigation == NO_DEFENCE]
        return (plain or [p.point for p in told] or list(self.points))[0]

    @property
    def records(self) -> list[dict[str, Any]]:
        """All points of the sheet as plain records, those of this run and the others."""
        return [{"point": name, **point.settings()} for name, point in self.every.items()]

    @property
    def bare_descriptions(self) -> dict[str, str]:
        """Point without captions -> its description in the sheet."""
        return {point: self.every[point].description for point, _ in self.bare}

    def dataset_points(self, wildcards: Any) -> dict[str, dict[str, Any]]:
        """Point -> its settings, of the points that have a run without defence for a study seed."""
        runs = [run for run in self.runs if run[1:] == (int(wildcards.seed), NO_DEFENCE)]
        return {point: self.points[point].settings() for point, _, _ in runs}

    def settings(self, wildcards: Any) -> dict[str, Any]:
        """What decides a point's training: its line of the sheet without its name."""
        return self.every[wildcards.point].settings()

    def conditioning(self, wildcards: Any) -> str:
        """What a point's model is told of each image, a word of the sheet."""
        return self.every[wildcards.point].conditioning

    def unconditional(self, wildcards: Any) -> bool:
        """Whether a point's model has no captions."""
        return not self.every[wildcards.point].has_prompts

    def training_seed(self, wildcards: Any) -> int:
        """Seed of a training, another one for each study seed."""
        return seed_for(wildcards.seed, "training")

    def training_constants(self, wildcards: Any) -> dict[str, Any]:
        """The entries of `sweep.mitigations` that a point's mitigation reads."""
        mitigation = self.every[wildcards.point].mitigation
        return used_constants(self.mitigations, "mitigations", mitigation)

    def defence_constants(self, wildcards: Any) -> dict[str, Any]:
        """The entries of `mitigation.inference` that a defence reads."""
        return used_constants(self.inference, "inference", wildcards.defence)

    def of_trainings(self, pattern: str) -> list[str]:
        """A file with {point} and {seed} in its name, of every training."""
        return [pattern.format(point=point, seed=seed) for point, seed in self.trainings]

    def of_runs(self, pattern: str) -> list[str]:
        """A file with {point}, {seed} and {defence} in its name, of every run."""
        return [
            pattern.format(point=point, seed=seed, defence=defence)
            for point, seed, defence in self.runs
        ]

    def of_shadows(self, pattern: str) -> list[str]:
        """A file with {point} and {seed} in its name, of every shadow model."""
        return [pattern.format(point=point, seed=self.seeds[0]) for point in self.shadows]

    def of_bare(self, pattern: str) -> list[str]:
        """A file with {point} and {seed} in its name, of every training without captions."""
        return [pattern.format(point=point, seed=seed) for point, seed in self.bare]

    def of_dataset(self, pattern: str) -> Callable[[Any], list[str]]:
        """Input function: a file with {point} and {seed} in its name, of the points of `dataset_points`."""
        return lambda wildcards: [
            pattern.format(point=point, seed=wildcards.seed)
            for point in self.dataset_points(wildcards)
        ]

    def of_shown(self, pattern: str) -> str:
        """A file with {point} and {seed} in its name, of the point that is shown, at the first seed."""
        return pattern.format(point=self.shown_point, seed=self.seeds[0])

    def of_users(self, pattern: str) -> str:
        """A file with {point} and {seed} in its name, of the model that users' prompts are given to."""
        return pattern.format(point=self.users_point, seed=self.seeds[0])


def read_plan(config: Mapping[str, Any]) -> SweepPlan:
    """The plan of a checked config.

    Raises
    ------
    GridError : the sheet, or a key that names a point of it, is wrong; the message says where and how to mend it.
    """
    sweep, mitigation = config["sweep"], config["mitigation"]
    path = sweep["points"]
    every = read_grid(path, sweep["base"])
    points = select_points(every, sweep["select_points"], path)
    check_defended(every, mitigation["defended"], path)
    asked = mitigation["users"]["point"]
    if asked not in every:
        raise GridError(
            f"config: mitigation.users.point is {asked!r}, which is no point of {path}; "
            f"points: {', '.join(every)}"
        )
    return SweepPlan(
        every,
        points,
        tuple(sweep["seeds"]),
        tuple(mitigation["defended"]),
        tuple(mitigation["defences"]),
        asked,
        sweep["mitigations"],
        mitigation["inference"],
        {k: v for k, v in sweep["training"].items() if k != "checkpoint_every"}
        | {k: v for k, v in sweep["images"]["base"].items() if k != "scenes"},
    )


def used_constants(entries: Mapping[str, Any], block: str, name: str) -> dict[str, Any]:
    """The constants that one mitigation or defence reads, so that a change of another one reruns nothing of it.

    Parameters
    ----------
    entries : `sweep.mitigations` or `mitigation.inference` of the config.
    block : "mitigations" or "inference".
    name : the mitigation or defence.
    """
    return {key: entries[key] for key in MITIGATION_CONSTANTS[block].get(name, ())}


def seed_for(seed: int | str, use: str) -> int:
    """A seed in [0, 2**32) for one use of random numbers, another one for each study seed and use."""
    return zlib.crc32(f"{seed}/{use}".encode())
