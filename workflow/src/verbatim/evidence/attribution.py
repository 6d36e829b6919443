"""Attribution: the training images nearest to a generation, with captions, addresses, licences and distances.

Webster 2023, section 6: what a model gives back can be traced to the rows that it was trained on. A distance is verified
where both images were compared pixel by pixel; similarity of embeddings alone names a candidate.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from verbatim.evidence.contact_sheet import draw_sheet
from verbatim.io.formats import IMAGES
from verbatim.io.images import MAX_BYTES, ImageError, decode_image
from verbatim.io.keys import prompt_id
from verbatim.io.privacy import Privacy, show_image
from verbatim.io.records import find_rows, read_table
from verbatim.labels.checking import Checked
from verbatim.labels.fetched_images import FetchedImages

WORDS = {
    "MV": "a copy of the prompt's own training image",
    "RV": "a copy of a training image",
    "TV": "a copy of a training image except for a region that varies",
    "N": "no copy",
    "missing": "not compared",
}


class AttributionError(ValueError):
    """There is nothing to attribute; the message names the key or the file, and the cure."""


@dataclass(frozen=True)
class Sources:
    """What is told of training rows. rows : row -> caption and url. licences : row -> licence. clusters : row -> number of its
    cluster. sizes : number of a cluster -> rows in it."""

    rows: Mapping[int, tuple[str, str]]
    licences: Mapping[int, str]
    clusters: Mapping[int, int]
    sizes: Mapping[int, int]

    @classmethod
    def read(
        cls, rows: pd.DataFrame, licences: Mapping[int, str], clusters: str, stats: str
    ) -> Sources:
        """From the lines of the `rows` tables that may be shown, and the paths of tables `clusters` and `cluster_stats`."""
        told = zip(rows["caption"].tolist(), rows["url"].tolist(), strict=True)
        own = find_rows(clusters, "clusters", rows["row"].to_numpy(np.int64))
        named = [("cluster", "in", own["cluster"].unique().tolist() or [-1])]
        sizes = read_table(stats, "cluster_stats", ["cluster", "size"], named)
        return cls(
            dict(zip(rows["row"].tolist(), told, strict=True)),
            licences,
            dict(zip(own["row"].tolist(), own["cluster"].tolist(), strict=True)),
            dict(zip(sizes["cluster"].tolist(), sizes["size"].tolist(), strict=True)),
        )


def attribute(
    checked: Checked,
    similarity: Mapping[int, float],
    sources: Sources,
    privacy: Privacy,
    most: int,
    prompt: int | None = None,
) -> dict[str, Any]:
    """What `attribution.json` says of one generation: whether it is a copy, and the training images nearest to it.

    Near-duplicates are one entry, the nearest of them, with their number.

    Parameters
    ----------
    checked : of `labels.checking`. similarity : row -> cosine of the embeddings, of the neighbours. privacy : hides urls where
    it hides images, of the prompt's and of the training caption's. most : entries. prompt : its prompt_id, if it is known.
    """
    record = checked.record
    listed: dict[int, dict[str, Any]] = {}
    compared = {one.row: one for one in checked.nearest}
    rest = sorted(set(similarity) - set(compared), key=lambda row: (-similarity[row], row))
    decided = int(record["source_row"]) if checked.is_copy else -1
    first = [decided] if decided >= 0 else []
    for row in dict.fromkeys([*first, *compared, *rest]):
        cluster = sources.clusters.get(row, -1 - row)
        if cluster in listed or len(listed) == most:
            continue
        caption, url = sources.rows[row]
        keys = [prompt_id(caption), *([] if prompt is None else [prompt])]
        level = privacy.strictest(keys)
        pair = compared.get(row)
        listed[cluster] = {
            "row": row,
            "caption": caption,
            "url": url if level == "full" else "",
            "licence": sources.licences.get(row),
            "similarity": _number(similarity.get(row)),
            "distance": None if pair is None else _number(pair.distance),
            "crop": "" if pair is None else pair.crop,
            "near_duplicates": int(sources.sizes.get(cluster, 1)),
        }
    return {
        "label": record["label"],
        "is_copy": checked.is_copy,
        "verdict": WORDS[record["label"]],
        "doubt": record["review_reason"],
        "source_row": decided,
        "distance": _number(record["distance"]) if checked.is_copy else None,
        "nearest": list(listed.values()),
    }


def _number(value: float | None) -> float | None:
    """As JSON has it: six digits, null for what is not known."""
    return None if value is None or not np.isfinite(value) else round(float(value), 6)


def describe(name: str, entry: Mapping[str, Any]) -> str:
    """One generation in a sentence, for the log."""
    nearest: Sequence[Mapping[str, Any]] = entry["nearest"]
    if not nearest:
        return f"{name}: {entry['verdict']}; no training image was found near it"
    one = nearest[0]
    apart = "not compared" if one["distance"] is None else f"distance {one['distance']:.3f}"
    doubt = f"; doubt: {entry['doubt']}" if entry["doubt"] else ""
    return (
        f"{name}: {entry['verdict']}{doubt}; nearest: row {one['row']}, {apart}, {one['caption']!r}"
    )


def draw_attribution(
    images: Sequence[np.ndarray],
    entries: Sequence[Mapping[str, Any]],
    training: FetchedImages,
    privacy: Privacy,
    size: int,
) -> np.ndarray:
    """A sheet (height, width, 3) uint8: each image beside the training images that are nearest to it, a line an image.

    entries : of `attribute`, one an image. training : read from where it lies. size : pixels of a square.
    """
    most = max([1, *(len(entry["nearest"]) for entry in entries)])
    pairs: list[tuple[np.ndarray | None, np.ndarray | None]] = []
    for image, entry in zip(images, entries, strict=True):
        line: list[tuple[np.ndarray | None, np.ndarray | None]] = []
        for one in entry["nearest"]:
            found = training.squares([one["row"]], "", -1)
            level = privacy.level_of(prompt_id(one["caption"]))
            at = found.crops.index(one["crop"]) if one["crop"] else -1
            line.append((image, None if at < 0 else show_image(found.images[at], level)))
        pairs += line + [(None, None)] * (most - len(line))
    return draw_sheet(pairs, size, most)


def list_files(place: str) -> list[Path]:
    """The image files that `evidence.attribution.images` names: one file, or those of a folder in the order of their names.

    Raises
    ------
    AttributionError
        Nothing is named, it is not there, or it holds no image.
    """
    cure = "name an image or a folder of images: make attribute IMAGE=file"
    if not place:
        raise AttributionError(f"config: evidence.attribution.images is empty; {cure}")
    path = Path(place)
    if path.is_file():
        return [path]
    files = [one for one in sorted(path.rglob("*")) if one.suffix.lower() in IMAGES]
    if not files:
        what = "holds no image" if path.is_dir() else "is not there"
        raise AttributionError(f"config: evidence.attribution.images: {place} {what}; {cure}")
    return files


def read_files(
    paths: Sequence[Path],
) -> tuple[dict[str, np.ndarray], dict[str, dict[str, Any]]]:
    """Images (h, w, 3) in [0, 1] by file, and the entries of those that cannot be read, with the reason.

    Raises
    ------
    AttributionError
        Not one can be read.
    """
    images: dict[str, np.ndarray] = {}
    broken: dict[str, str] = {}
    for path in paths:
        try:
            if path.stat().st_size > MAX_BYTES:
                raise ImageError(f"more than {MAX_BYTES:,} bytes")
            images[str(path)] = decode_image(path.read_bytes())
        except ImageError as err:
            broken[str(path)] = str(err)
        except OSError as err:
            broken[str(path)] = f"the file cannot be read: {err.strerror}"
    if not images:
        named = next(iter(broken))
        raise AttributionError(
            f"config: evidence.attribution.images: none of {len(broken)} files is an image that can be read; {named}: "
            f"{broken[named]}"
        )
    return images, {name: missing_entry(why) for name, why in broken.items()}


def missing_entry(why: str) -> dict[str, Any]:
    """The entry of a generation that could not be read."""
    return {
        "label": "missing", "is_copy": False, "verdict": WORDS["missing"], "doubt": why, "source_row": -1, "distance": None,
        "nearest": [],
    }  # fmt: skip
