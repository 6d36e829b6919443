"""Generations for prompts that nobody picked: planted, held-out, and only frequent.

A detector's area under the curve says little on a model that cannot draw: look here first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from verbatim.figures.image_grid import Example, plot_grid
from verbatim.io.image_store import Images
from verbatim.io.images import ImageArchive, generation_name
from verbatim.io.privacy import Privacy

KINDS = {
    "full": "Planted, full duplicates",
    "held_out": "Held out, matched to planted",
    "repeated": "Repeated caption",
}


@dataclass
class Drawn:
    """Generations of one prompt; images (h, w, 3) in [0, 1].

    image is the caption's own, None for a caption with many; one_step None if the cascade
    dropped the prompt; all are None where they may not be shown.
    """

    caption: str
    verdict: str
    score: float
    image: np.ndarray | None
    one_step: np.ndarray | None
    generations: list[np.ndarray | None]


@dataclass(frozen=True)
class Reader:
    """Where one model's images are, and what of them may be shown.

    privacy : what may be shown. own : caption -> the caption's own image, (h, w, 3) in [0, 1]. one_step, one_step_seed :
    one-step generations, of which the prompt's at this seed is shown where there is one. full, seeds : full generations.
    """

    privacy: Privacy
    own: Callable[[str], np.ndarray]
    one_step: Images
    one_step_seed: int
    full: ImageArchive
    seeds: Sequence[int]

    def read(self, chosen: pd.DataFrame, column: str) -> dict[str, list[Drawn]]:
        """kind -> its chosen prompts in their order; `column` of `chosen` is the score."""
        drawn: dict[str, list[Drawn]] = {kind: [] for kind in KINDS}
        for row in chosen.to_dict("records"):
            key, name = row["prompt_id"], generation_name(row["prompt_id"], self.one_step_seed)
            own = None if row["kind"] == "repeated" else self.own(row["caption"])
            shown = [own, self.one_step.read(name) if name in self.one_step else None]
            shown += [self.full.read(generation_name(key, seed)) for seed in self.seeds]
            own, quick, *full = (self.privacy.image(key, one) for one in shown)
            one = Drawn(row["caption"], row["verdict"], row[column], own, quick, full)
            drawn[row["kind"]].append(one)
        return drawn


def choose_prompts(prompts: pd.DataFrame, n: int) -> pd.DataFrame:
    """The first `n` prompts of each kind in the order of their key, which is a hash, so that nobody chooses them.

    prompts : model's rows of `tables/detectors.csv`; those that were not judged have no generation.
    """
    judged = prompts[prompts["verdict"].notna() & prompts["kind"].isin(list(KINDS))]
    return judged.sort_values("prompt_id").groupby("kind", sort=False).head(n)


def plot_unpicked(models: dict[str, dict[str, list[Drawn]]], seeds: list[int]) -> Figure:
    """Unpicked prompts of every model (rows) and kind (blocks): own image, one step, full generations.

    Parameters
    ----------
    models : name in Table 1 -> kind (full, held_out, repeated) -> prompts
    seeds : of the generations, as many as each prompt has
    """
    columns = ("own image", "one step", *(f"seed {seed}" for seed in seeds))
    groups: dict[str, dict[str, list[Example]]] = {}
    for name, found in models.items():
        groups[name] = {
            title: [
                Example(
                    [one.image, one.one_step, *one.generations],
                    one.caption,
                    f"{one.verdict}, DCS {one.score:.3g}",
                )
                for one in found.get(kind, [])
            ]
            for kind, title in KINDS.items()
        }
    return plot_grid(dict.fromkeys(KINDS.values(), columns), groups)
