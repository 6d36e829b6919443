"""Our labels of one model in the layout of the authors' published labels (see `verbatim.io.authors`).

The layout has no room for prompts without a row in the data (its key is the row), for prompts that could not be
judged, and for the distances of RV and TV; they are left out. Candidates that a guard set aside are N, because the
authors removed such images by hand.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import pandas as pd

from verbatim.io.authors import RETRIEVED, TEMPLATES, VALUES
from verbatim.io.images import row_name
from verbatim.io.privacy import Privacy


class Release(NamedTuple):
    """The tables of a release, and which member of which archive each of its files is.

    labels : as `authors.read_labels` gives it. templates, retrieved : their metadata tables.
    masks, images : file -> member of the archives of masks and of training images.
    left_out : prompts without a row, prompts without a verdict. blurred : files of `images` to be blurred.
    """

    labels: pd.DataFrame
    templates: pd.DataFrame
    retrieved: pd.DataFrame
    masks: dict[str, str]
    images: dict[str, str]
    left_out: tuple[int, int]
    blurred: frozenset[str] = frozenset()


def levels_of_rows(labels: pd.DataFrame, privacy: Privacy) -> dict[int, str]:
    """Row -> what may be shown of its image: the strictest of all prompts that it is the row or the source of."""
    both = pd.concat(
        [
            labels[["prompt_id", name]].set_axis(["key", "row"], axis=1)
            for name in ("row", "source_row")
        ]
    )
    grouped = both.groupby("row")["key"].agg(list)
    return {
        row: privacy.strictest(keys)
        for row, keys in zip(grouped.index.tolist(), grouped, strict=True)
    }


def to_release(labels: pd.DataFrame, urls: pd.Series, privacy: Privacy | None = None) -> Release:
    """A `labels` table in the authors' layout.

    Parameters
    ----------
    labels : a `labels` table.
    urls : row -> address, of the prompts' rows and of the copies' sources.
    privacy : what of each prompt's images is handed on; None: all. Where a row may not be shown in full its address is ""
    and its template's mask is left out; its image is blurred, or left out and named "".

    Returns
    -------
    Release. gen_seeds holds the one seed that was nearest; a template is a source image with the mask
    of one prompt, so a source of two prompts is two templates; mse_real_gen is `VALUES` * distance_mv^2.
    """
    level = levels_of_rows(labels, privacy or Privacy())
    urls = urls[[level.get(int(row), "full") == "full" for row in urls.index]]
    without_row, missing = labels["row"] < 0, labels["label"].eq("missing")
    kept = labels[~without_row & ~missing].sort_values("row").reset_index(drop=True)
    kind = kept["label"].where(~kept["review"], "N")
    is_tv, is_rv = kind.eq("TV"), kind.eq("RV")
    copied = is_tv | is_rv
    source_url = kept["source_row"].map(urls).fillna("")
    position = is_tv.cumsum() - 1  # of a TV prompt's template in the list of templates
    table = pd.DataFrame(
        {
            "row": kept["row"],
            "caption": kept["caption"],
            "url": kept["row"].map(urls).fillna(""),
            "overfit_type": kind,
            "gen_seeds": [
                [int(seed)] if is_copy else []
                for seed, is_copy in zip(kept["seed"], copied, strict=True)
            ],
            "retrieved_urls": [
                [url] if is_copy else [] for url, is_copy in zip(source_url, copied, strict=True)
            ],
            "template_indices": [
                [[int(at)]] if is_template else []
                for at, is_template in zip(position, is_tv, strict=True)
            ],
            "mse_real_gen": VALUES * np.square(kept["distance_mv"].astype(float)),
        }
    )
    of_tv = kept[is_tv]
    templates = pd.DataFrame(
        {
            "url": source_url[is_tv],
            "mask_file": [
                f"templates/masks/{file}" if level[row] == "full" else ""
                for file, row in zip(of_tv["mask_file"], of_tv["source_row"], strict=True)
            ],
            "img_file": [_image_file("templates", row, level) for row in of_tv["source_row"]],
        },
        columns=list(TEMPLATES),
    ).reset_index(drop=True)
    sources = kept.loc[is_rv, "source_row"].drop_duplicates().sort_values()
    retrieved = pd.DataFrame(
        {
            "url": sources.map(urls).fillna(""),
            "img_file": [_image_file("retrieved", row, level) for row in sources],
        },
        columns=list(RETRIEVED),
    ).reset_index(drop=True)
    names = [name for name in (*templates["img_file"], *retrieved["img_file"]) if name]
    hidden = {row_name(row) for row, one in level.items() if one == "blurred"}
    return Release(
        table,
        templates,
        retrieved,
        {name: name.rpartition("/")[2] for name in templates["mask_file"] if name},
        {name: name.rpartition("/")[2] for name in names},
        (int(without_row.sum()), int((missing & ~without_row).sum())),
        frozenset(name for name in names if name.rpartition("/")[2] in hidden),
    )


def _image_file(folder: str, row: int, level: Mapping[int, str]) -> str:
    """A release's file of a training image; "" where it may not be handed on."""
    return "" if level[row] == "none" else f"{folder}/images/{row_name(row)}"
