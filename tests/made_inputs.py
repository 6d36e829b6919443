"""A made source in clip-retrieval's and img2dataset's layouts, small enough to count by hand."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image


def unit(vectors: np.ndarray) -> np.ndarray:
    """Vectors of length 1, in float32."""
    vectors = np.asarray(vectors, dtype=np.float32)
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def random_units(n: int, dim: int = 16, seed: int = 0) -> np.ndarray:
    return unit(np.random.default_rng(seed).normal(size=(n, dim)))


def write_shard(
    folder: Path,
    number: int,
    vectors: np.ndarray,
    captions: list,
    pads: tuple[int, int] = (4, 4),
    names: tuple[str, str] = ("url", "caption"),
    **more,
) -> tuple[Path, Path]:
    """One clip-retrieval shard; `pads`: zeros in the names of the array and of the table."""
    array = folder / "img_emb" / f"img_emb_{number:0{pads[0]}d}.npy"
    table = folder / "metadata" / f"metadata_{number:0{pads[1]}d}.parquet"
    for path in (array, table):
        path.parent.mkdir(parents=True, exist_ok=True)
    np.save(array, np.asarray(vectors, dtype=np.float16))
    frame = {names[0]: [f"https://x.invalid/{i}" for i in range(len(captions))], names[1]: captions}
    pd.DataFrame({**frame, **more}).to_parquet(table)
    return array, table


def png(color: int = 0, size: tuple[int, int] = (4, 5)) -> bytes:
    """A PNG of one grey, size (width, height)."""
    out = io.BytesIO()
    Image.new("RGB", size, (color, color, color)).save(out, "PNG")
    return out.getvalue()


def write_tar(path: Path, members: dict[str, bytes | tarfile.TarInfo]) -> Path:
    """A tar of these members; a TarInfo is added without data."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            if isinstance(data, tarfile.TarInfo):
                tar.addfile(data)
                continue
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path
