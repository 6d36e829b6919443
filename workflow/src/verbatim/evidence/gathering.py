"""Images of each candidate for the review page, read from a model's archives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from verbatim.evidence.panels import label_panels, placed_panels
from verbatim.io.images import ImageArchive, ImageError, generation_name, row_name
from verbatim.io.privacy import Privacy, blur


@dataclass(frozen=True)
class PanelSettings:
    """size : side of a panel, pixels. alpha : q-value up to which the verifier's find is shown. privacy : what of each
    prompt's images is."""

    size: int
    alpha: float
    privacy: Privacy


def read_mask(masks: ImageArchive, name: str) -> np.ndarray:
    """A template mask as (s, s) bool."""
    return masks.read(name)[:, :, 0] > 0.5


def read_pair(
    images: ImageArchive, training: ImageArchive, one: Mapping[Any, Any], level: str
) -> tuple[np.ndarray, np.ndarray]:
    """Generation and training image, (h, w, 3) each, that a row of `labels` or `verification` is about."""
    made = images.read(generation_name(int(one["prompt_id"]), int(one["seed"])))
    source = training.read(row_name(int(one["source_row"])))
    return (made, source) if level == "full" else (blur(made), blur(source))


def model_panels(
    labels: pd.DataFrame,
    verification: pd.DataFrame,
    images: ImageArchive,
    training: ImageArchive,
    masks: ImageArchive,
    settings: PanelSettings,
) -> Iterator[tuple[int, np.ndarray]]:
    """(prompt_id, panels) of every candidate that has a generation and a training image to show.

    A second row of panels shows what the verifier found, where its q-value is at most `alpha`. What may be shown
    blurred alone is blurred before anything is made of it, and its mask is left out.
    """
    of_prompt = {one["prompt_id"]: one for one in verification.to_dict("records")}
    size = settings.size
    for label in labels.to_dict("records"):
        prompt_id = int(label["prompt_id"])
        level = settings.privacy.level_of(prompt_id)
        if level == "none" or label["source_row"] < 0:
            continue
        try:
            is_template = label["label"] == "TV" and level == "full"
            mask = read_mask(masks, label["mask_file"]) if is_template else None
            pair = read_pair(images, training, label, level)
            lines = [label_panels(*pair, label["crop"], mask, size)]
            found = of_prompt[prompt_id]
            if found["q"] <= settings.alpha:
                pair = read_pair(images, training, found, level)
                lines.append(placed_panels(*pair, found["crop"], found, size))
        except (KeyError, ImageError):
            continue  # the page says so: the record has no image
        yield prompt_id, np.concatenate(lines)
