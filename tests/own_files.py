"""One small file of every kind that the project writes, made by the project's own writers, and how each is read.

Used to flip bits in them: whatever a reader gives back must be what was written, or an error that names the file.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file, save_file

from verbatim.dedup.index import write_index
from verbatim.inputs.manifest import format_manifest
from verbatim.io.atomic import new_folder
from verbatim.io.images import ImageArchive, write_archive
from verbatim.io.pool_features import Described, PoolFeatures
from verbatim.io.records import (
    MANIFEST,
    SCHEMAS,
    TableWriter,
    iter_table,
    read_manifest,
    read_table,
    write_table,
)
from verbatim.io.result_cache import Kept
from verbatim.io.seals import (
    check_folder,
    checked,
    read_array,
    seal_folder,
    write_array,
    write_table_text,
)
from verbatim.io.search import MappedArrays, open_part
from verbatim.metrics.complexity import MEASURES

CAPTIONS = ["a red heart", "", "Zürich, 1890", "😀", "line\nbreak", "a red heart"]


@dataclass(frozen=True)
class Kind:
    """A kind of file: `write` makes it at a path, `read` gives what is in it in a form that == compares."""

    name: str
    write: Callable[[Path], None]
    read: Callable[[Path], Any]
    inside: str = ""  # the file to damage, where `write` makes a folder


def _scores(n: int = 200) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    names = [field.name for field in SCHEMAS["whitebox_seeds"] if field.type == "double"]
    numbers = {name: rng.normal(size=n) for name in names}
    return pd.DataFrame(
        {"prompt_id": rng.integers(0, 2**62, n), "seed": np.arange(n, dtype=np.int32), **numbers}
    )


def _prompts() -> pd.DataFrame:
    n = len(CAPTIONS)
    whole = pd.DataFrame({"prompt_id": np.arange(n), "caption": CAPTIONS, "row": np.arange(n)})
    return whole.assign(extra=[True, False] * (n // 2), why="top")


def _in_pieces(path: Path) -> None:
    with TableWriter(path, "pairs") as table:
        for i in range(3):
            table.write(
                {
                    "row_a": np.arange(40) + i,
                    "row_b": np.arange(40) + 50,
                    "similarity": np.full(40, 0.5 + i / 10),
                }
            )


def _images() -> list[tuple[str, np.ndarray]]:
    rng = np.random.default_rng(1)
    return [
        (f"{i}_{seed}.png", rng.integers(0, 255, (8, 8, 3), np.uint8))
        for i in (3, 7)
        for seed in range(4)
    ]


def _read_images(path: Path) -> dict[str, bytes]:
    with ImageArchive(path) as archive:
        return {name: archive.read(name).tobytes() for name in archive.names()}


def _read_known_images(path: Path) -> list[bytes]:
    """As the attacks read: by the names that they expect; one that is not there is missing."""
    with ImageArchive(path) as archive:
        return [
            archive.read(name).tobytes() if name in archive else b"missing" for name, _ in _images()
        ]


def _vectors() -> np.ndarray:
    vectors = np.random.default_rng(2).normal(size=(3000, 16)).astype(np.float16)
    return vectors / np.linalg.norm(vectors.astype(np.float32), axis=1, keepdims=True).astype(
        np.float16
    )


def _index(factory: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        vectors = _vectors()[:400].astype(np.float32)
        index = faiss.index_factory(16, factory, faiss.METRIC_INNER_PRODUCT)
        index = index if factory.startswith("IVF") else faiss.IndexIDMap(index)
        if not index.is_trained:
            index.train(vectors)
        index.add_with_ids(vectors, np.arange(400, dtype=np.int64) * 3)
        write_index(index, path)

    return write


def _search(path: Path) -> list[bytes]:
    return [
        found.tobytes() for found in open_part(path).search(_vectors()[:20].astype(np.float32), 5)
    ]


def _features(path: Path) -> None:
    rng = np.random.default_rng(3)
    described = {"clip": Described(rng.normal(size=(9, 4)), rng.normal(size=(9, 2, 4)))}
    complexity = {name: rng.normal(size=9) for name in MEASURES}
    PoolFeatures(np.arange(9), described, complexity, rng.normal(size=(9, 3))).write(path)


def _read_features(path: Path) -> list[Any]:
    read = PoolFeatures.read(path)
    arrays = [
        read.ids,
        read.inception,
        *(array for one in read.described.values() for array in one),
    ]
    return [[array.tobytes() for array in arrays], read.complexity]


def _manifest(path: Path) -> None:
    row = ["00000", "e.npy", "m.parquet", 300, 0, 768, "", "ab" * 32, 0, "sampled:" + "cd" * 32]
    write_table_text(path, format_manifest(pd.DataFrame([row, row], columns=list(MANIFEST))))


def _model(path: Path) -> None:
    with new_folder(path) as folder:
        torch.manual_seed(0)
        (folder / "unet").mkdir()
        save_file({"w": torch.randn(30, 30)}, folder / "unet" / "model.safetensors")
        (folder / "unet" / "config.json").write_text('{"beta_start": 0.00085, "steps": 1000}')
        seal_folder(folder)


def _read_model(path: Path) -> list[bytes]:
    check_folder(path)
    weights = load_file(path / "unet" / "model.safetensors")["w"].numpy().tobytes()
    return [weights, (path / "unet" / "config.json").read_bytes()]


def _kept(path: Path) -> None:
    kept = Kept(path, pd.DataFrame({"prompt_id": [3, 7]}), steps=4)
    scores = pd.DataFrame({"prompt_id": [3, 7], "archive": ["a", "b"]})
    kept.write(kept.prompts, {"labels": (8, 0.5)}, {"archives": scores}, _images())


def _read_kept(path: Path) -> Any:
    """What a job takes from a part; None where the part is made again."""
    kept = Kept(path, pd.DataFrame({"prompt_id": [3, 7]}), steps=4)
    if kept.lots(2):
        return None
    (archive,) = kept.folder.glob("*/images.zip")
    return [kept.table("archives").to_csv(), kept.table("spent").to_csv(), _read_images(archive)]


def _frame(kind: str) -> Callable[[Path], Any]:
    return lambda path: read_table(path, kind).to_csv()


KINDS = [
    Kind("table", lambda path: write_table(path, "whitebox_seeds", _scores()), _frame("whitebox_seeds")),
    Kind("table of text", lambda path: write_table(path, "selection", _prompts()), _frame("selection")),
    Kind("table in pieces", _in_pieces, lambda path: pd.concat(iter_table(path, "pairs")).to_csv()),
    Kind("rows of a table", _in_pieces,
         lambda path: read_table(path, "pairs", ["row_b"], [("row_a", ">=", 20), ("row_a", "<", 41)]).to_csv()),
    Kind("archive", lambda path: write_archive(path, _images()), _read_images),
    Kind("archive by name", lambda path: write_archive(path, _images()), _read_known_images),
    Kind("array", lambda path: write_array(path, _vectors()), lambda path: read_array(path).tobytes()),
    Kind("rows of an array", lambda path: write_array(path, _vectors()),
         lambda path: MappedArrays([path]).open(0)[np.arange(3000)].tobytes()),
    Kind("flat index", _index("Flat"), _search),
    Kind("index with lists", _index("IVF4,Flat"), _search),
    Kind("features", _features, _read_features),
    Kind("manifest", _manifest, lambda path: read_manifest(path).to_csv()),
    Kind("CSV", lambda path: write_table_text(path, _scores().to_csv(index=False)),
         lambda path: pd.read_csv(checked(path)).to_csv()),
    Kind("weights of a model", _model, _read_model, "unet/model.safetensors"),
    Kind("config of a model", _model, _read_model, "unet/config.json"),
    Kind("images of a kept part", _kept, _read_kept, "*/*/images.zip"),
    Kind("table of a kept part", _kept, _read_kept, "*/*/archives.parquet"),
    Kind("prompts of a kept part", _kept, _read_kept, "*/*/prompts.npy"),
]  # fmt: skip


def file_of(kind: Kind, made: Path) -> Path:
    """The file of a kind that is to be damaged."""
    if not kind.inside:
        return made
    (found,) = made.glob(kind.inside)
    return found


def flip(file: Path, chance: random.Random) -> int:
    """Flip one bit anywhere in a file; returns which."""
    data = bytearray(file.read_bytes())
    bit = chance.randrange(8 * len(data))
    data[bit // 8] ^= 1 << bit % 8
    file.write_bytes(data)
    return bit
