"""The training images that the generations of a prompt are compared with."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import pandas as pd

from verbatim.io.images import ImageError
from verbatim.io.seals import DamagedError
from verbatim.metrics.rmse import fit_square

KEPT_BYTES = 500_000_000  # of squares that stay in memory: prompts of one cluster share them


class Squares(NamedTuple):
    """Training images as squares; an image that is not square has one entry for each way of making it square.

    rows (t,) int64, crops (t,), own (t,) bool: the row's caption is the prompt's; images (t, s, s, 3).
    """

    rows: np.ndarray
    crops: list[str]
    own: np.ndarray
    images: np.ndarray


class FetchedImages:
    """Fetched training images by row, read when asked for.

    Parameters
    ----------
    read : image (h, w, 3) of a member name; raises KeyError or ImageError.
    fetched : a `fetched` table.
    size : side of the squares, pixels.

    Attributes
    ----------
    size : as given. unreadable : row -> reason, of the rows that were asked for and could not be used.
    """

    def __init__(
        self,
        read: Callable[[str], np.ndarray],
        fetched: pd.DataFrame,
        size: int,
    ):
        self._read, self.size = read, size
        keep = max(64, KEPT_BYTES // (size * size * 3 * 4 * 3))  # three crops of float32
        self._fetched = {int(record["row"]): record for record in fetched.to_dict("records")}
        self.unreadable: dict[int, str] = {}
        self._squares = lru_cache(maxsize=keep)(self._load)

    def __contains__(self, row: int) -> bool:
        return row in self._fetched

    def _load(self, row: int) -> dict[str, np.ndarray]:
        record = self._fetched.get(row)
        if record is None or record["status"] != "ok":
            self.unreadable[row] = "not fetched" if record is None else str(record["reason"])
            return {}
        try:
            return fit_square(self._read(record["member"]), self.size)
        except KeyError as err:
            raise DamagedError(
                record["member"],
                "`fetched` lists it, and the archive of training images does not hold it",
                "delete the model's training.zip and fetched.parquet, and run the same command again",
            ) from err
        except ImageError as err:
            self.unreadable[row] = f"{record['member']}: {err}"
            return {}

    def squares(self, rows: Iterable[int], caption: str, own_row: int) -> Squares:
        """The readable images of `rows`; a row that cannot be read is recorded in `unreadable` and left out."""
        found: list[int] = []
        crops: list[str] = []
        images: list[np.ndarray] = []
        for row in dict.fromkeys(rows):
            for crop, image in self._squares(row).items():
                found.append(row)
                crops.append(crop)
                images.append(image)
        own = [row == own_row or self._fetched[row]["caption"] == caption for row in found]
        empty = np.zeros((0, self.size, self.size, 3), dtype=np.float32)
        return Squares(
            np.array(found, dtype=np.int64),
            crops,
            np.array(own, dtype=bool),
            np.stack(images) if images else empty,
        )


def related_rows(relatives: pd.DataFrame) -> dict[int, list[int]]:
    """Row -> rows of a `relatives` table that may show its template or another version of it."""
    ordered = relatives.sort_values(["row", "order"])
    return dict(ordered.groupby("row")["relative"].agg(list).items())  # type: ignore[arg-type]  # int keys


def rows_of_prompt(
    own_row: int,
    neighbours: Iterable[int],
    related: Mapping[int, list[int]],
    fetched: FetchedImages,
) -> list[int]:
    """Rows that a prompt's generations are compared with: its own, its neighbours, and the relatives of both.

    Relatives are included only if they were fetched. The own row and the neighbours are always included, so that
    they count as unreadable if they were not fetched. -1 is no row.
    """
    asked = [row for row in dict.fromkeys([own_row, *neighbours]) if row >= 0]
    more = [row for base in asked for row in related.get(base, ()) if row in fetched]
    return list(dict.fromkeys([*asked, *more]))


class ComparedRows:
    """Training rows that each prompt's generations are compared with, by `rows_of_prompt`.

    neighbours, relatives : tables of these names. fetched : the images that can be read.
    """

    def __init__(
        self, neighbours: pd.DataFrame, relatives: pd.DataFrame, fetched: FetchedImages
    ) -> None:
        near = neighbours.sort_values(["order", "seed"])
        self._near = near.groupby("prompt_id")["row"].agg(list).to_dict()
        self._related, self._fetched = related_rows(relatives), fetched

    def of_prompt(self, prompt_id: int, own_row: int) -> list[int]:
        """The rows of a prompt, whose own row may be -1."""
        near = self._near.get(prompt_id, ())
        return rows_of_prompt(own_row, near, self._related, self._fetched)
