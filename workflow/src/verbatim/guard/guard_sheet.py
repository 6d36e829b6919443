"""Generations without and with the guard, side by side, for a look that no threshold decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

import numpy as np
import pandas as pd

from verbatim.guard.outcomes import COPIED
from verbatim.io.images import ImageError, generation_name
from verbatim.io.privacy import Privacy, show_image


class Readable(Protocol):
    """An archive of images by name."""

    def read(self, name: str) -> np.ndarray: ...


def sample_generations(outcomes: pd.DataFrame, shown: int, seed: int) -> pd.DataFrame:
    """Generations that alarm, at random, half of them of copied prompts and half of others: prompt_id, seed.

    outcomes : a `guard_outcomes` table. Each source and each prompt is there once.
    """
    rng = np.random.default_rng([seed, 14])
    table = outcomes[outcomes["regenerated"]].drop_duplicates(["prompt_id", "seed"])
    table = table.iloc[rng.permutation(len(table))].drop_duplicates("unit")
    copied = table[table["group"] == COPIED]
    others = table[table["group"] != COPIED]
    half = max(shown // 2, shown - len(others))
    both = pd.concat([copied.head(half), others.head(shown - min(half, len(copied)))])
    return both[["prompt_id", "seed"]].reset_index(drop=True)


def list_panels(
    chosen: pd.DataFrame,
    checks: pd.DataFrame,
    archives: Mapping[str, Readable],
    squares: Callable[[int], list[np.ndarray]],
    privacy: Privacy,
) -> list[tuple[np.ndarray | None, np.ndarray | None]]:
    """Pairs of a generation and the training image nearest to it, in lines: without a defence, then behind each.

    Parameters
    ----------
    chosen : prompt_id, seed. checks : a `guard_checks` table. archives : defence -> its generations, `none` first.
    squares : row -> squares of its image.
    """
    source = checks.set_index(["prompt_id", "seed", "defence"])["source_row"]
    panels: list[tuple[np.ndarray | None, np.ndarray | None]] = []
    for key, seed in chosen[["prompt_id", "seed"]].itertuples(index=False, name=None):
        level = privacy.level_of(key)
        for defence, archive in archives.items():
            try:
                made = archive.read(generation_name(key, seed))
            except (KeyError, ImageError):
                panels.append((None, None))
                continue
            row = int(source.get((key, seed, defence), -1))
            found = squares(row) if row >= 0 else []
            panels.append((show_image(made, level), show_image(found[0] if found else None, level)))
    return panels
