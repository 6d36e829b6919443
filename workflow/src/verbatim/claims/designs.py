"""What a claim compares: pairs of points, a series, a mitigation with none, one measure with a reference.

Each design looks its runs up in the grid and says which contrasts (weights of runs) they make. Runs that
have no value of the measure are left out and named, so that a failed point costs a claim that point alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from verbatim.claims import comparisons
from verbatim.claims.contrasts import Run, trend_weights

NONE = "none"  # the run without a defence
SHADOWS = "shadows"  # stands for all shadow models together
USERS = "users"  # stands for the images of users' prompts
TOGETHER = (
    SHADOWS,
    USERS,
)  # not trained for every seed: what is counted of them has an interval of its own
Weights = dict[Run, float]


@dataclass(frozen=True)
class Built:
    """Contrasts of a design, all of which must be as claimed, and what it lacks.

    missing : runs without a value. uncompared : rivals of a best one that it can't be compared with at all.
    """

    contrasts: list[Weights]
    missing: list[Run]
    uncompared: tuple[str, ...] = ()


@dataclass(frozen=True)
class Grid:
    """The points as `comparisons.describe_points` and `base_settings` give them; which are defended, and how."""

    table: pd.DataFrame
    base: Mapping[str, Any]
    defended: tuple[str, ...] = ()
    defences: tuple[str, ...] = ()


def make_grid(
    points: list[dict[str, Any]],
    base: Mapping[str, Any],
    every_image: int,
    defended: list[str],
    defences: list[str],
) -> Grid:
    """The grid of a run: points as dicts of `sweep_points.Point`, `sweep.base`, how many images "all" is."""
    return Grid(
        comparisons.describe_points(points, every_image),
        comparisons.base_settings(base, every_image),
        tuple(defended),
        tuple(defences),
    )


def _mean_of_pairs(pairs: list[tuple[Run, Run]], have: set[Run]) -> Built:
    """Mean difference of the pairs of which both runs have a value."""
    whole = [(a, b) for a, b in pairs if a in have and b in have]
    weights: Weights = {}
    for a, b in whole:
        weights[a] = weights.get(a, 0.0) + 1 / len(whole)
        weights[b] = weights.get(b, 0.0) - 1 / len(whole)
    missing = dict.fromkeys(run for pair in pairs for run in pair if run not in have)
    return Built([weights] if whole else [], list(missing))


@dataclass(frozen=True)
class Pairs:
    """Mean over pairs of points that differ in one column: those with `more` minus those with `less`."""

    column: str
    more: Any
    less: Any
    where: Mapping[str, Any] = field(default_factory=dict)

    def build(self, grid: Grid, have: set[Run]) -> Built:
        found = comparisons.pairs(
            grid.table, grid.base, self.column, self.more, self.less, self.where
        )
        return _mean_of_pairs([((a, NONE), (b, NONE)) for a, b in found], have)


@dataclass(frozen=True)
class Kinds:
    """Mean over ddf of one kind of duplication (full, image_only, none) minus another."""

    more: str
    less: str

    def build(self, grid: Grid, have: set[Run]) -> Built:
        found = comparisons.duplication_pairs(grid.table, grid.base, self.more, self.less)
        return _mean_of_pairs([((a, NONE), (b, NONE)) for a, b in found], have)


@dataclass(frozen=True)
class Series:
    """Change along the line fitted to a measure over log2 of a column, from its lowest value to its highest."""

    column: str
    kind: str = ""
    where: Mapping[str, Any] = field(default_factory=dict)

    def runs(self, grid: Grid) -> list[tuple[str, float]]:
        return comparisons.series(grid.table, grid.base, self.column, self.where, self.kind)

    def build(self, grid: Grid, have: set[Run]) -> Built:
        found = self.runs(grid)
        some = [(name, x) for name, x in found if (name, NONE) in have]
        missing = [(name, NONE) for name, _ in found if (name, NONE) not in have]
        if len({x for _, x in some}) < 2:
            return Built([], missing)
        weights = trend_weights(np.log2([x for _, x in some]))
        return Built(
            [{(name, NONE): float(w) for (name, _), w in zip(some, weights, strict=True)}], missing
        )


@dataclass(frozen=True)
class Mitigation:
    """Without a training-time mitigation minus with it, mean over the kinds of duplication."""

    name: str

    def build(self, grid: Grid, have: set[Run]) -> Built:
        found = comparisons.pairs(grid.table, grid.base, "mitigation", "none", self.name)
        return _mean_of_pairs([((a, NONE), (b, NONE)) for a, b in found], have)


@dataclass(frozen=True)
class Defence:
    """Without an inference-time defence minus with it, mean over the defended points."""

    name: str

    def build(self, grid: Grid, have: set[Run]) -> Built:
        if self.name not in grid.defences:
            return Built([], [])
        return _mean_of_pairs(
            [((point, NONE), (point, self.name)) for point in grid.defended], have
        )


@dataclass(frozen=True)
class Best:
    """Each of the others minus the one that is said to be best (lowest), mean over the kinds of duplication."""

    name: str
    others: tuple[str, ...]
    training: bool

    def build(self, grid: Grid, have: set[Run]) -> Built:
        contrasts, missing, uncompared = [], [], []
        for other in self.others:
            if self.training:
                found = comparisons.pairs(grid.table, grid.base, "mitigation", other, self.name)
                runs = [((a, NONE), (b, NONE)) for a, b in found]
            else:
                known = self.name in grid.defences and other in grid.defences
                runs = [((p, other), (p, self.name)) for p in grid.defended] if known else []
            built = _mean_of_pairs(runs, have)
            contrasts += built.contrasts
            missing += built.missing
            uncompared += [] if built.contrasts else [other]
        return Built(contrasts, list(dict.fromkeys(missing)), tuple(uncompared))


@dataclass(frozen=True)
class Alone:
    """One measure itself, mean over runs, minus a reference: of all points without captions, say.

    points : "base" (as the base but for copies), "shadows", "users", "mitigated:mc" or "defended:rt"
    """

    points: str = "base"

    def runs(self, grid: Grid) -> list[Run]:
        kind, _, name = self.points.partition(":")
        if kind in TOGETHER:
            return [(kind, NONE)]
        if kind == "defended":
            return [(p, name) for p in grid.defended if name in grid.defences]
        where = {"mitigation": name} if kind == "mitigated" else {}
        some = comparisons.at_base(grid.table, grid.base, ("copies",), where)
        return [(point, NONE) for point in some.index.unique()]  # `mc` stands under two kinds

    def build(self, grid: Grid, have: set[Run]) -> Built:
        runs = self.runs(grid)
        there = [run for run in runs if run in have]
        missing = [run for run in runs if run not in have]
        return Built([{run: 1 / len(there) for run in there}] if there else [], missing)


Design = Pairs | Kinds | Series | Mitigation | Defence | Best | Alone
