"""A row of Table 1 that was asked for over HTTP beside the row by direct calls: the same prompts, seeds, steps, or not.

Webster 2023, Table 1, has a closed system, Midjourney v4, whose images came from its site. Where the same checkpoint can be
called directly too, images and labels of the two ways must be the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from verbatim.io.image_store import prompt_of
from verbatim.io.images import ImageArchive, ImageError, to_uint8
from verbatim.tables.table1 import COPIES, is_copy


def compare_images(asked: ImageArchive, direct: ImageArchive, prompts: set[int]) -> dict[str, Any]:
    """Images of the same prompt and seed, byte against byte.

    Parameters
    ----------
    asked, direct : archives whose members are named by prompt and seed.
    prompts : prompt_ids that are compared.

    Returns
    -------
    images : members that both have. alone : that one has alone, or that cannot be read. equal : of them equal in every pixel.
    largest : largest difference of a channel of a pixel, in grey levels of 255; NaN where no two could be compared.
    """
    of_asked, of_direct = (
        {name for name in archive.names() if name.endswith(".png") and prompt_of(name) in prompts}
        for archive in (asked, direct)
    )
    both, alone, equal, largest = 0, len(of_asked ^ of_direct), 0, -1
    for name in sorted(of_asked & of_direct):
        try:
            one, other = (to_uint8(archive.read(name)) for archive in (asked, direct))
        except ImageError:
            alone += 1
            continue
        both += 1
        apart = 255
        if one.shape == other.shape:
            apart = int(np.abs(one.astype(np.int16) - other).max(initial=0))
        equal += apart == 0
        largest = max(largest, apart)
    return {
        "images": both, "alone": alone, "equal": equal, "largest": largest if both else float("nan"),
    }  # fmt: skip


def compare_labels(asked: pd.DataFrame, direct: pd.DataFrame) -> dict[str, Any]:
    """Labels of two rows of Table 1, prompt by prompt, and the copies that each counts.

    Parameters
    ----------
    asked, direct : `labels` tables; extra prompts count too.

    Returns
    -------
    prompts : that both have. other_label : of them with another label, or set aside in one row alone.
    retrieved, template, exact, and each with `_direct` : copies, as Table 1 counts them without people's decisions.
    """
    columns = ["prompt_id", "label", "review"]
    both = asked[columns].merge(direct[columns], on="prompt_id", suffixes=("", "_direct"))
    same = both["label"].eq(both["label_direct"]) & both["review"].eq(both["review_direct"])
    counts: dict[str, Any] = {"prompts": len(both), "other_label": int((~same).sum())}
    for suffix, table in (("", asked), ("_direct", direct)):
        shared = table[table["prompt_id"].isin(both["prompt_id"])]
        copies = shared.loc[is_copy(shared), "label"]
        counts |= {
            name.lower() + suffix: int(copies.eq(label).sum()) for label, name in COPIES.items()
        }
    return counts
