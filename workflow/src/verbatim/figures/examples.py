"""Examples of one model with their images, read from its archives, for the figures that show them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from verbatim.figures.fig1_generations import Generation, choose_generations
from verbatim.figures.image_grid import Example
from verbatim.figures.near_misses import choose_near_misses
from verbatim.figures.triples import LABELS, Triple, choose_examples
from verbatim.io.image_store import Images
from verbatim.io.images import ImageArchive, generation_name, row_name
from verbatim.io.privacy import Privacy


def _read(archive: ImageArchive | Images | None, name: str) -> np.ndarray | None:
    """An image (h, w, 3) in [0, 1], or None if there is none."""
    return archive.read(name) if archive is not None and name in archive else None


@dataclass
class Finds:
    """What labelling a model left.

    labels : a `labels` table. images, training, masks : generations, training images, template masks.
    verification : a table of this name. scores, one_step : the `blackbox` table and its images; None for a model that
    was not attacked. privacy : what of each prompt's images is shown.
    """

    labels: pd.DataFrame
    images: ImageArchive
    training: ImageArchive
    masks: ImageArchive
    verification: pd.DataFrame
    scores: pd.DataFrame | None = None
    one_step: Images | None = None
    privacy: Privacy = field(default_factory=Privacy)

    def pair(self, row: pd.Series) -> tuple[np.ndarray | None, np.ndarray | None]:
        """The generation that a row's label is about, and its source, as they may be shown."""
        key = row["prompt_id"]
        generated = self.images.read(generation_name(key, row["seed"]))
        source = self.training.read(row_name(row["source_row"]))
        return self.privacy.image(key, generated), self.privacy.image(key, source)

    def _one_step(self, key: int, seed: int) -> np.ndarray | None:
        return self.privacy.image(key, _read(self.one_step, generation_name(key, seed)))

    def triple(self, row: pd.Series, seed: int) -> Triple:
        """A copy; its one-step image is that of `seed`."""
        key = row["prompt_id"]
        mask = self.masks.read(row["mask_file"]) if row["label"] == "TV" else None
        return Triple(
            row["caption"],
            row["distance"],
            *self.pair(row),
            None if mask is None else self.privacy.mask(key, mask[:, :, 0] > 0.5),
            self._one_step(key, seed),
            row["crop"],
        )

    def triples(self, n: int, seed: int) -> dict[str, list[Triple]]:
        """`n` copies of each label, spread from the closest to the furthest."""
        found: dict[str, list[Triple]] = {label: [] for label in LABELS}
        for _, row in choose_examples(self.labels, n).iterrows():
            found[row["label"]].append(self.triple(row, seed))
        return found

    def templates(self) -> list[Triple]:
        """The closest, the median and the furthest template."""
        return self.triples(3, 0)["TV"]

    def generations(self, seeds: dict[str, list[int]]) -> dict[str, Generation]:
        """One prompt of each kind that has one-step images, with its generations of these seeds."""
        assert self.scores is not None
        found = {}
        for label, row in choose_generations(self.labels, self.scores).items():
            key = row["prompt_id"]
            own = row_name(row["row"] if label == "N" else row["source_row"])
            training = _read(self.training, own)
            if training is None:
                training = _read(self.training, row_name(row["source_row"]))
            found[label] = Generation(
                row["caption"],
                f"{label}, distance {row['distance']:.3f} (seed {row['seed']}), ECS {row['ecs']:.3f}",
                self.privacy.image(key, training),
                [self._one_step(key, seed) for seed in seeds["one_step"]],
                [
                    self.privacy.image(key, _read(self.images, generation_name(key, seed)))
                    for seed in seeds["full"]
                ],
            )
        return found

    def near_misses(self, n: int, threshold: float) -> dict[str, list[Example]]:
        """`n` of each kind of near miss."""
        chosen = choose_near_misses(self.labels, self.verification, n, threshold)
        return {
            title: [
                Example([*self.pair(row)], row["caption"], row["facts"])
                for _, row in some.iterrows()
            ]
            for title, some in chosen.items()
        }
