"""An audit's comparison from its archives: every image with the generations of its captions, and with unrelated ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from verbatim.audit.nearest import Blocks, NearSettings, compare_placed, compare_whole
from verbatim.audit.related_images import Relations, relate_images
from verbatim.audit.screening import small_square
from verbatim.evidence.matching import Search
from verbatim.evidence.null import empirical_p
from verbatim.io.image_store import Images
from verbatim.io.images import ImageArchive, ImageError, generation_name, resize, row_name
from verbatim.labels.masks import MaskSettings
from verbatim.metrics.rmse import fit_square

CACHED = 1_000_000_000  # ASSUME: bytes of squares that stay in memory, a quarter of what the job asks for
CROPS = 3  # most squares of an image, see `fit_square`

Watch = Callable[[Sequence[int], str], Iterable[int]]


@dataclass(frozen=True)
class Setup:
    """seeds : of every caption. size : side of the squares whose RMSE is taken, pixels. search, mask, near : settings."""

    seeds: Sequence[int]
    size: int
    search: Search
    mask: MaskSettings
    near: NearSettings


def kept_squares(size: int) -> int:
    """How many images' squares of `size` pixels stay in memory: one at least, `CACHED` bytes at most."""
    return max(1, CACHED // (CROPS * size * size * 3 * np.dtype(np.float32).itemsize))


class Comparison:
    """The images and captions of an audit by place: images that can be tested, each group of duplicates once.

    Parameters
    ----------
    images : an `audit_images` table. prompts : a `selection` table, reference captions among them.
    archive : the images' archive. generations : of all captions. scratch : folder for what does not fit in memory.
    """

    def __init__(
        self,
        images: pd.DataFrame,
        prompts: pd.DataFrame,
        archive: ImageArchive,
        generations: Images,
        setup: Setup,
        scratch: Path,
    ):
        self.setup, self._archive, self._generations = setup, archive, generations
        self._scratch = scratch
        tested = images[images["status"].eq("ok")]
        self.captions = prompts["prompt_id"].tolist()
        place = {key: i for i, key in enumerate(self.captions)}
        group = tested["image"].where(tested["duplicate_of"] < 0, tested["duplicate_of"])
        self.images = sorted(set(group.tolist()))
        at = {image: i for i, image in enumerate(self.images)}
        self.own: list[list[int]] = [[] for _ in self.images]
        for image, prompt_id in zip(group.tolist(), tested["prompt_id"].tolist(), strict=True):
            if place[prompt_id] not in self.own[at[image]]:
                self.own[at[image]].append(place[prompt_id])
        size = max(setup.size, setup.search.settings.size)
        self._squares = lru_cache(maxsize=kept_squares(size))(self._load)
        self._lost: dict[
            int, str
        ] = {}  # place of a caption -> why its first missing generation is missing

    def _load(self, i: int, size: int) -> dict[str, np.ndarray]:
        return fit_square(self._archive.read(row_name(self.images[i])), size)

    def relate(self, watch: Watch) -> Relations:
        """Partners and families of the images."""
        vectors = np.stack([small_square(self._archive.read(row_name(i))) for i in self.images])
        return relate_images(
            vectors,
            np.arange(len(self.images)),
            lambda i: self._squares(i, self.setup.size),
            self.setup.mask,
            lambda items: watch(items, "blocks of related images"),
        )

    def whole(
        self, relations: Relations, watch: Watch
    ) -> tuple[dict[tuple[int, int, int], dict[str, Any]], Blocks]:
        """`compare_whole` of (image, caption, place of the seed), and the generations for the placements."""
        setup, n = self.setup, len(self.setup.seeds)
        size = setup.search.settings.size
        fine = np.memmap(
            self._scratch / "fine.float32", np.float32, "w+",
            shape=(len(self.captions), n, size, size, 3),
        )  # fmt: skip
        readable = np.zeros((len(self.captions), n), dtype=bool)
        shown: dict[int, list[int]] = {}
        for i, captions in enumerate(self.own):
            for caption in captions:
                shown.setdefault(caption, []).append(i)
        rows = {}
        for caption in watch(range(len(self.captions)), "captions"):
            made, places = [], []
            for place, seed in enumerate(setup.seeds):
                try:
                    image = self._generations.read(generation_name(self.captions[caption], seed))
                except (KeyError, ImageError) as err:
                    self._lost.setdefault(caption, str(err) if isinstance(err, ImageError) else "")
                    continue
                fine[caption, place] = resize(image, size, size)
                readable[caption, place] = True
                made.append(resize(image, setup.size, setup.size))
                places.append(place)
            for i in shown.get(caption, ()) if made else ():
                squares = self._squares(i, setup.size)
                found = compare_whole(np.stack(made), squares, relations.partners[i], setup.near)
                for place, row in zip(places, found, strict=True):
                    if row["partner"] >= 0:
                        row["partner"] = self.images[row["partner"]]
                    rows[i, caption, place] = row
        return rows, Blocks(setup.search, fine, readable)

    def run(self, watch: Watch) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
        """Tables `audit_pairs`, `audit_tests` and `audit_null`."""
        relations = self.relate(watch)
        whole, blocks = self.whole(relations, watch)
        family_of: list[set[int]] = [set() for _ in self.captions]
        for i, captions in enumerate(self.own):
            for caption in captions:
                family_of[caption].add(int(relations.family[i]))
        pairs, tests, nulls = [], [], []
        residuals: list[tuple[int, float]] = []
        for i in watch(range(len(self.images)), "images"):
            family = int(relations.family[i])
            related = np.array([family in families for families in family_of], dtype=bool)
            squares = self._squares(i, self.setup.search.settings.size)
            own = np.array(self.own[i], dtype=int)
            if not blocks.readable[own].any():
                why = next((self._lost[int(one)] for one in own if self._lost.get(int(one))), "")
                tests.append(
                    {"image": self.images[i], "relative": np.inf, "n_unrelated": 0, "reason": why}
                )
                continue
            rows, relative, null, of_null = compare_placed(
                blocks, squares, own, related, self.setup.near
            )
            for row in rows:
                caption, place = row.pop("caption"), row.pop("place")
                key = {"prompt_id": self.captions[caption], "seed": self.setup.seeds[place]}
                pairs.append(
                    {"image": self.images[i]} | key | whole[i, caption, place] | _finite(row)
                )
            tests.append(
                {
                    "image": self.images[i],
                    "relative": relative,
                    "n_unrelated": len(null),
                    "reason": "",
                }
            )
            nulls.append(null)
            residuals += [(self.images[i], one) for one in of_null.tolist()]
        table = pd.DataFrame(residuals, columns=["image", "residual"])
        return pd.DataFrame(pairs), _with_p(tests, nulls), table


def _finite(row: Mapping[str, Any]) -> dict[str, Any]:
    """A residual of inf says nothing and is stored as NaN."""
    return {
        name: float("nan") if name in ("residual", "relative") and not np.isfinite(value) else value
        for name, value in row.items()
    }


def _with_p(tests: list[dict[str, Any]], nulls: list[np.ndarray]) -> pd.DataFrame:
    """`audit_tests`: p of each image over the null of all; NaN where it has no null of its own."""
    null = np.concatenate(nulls) if nulls else np.zeros(0)
    table = pd.DataFrame(tests, columns=["image", "relative", "n_unrelated", "reason"])
    relative = table["relative"].to_numpy(float)
    p = empirical_p(relative, null)
    table["p"] = np.where(table["n_unrelated"].to_numpy() > 0, p, np.nan)
    table["relative"] = np.where(np.isfinite(relative), relative, np.nan)
    table["n_null"] = len(null)
    return table
