"""What the guard sees of an output before it is let out, and what a second judge says that the guard never asks.

The check is that of the labels, on one generation: nearest training images by embedding, then pixels. The second judge is the
verifier's residual of structure at the best placement (Webster 2023, Fig. 5), which has other faults than a distance of
pixels; and CLIP says how well a generation still fits its prompt (CLIP score: Hessel et al. 2021).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
import pandas as pd

from verbatim.evidence.matching import Search
from verbatim.io.image_store import Images
from verbatim.io.images import ImageArchive, ImageError, generation_name, resize
from verbatim.labels.checking import Checked, Checker

NONE = "none"  # the generation without a defence
NAN = float("nan")


class Outputs:
    """Every generation that can be read: those of the model, and those behind each defence of what alarms.

    Use as a context manager.

    Parameters
    ----------
    images : archive of the model's generations. guarded : defence -> `archives` table of its generations. alarms : a
    `guard_alarms` table. prompts : prompt_id, caption, row.

    Attributes
    ----------
    table
        prompt_id, seed, defence, caption, row, a line an image, in the order in which images are read.
    unreadable
        Generations that are left out because there is no image that can be read.
    """

    def __init__(
        self,
        images: str | Path,
        guarded: Mapping[str, str | Path],
        alarms: pd.DataFrame,
        prompts: pd.DataFrame,
    ):
        self._made = ImageArchive(images)
        self._guarded = {name: Images(path) for name, path in guarded.items()}
        keys = ["prompt_id", "seed"]
        stopped = alarms.loc[alarms["alarm"], keys]
        parts = [alarms[keys].assign(defence=NONE)]
        parts += [stopped.assign(defence=name) for name in guarded]
        table = pd.concat(parts, ignore_index=True).merge(prompts, on="prompt_id")
        there = np.array([self._read(one) is not None for one in table.to_dict("records")], bool)
        self.unreadable = int((~there).sum())
        self.table = table[there].reset_index(drop=True)

    def _read(self, one: Mapping[Any, Any]) -> np.ndarray | None:
        name = generation_name(int(one["prompt_id"]), int(one["seed"]))
        archive = self._made if one["defence"] == NONE else self._guarded[one["defence"]]
        try:
            return archive.read(name)
        except (KeyError, ImageError):
            return None

    def __iter__(self) -> Iterator[tuple[Mapping[Any, Any], np.ndarray]]:
        """Each line of the table with its image (h, w, 3) in [0, 1]."""
        for one in self.table.to_dict("records"):
            image = self._read(one)
            assert image is not None  # it was read before
            yield one, image

    def images(self) -> Iterator[np.ndarray]:
        """The images (h, w, 3) in [0, 1] alone."""
        return (image for _, image in self)

    def __enter__(self) -> Outputs:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        err: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._made.close()
        for images in self._guarded.values():
            images.close()


def clip_scores(images: np.ndarray, texts: np.ndarray, of_image: np.ndarray) -> np.ndarray:
    """Cosine of each image with its prompt, (n,).

    images : (n, d) of unit length. texts : (m, d) of unit length. of_image : (n,) int, the text of each image.
    """
    return np.einsum("ij,ij->i", images, texts[of_image])


def checked_record(checked: Checked) -> dict[str, Any]:
    """The columns of a `guard_checks` row that the check fills."""
    record = checked.record
    return {
        "label": record["label"], "source_row": int(record["source_row"]), "distance": record["distance"],
        "review_reason": record["review_reason"], "copy": checked.is_copy,
        "nearest": checked.nearest[0].distance if checked.nearest else NAN,
    }  # fmt: skip


def check_outputs(
    check: Checker,
    generations: Iterable[tuple[Mapping[Any, Any], np.ndarray]],
    near: Sequence[Sequence[int]],
) -> list[dict[str, Any]]:
    """Rows of a `guard_checks` table without the second judge and the CLIP score.

    Parameters
    ----------
    generations : what is known of each (prompt_id, seed, defence, caption, row), and its image (h, w, 3).
    near : rows of the neighbours of each, the nearest first.
    """
    rows = []
    for (one, image), own in zip(generations, near, strict=True):
        key = {name: one[name] for name in ("prompt_id", "seed", "defence")}
        found = check(image, own, str(one["caption"]), int(one["row"]))
        rows.append(key | checked_record(found))
    return rows


def least_residuals(
    search: Search,
    squares: Callable[[int], list[np.ndarray]],
    images: Iterable[np.ndarray],
    near: Sequence[Sequence[int]],
    watch: Callable[[Iterable[int]], Iterable[int]] = iter,
) -> np.ndarray:
    """Least residual of each image to the training images of `near`, (n,); inf where none could be compared.

    Parameters
    ----------
    squares : a row's squares (s, s, 3), one or several ways to make it square; empty if it cannot be read. images : (h, w, 3)
    each. near : rows of each. watch : wraps the loop over rows, for progress.
    """
    size = search.settings.size
    small = [resize(image, size, size) for image in images]
    least = np.full(len(small), np.inf)
    if not small:
        return least
    ready = search.prepare(np.stack(small))
    pairs = pd.DataFrame(
        [(i, row) for i, rows in enumerate(near) for row in rows], columns=["image", "row"]
    )
    grouped = {int(row): of["image"].to_numpy() for row, of in pairs.groupby("row")}  # type: ignore[arg-type]
    for row in watch(sorted(grouped)):
        if found := squares(row):
            at = grouped[row]
            residual = search.compare(found, ready.take(at)).residual
            least[at] = np.minimum(least[at], residual)
    return least
