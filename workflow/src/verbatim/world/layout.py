"""Writes the embedded world's training set as LAION's tools write theirs (see img2dataset, clip-retrieval)."""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from verbatim.io.atomic import new_file
from verbatim.io.images import encode_png
from verbatim.io.parquet import open_parquet, read_parquet, write_parquet
from verbatim.io.records import write_table
from verbatim.io.seals import write_array


def write_shard(
    folder: Path, shard: str, images: list[np.ndarray], captions: list[str], first_row: int
) -> None:
    """One img2dataset shard: `<shard>.tar` of png, txt and json members, and `<shard>.parquet`.

    Parameters
    ----------
    images : float32 (h, w, 3) in [0, 1] each
    first_row : global row of the first image; a key is the row in nine digits
    """
    records: list[dict[str, Any]] = []
    with (
        new_file(folder / f"{shard}.tar") as temporary,
        tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for i, (image, caption) in enumerate(zip(images, captions, strict=True)):
            key = f"{first_row + i:09d}"
            data = encode_png(image)
            height, width = image.shape[:2]
            record = {
                "url": f"https://world.invalid/{key}.png", "caption": caption, "key": key,
                "status": "success", "error_message": None, "width": width, "height": height,
                "original_width": width, "original_height": height, "exif": "{}",
                "sha256": hashlib.sha256(data).hexdigest(),
            }  # fmt: skip
            for suffix, content in (
                ("png", data),
                ("txt", caption.encode()),
                ("json", json.dumps(record).encode()),
            ):
                info = tarfile.TarInfo(f"{key}.{suffix}")
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
            records.append(record)
    frame = pd.DataFrame(records).astype({"error_message": "string"})
    _write_parquet(folder / f"{shard}.parquet", frame)


def write_style(table: Path, images: list[np.ndarray], captions: list[str]) -> None:
    """A fine-tuning set: one img2dataset shard beside `table`, and its `rows` table."""
    write_shard(table.parent, "00000", images, captions, 0)
    frame = read_shard_table(table.parent / "00000.parquet")
    rows = frame[["url", "caption", "width", "height"]].assign(
        row=np.arange(len(frame)),
        archive=str(table.parent / "00000.tar"),
        member=frame.key + ".png",
        status="ok",
        reason="",
    )
    write_table(table, "rows", rows)


def write_embeddings(
    folder: Path, index: int, images: np.ndarray, texts: np.ndarray, metadata: pd.DataFrame
) -> None:
    """One clip-retrieval shard: `img_emb`, `text_emb` (float16, unit length) and `metadata`.

    Parameters
    ----------
    images, texts : float32 (rows, dim), L2-normalised
    metadata : the img2dataset table of the same rows, in the same order
    """
    number = f"{index:04d}"
    for name, vectors in (("img_emb", images), ("text_emb", texts)):
        write_array(folder / name / f"{name}_{number}.npy", vectors.astype(np.float16))
    table = metadata.rename(columns={"sha256": "md5"}).assign(
        image_path=metadata["key"],
        NSFW="UNLIKELY",
        LICENSE="CC BY-SA 4.0",
        similarity=(images * texts).sum(1).astype(np.float64),
    )
    order = ["image_path", "caption", "NSFW", "similarity", "LICENSE", "url", "key", "status",
             "error_message", "width", "height", "original_width", "original_height", "exif",
             "md5"]  # fmt: skip
    _write_parquet(folder / "metadata" / f"metadata_{number}.parquet", table[order])


def read_shard_table(path: str | os.PathLike) -> pd.DataFrame:
    """The table of a shard that `write_shard` wrote; raises DamagedError."""
    with open_parquet(path) as file:
        names = file.schema_arrow.names
    return read_parquet(path, names).to_pandas()


def _write_parquet(path: Path, frame: pd.DataFrame) -> None:
    write_parquet(path, pa.Table.from_pandas(frame, preserve_index=False))
