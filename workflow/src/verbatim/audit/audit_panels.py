"""The images beside what came back: what the page of an audit shows of each verdict."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from verbatim.audit.audit_report import embed
from verbatim.evidence.placements import place
from verbatim.io.image_store import Images
from verbatim.io.images import ImageArchive, ImageError, generation_name, resize, row_name
from verbatim.io.privacy import Privacy
from verbatim.metrics.rmse import fit_square
from verbatim.metrics.template_masks import template_mask

DIM = 0.25  # ASSUME: brightness of what is not shared, so that the shared part is seen in its surroundings


class Panels:
    """The images of a card: the user's, the nearest generation, and what of the two was compared.

    Parameters
    ----------
    pairs : an `audit_pairs` table. size : side of the squares that were compared, pixels. mask : settings of
    `template_mask`, with difference, erode, dilate.
    """

    def __init__(
        self,
        archive: ImageArchive,
        generations: Images,
        pairs: pd.DataFrame,
        privacy: Privacy,
        size: int,
        mask: Mapping[str, Any],
    ):
        self._archive, self._generations, self._privacy = archive, generations, privacy
        self._size, self._mask = size, mask
        self._pairs = {
            (one["image"], one["prompt_id"], one["seed"]): one for one in pairs.to_dict("records")
        }

    def __call__(self, row: Mapping[Any, Any]) -> dict[str, str]:
        """Name -> source of an <img>; "" where the image may not be shown."""
        image = self._archive.read(row_name(int(row["image"])))
        key = int(row["prompt_id"])
        shown: dict[str, np.ndarray | None] = {"image": image}
        try:
            made = self._generations.read(
                generation_name(int(row["shown_prompt"]), int(row["seed"]))
            )
        except (KeyError, ImageError):
            made = None
        if made is not None:
            shown["generation"] = made
            shown["compared"] = self._compared(row, image, made)
        return {name: embed(self._privacy.image(key, one)) for name, one in shown.items()}

    def _compared(
        self, row: Mapping[Any, Any], image: np.ndarray, made: np.ndarray
    ) -> np.ndarray | None:
        """Of a copy: how the two differ where they were compared, or the shared part alone; None of no copy."""
        if row["verdict"] == "no_copy":
            return None
        pair = self._pairs[int(row["shown_image"]), int(row["shown_prompt"]), int(row["seed"])]
        square = resize(made, self._size, self._size)
        if row["how"] == "template":
            own = fit_square(image, self._size)[pair["masked_crop"]]
            partner = self._archive.read(row_name(int(pair["partner"])))
            other = fit_square(partner, self._size)[pair["partner_crop"]]
            how = self._mask
            mask = template_mask(own, other, how["difference"], how["erode"], how["dilate"])
            return np.where(mask[:, :, None], square, DIM * square)
        if row["how"] == "exact":
            return 1 - np.abs(square - fit_square(image, self._size)[pair["crop"]])
        own = fit_square(image, self._size)[pair["placed_crop"]]
        side, top, left = (round(pair[name] * self._size) for name in ("side", "top", "left"))
        placed, mask = place(own, self._size, side, top, left, bool(pair["flip"]))
        return np.where(mask[:, :, None], 1 - np.abs(square - placed), DIM)
