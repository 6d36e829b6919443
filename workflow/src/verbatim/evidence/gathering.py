"""Pictures of each candidate for the review page, read from a model's archives."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from verbatim.evidence.panels import label_panels, placed_panels
from verbatim.images import ImageArchive, ImageError, row_name, synthesis_name


def read_mask(masks: ImageArchive, name: str) -> np.ndarray:
    """A template mask as (s, s) bool."""
    return masks.read(name)[:, :, 0] > 0.5


def model_panels(
    labels: pd.DataFrame,
    verification: pd.DataFrame,
    images: ImageArchive,
    training: ImageArchive,
    masks: ImageArchive,
    size: int,
    alpha: float,
) -> Iterator[tuple[int, np.ndarray]]:
    """(prompt_id, panels) of every candidate that has a synthesis and a training picture to show.

    A second row of panels shows what the verifier found, where its q-value is at most `alpha`.
    """
    of_prompt = verification.set_index("prompt_id").to_dict("index")
    for label in labels.to_dict("records"):
        prompt_id = int(label["prompt_id"])
        try:
            if label["source_row"] < 0:
                continue
            mask = read_mask(masks, label["mask_file"]) if label["label"] == "TV" else None
            generation = images.read(synthesis_name(prompt_id, int(label["seed"])))
            source = training.read(row_name(int(label["source_row"])))
            lines = [label_panels(generation, source, label["crop"], mask, size)]
            found = of_prompt[prompt_id]
            if found["q"] <= alpha:
                generation = images.read(synthesis_name(prompt_id, int(found["seed"])))
                source = training.read(row_name(int(found["source_row"])))
                lines.append(placed_panels(generation, source, found["crop"], found, size))
        except (KeyError, ImageError):
            continue  # the page says so: the record has no picture
        yield prompt_id, np.concatenate(lines)
