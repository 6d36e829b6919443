"""Compare single generations with the training images near them: which is nearest, and is it a copy?

The measures, thresholds, masks and guards are those of the labels, which judge all seeds of a prompt together; here each
generation is judged alone, so that it can be let out or withheld.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from verbatim.io.images import ImageError, resize, row_name
from verbatim.io.records import read_table
from verbatim.io.training_images import TrainingImages
from verbatim.labels.fetched_images import FetchedImages, rows_of_prompt
from verbatim.labels.label import LabelSettings, label_generations
from verbatim.labels.masks import MaskSettings
from verbatim.metrics.degenerate_images import GuardSettings
from verbatim.metrics.rmse import rmse

COPIES = ("MV", "RV", "TV")
FOUND = (
    "label", "source_row", "distance", "crop", "distance_mv", "distance_rv", "distance_tv", "mask_area", "review",
    "review_reason",
)  # fmt: skip


class Near(NamedTuple):
    """A training image beside a generation: its row, the RMSE of its nearest crop in [0, 1], and that crop."""

    row: int
    distance: float
    crop: str


class Checked(NamedTuple):
    """record : the columns `FOUND` of the `labels` table. nearest : the training images that were compared, nearest first."""

    record: dict[str, Any]
    nearest: list[Near]

    @property
    def is_copy(self) -> bool:
        """Whether the labels call it a copy; one that a guard sets aside is a copy here, so that nobody lets it out unseen."""
        return self.record["label"] in COPIES


@dataclass(frozen=True)
class Checker:
    """Compares one generation at a time.

    images : training images by row. related : row -> rows that may show its template. size : side of the squares, pixels.
    """

    images: FetchedImages
    related: Mapping[int, list[int]]
    size: int
    settings: LabelSettings

    def __call__(
        self, image: np.ndarray, near: Sequence[int], caption: str = "", row: int = -1
    ) -> Checked:
        """What the labels would say of this generation alone.

        Parameters
        ----------
        image : (h, w, 3) in [0, 1]. near : rows of its neighbours by embedding. caption, row : of its prompt; a prompt that is
        in no training set has the row -1.
        """
        rows = rows_of_prompt(row, near, self.related, self.images)
        squares = self.images.squares(rows, caption, row)
        made = resize(image, self.size, self.size)[None]
        record, _ = label_generations(made, [0], squares, self.settings)
        best: dict[int, Near] = {}
        if len(squares.rows):
            apart = rmse(made, squares.images)[0]
            for i in np.argsort(apart, kind="stable").tolist():
                at = int(squares.rows[i])
                best.setdefault(at, Near(at, float(apart[i]), squares.crops[i]))
        return Checked({name: record[name] for name in FOUND}, list(best.values()))


def read_settings(params: Any) -> LabelSettings:
    """The settings of the labels, from a rule's params preset, thresholds, order, mask and guards."""
    thresholds = {kind.upper(): value for kind, value in params.thresholds.items()}
    mask, guards = MaskSettings(**params.mask), GuardSettings(**params.guards)
    return LabelSettings(params.preset, thresholds, params.order, mask, guards)


def find_training_rows(paths: Iterable[str], rows: Iterable[int]) -> pd.DataFrame:
    """The lines of the `rows` tables of all shards for these rows; -1 is no row."""
    wanted = sorted({int(row) for row in rows if row >= 0}) or [-1]
    return pd.concat(
        [read_table(path, "rows", filters=[("row", "in", wanted)]) for path in paths],
        ignore_index=True,
    )


def read_wanted(rows: pd.DataFrame, archives: TrainingImages, size: int) -> FetchedImages:
    """Training images that are read from their archives as they are asked for.

    rows : columns row, caption, archive, member, of every row that may be asked for. An image that cannot be read is recorded
    in `unreadable`.
    """
    places: dict[str, tuple[str, str]] = {
        row_name(row): (archive, member)
        for row, archive, member in zip(rows["row"], rows["archive"], rows["member"], strict=True)
    }

    def read(name: str) -> np.ndarray:
        got = archives.read(*places[name])
        if got.image is None:
            raise ImageError(got.reason)
        return got.image

    names = [row_name(row) for row in rows["row"]]
    fetched = rows[["row", "caption"]].assign(member=names, status="ok", reason="")
    return FetchedImages(read, fetched, size)


def squares_of(
    rows: pd.DataFrame, archives: TrainingImages, size: int
) -> Callable[[int], list[np.ndarray]]:
    """A function from a row of `read_wanted` to the squares (size, size, 3) of its image; none where it cannot be read."""
    images = read_wanted(rows, archives, size)
    return lambda row: list(images.squares([row], "", -1).images)


def embed_generations(
    embed: Callable[[np.ndarray, int], np.ndarray],
    images: Iterable[np.ndarray],
    size: int,
    batch: int,
) -> np.ndarray:
    """Embeddings (n, d) of generations (h, w, 3), `batch` at a time; (0, 0) of none.

    embed : images (k, size, size, 3) in [0, 1], and at most how many at once -> (k, d) of unit length.
    """
    out: list[np.ndarray] = []
    waiting: list[np.ndarray] = []
    for image in images:
        waiting.append(resize(image, size, size))
        if len(waiting) == batch:
            out.append(embed(np.stack(waiting), batch))
            waiting = []
    if waiting:
        out.append(embed(np.stack(waiting), batch))
    return np.concatenate(out) if out else np.zeros((0, 0), np.float32)
