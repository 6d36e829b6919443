"""Check that a CLIP is the one that made a source's embeddings: a few rows are embedded again and compared.

Another CLIP of the same dimension gives vectors in another space: every search then answers with noise, and
nothing else tells.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from verbatim.inputs.archives import find_archives
from verbatim.inputs.embedding import crop_square
from verbatim.inputs.layouts import JOIN, InputError
from verbatim.inputs.rows import embedding_problems, read_shard
from verbatim.io.training_images import TrainingImages

SHARDS = 4  # that rows are taken from, evenly spaced
ROWS = 500  # of a shard that are looked at for images
TOLERANCE = 0.01  # of the length of an embedding that is compared


@dataclass(frozen=True)
class Agreement:
    """Cosines (n,) between the embeddings of a source and those of a CLIP, and the global rows (n,) compared.

    kind : "image" or "caption".
    """

    kind: str
    rows: np.ndarray
    cosines: np.ndarray


def _vectors(file: str | Path, rows: int) -> np.ndarray:
    array = np.load(file, mmap_mode="r", allow_pickle=False)
    return np.asarray(array[:rows], dtype=np.float32)


def _compare(kind: str, rows: list[int], stored: list[np.ndarray], found: np.ndarray) -> Agreement:
    a = np.stack(stored) if stored else np.zeros((0, found.shape[1]), np.float32)
    a = a / np.linalg.norm(a, axis=1, keepdims=True)
    return Agreement(kind, np.array(rows, dtype=np.int64), (a * found).sum(axis=1))


def _shards(manifest: pd.DataFrame) -> Iterator[tuple[dict[str, Any], pd.DataFrame, np.ndarray]]:
    """Some shards: its line of the manifest, its first rows of metadata, and their embeddings."""
    for place in np.unique(np.linspace(0, len(manifest) - 1, SHARDS).astype(int)):
        shard = manifest.iloc[place].to_dict()
        count = min(ROWS, int(shard["rows"]))
        if count:
            tables = shard["metadata"].split(JOIN)
            metadata = read_shard(tables, int(shard["metadata_row"]), count)
            yield shard, metadata, _vectors(shard["embeddings"], count)


def compare_images(
    clip: Any, manifest: pd.DataFrame, ranges: pd.DataFrame, count: int, batch: int
) -> Agreement:
    """Embeddings of about `count` images that lie in the archives, against the source's own.

    Parameters
    ----------
    clip
        A `clip.ClipEmbedder`.
    manifest, ranges
        As `records.read_manifest` and `archives.read_ranges` give them.
    count
        Images, from `SHARDS` shards; fewer if the archives have fewer of these shards' first rows.
    batch
        Images embedded together.
    """
    rows: list[int] = []
    stored: list[np.ndarray] = []
    images: list[np.ndarray] = []
    with TrainingImages() as reader:
        for shard, metadata, vectors in _shards(manifest):
            archives, members = find_archives(metadata["key"], ranges)
            sound = embedding_problems(vectors, TOLERANCE) == ""
            left = -(-count // SHARDS)
            for i in np.flatnonzero(sound & (archives != "")):
                if left == 0:
                    break
                got = reader.read(archives[i], members[i])
                if got.image is not None:
                    rows.append(int(shard["first_row"]) + int(i))
                    stored.append(vectors[i])
                    images.append(crop_square(got.image, clip.size))
                    left -= 1
    size = (0, clip.size, clip.size, 3)
    found = clip.embed_images(np.stack(images) if images else np.zeros(size, np.float32), batch)
    return _compare("image", rows, stored, found)


def compare_captions(clip: Any, manifest: pd.DataFrame, count: int, batch: int) -> Agreement:
    """As `compare_images`, of captions, where the source has text_emb/text_emb_N.npy beside its img_emb."""
    rows: list[int] = []
    stored: list[np.ndarray] = []
    captions: list[str] = []
    for shard, metadata, _ in _shards(manifest):
        images = Path(shard["embeddings"])
        file = images.parents[1] / "text_emb" / images.name.replace("img_emb", "text_emb")
        if not file.is_file():
            continue
        vectors = _vectors(file, len(metadata))
        told = metadata["caption"].fillna("").str.strip().ne("").to_numpy()
        usable = np.flatnonzero(
            told[: len(vectors)] & (embedding_problems(vectors, TOLERANCE) == "")
        )
        for i in usable[: -(-count // SHARDS)]:
            rows.append(int(shard["first_row"]) + int(i))
            stored.append(vectors[i])
            captions.append(str(metadata["caption"].iloc[i]))
    return _compare("caption", rows, stored, clip.embed_texts(captions, batch))


def check_agreement(found: Agreement, least: float, clip: str, source: str) -> None:
    """Raises InputError, naming both, if the median cosine is below `least` (`inputs.clip_cosine`).

    None compared is no fault. clip : the CLIP's folder. source : a file of the embeddings.
    """
    if len(found.cosines) and (median := float(np.median(found.cosines))) < least:
        some = ", ".join(
            f"row {row}: {cosine:.3f}"
            for row, cosine in zip(found.rows[:5].tolist(), found.cosines[:5], strict=True)
        )
        raise InputError(
            f"the embeddings of {source} are not those of {clip} (inputs.clip): over {len(found.cosines)} "
            f"{found.kind}s the median cosine is {median:.3f}, below {least:g} ({some}). Name the CLIP that made "
            "them in inputs.clip; or, if the images were changed since, lower inputs.clip_cosine"
        )


def check_dimension(clip: Any, dim: int, folder: str, source: str) -> None:
    """Raises InputError if the CLIP's embeddings have not as many dimensions as the source's."""
    if clip.dim != dim:
        raise InputError(
            f"the embeddings of {source} have {dim} dimensions, those of {folder} (inputs.clip) {clip.dim}: "
            "name the CLIP that made them in inputs.clip"
        )
