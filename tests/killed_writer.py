"""Writes what a job writes, in processes that are meant to be killed: python killed_writer.py FOLDER.

Each line on stdin starts a process that makes the outputs of a small job, version after version, until the last; its
number is answered on stdout. Modules are imported once, so that a process starts in milliseconds.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "workflow" / "src"), str(ROOT / "tests")]

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from verbatim.io.atomic import new_folder  # noqa: E402
from verbatim.io.images import ImageArchive, write_archive  # noqa: E402
from verbatim.io.records import SCHEMAS, read_table, write_table  # noqa: E402
from verbatim.io.result_cache import Kept, prune  # noqa: E402
from verbatim.io.seals import (  # noqa: E402
    check_folder,
    checked,
    read_array,
    seal_folder,
    write_array,
    write_table_text,
)

PROMPTS = pd.DataFrame({"prompt_id": np.arange(24)})
VERSIONS = 3


def images(ids: list[int]) -> list[tuple[str, np.ndarray]]:
    return [
        (f"{i}_{seed}.png", np.full((16, 16, 3), i * 4 + seed, np.uint8))
        for i in ids
        for seed in range(2)
    ]


def scores(version: int) -> pd.DataFrame:
    frame = pd.DataFrame({"prompt_id": PROMPTS["prompt_id"], "seed": np.int32(version)})
    names = [field.name for field in SCHEMAS["whitebox_seeds"] if field.type == "double"]
    return frame.assign(**dict.fromkeys(names, float(version)))


def work(folder: Path) -> None:
    """The outputs of a job; a table that depends on kept parts, and files that are replaced by a newer version."""
    kept = Kept(folder / "kept", PROMPTS, steps=4)
    for lot in kept.lots(2):
        ids = lot["prompt_id"].tolist()
        kept.write(lot, {"s": (len(ids), 1.0)}, {"archives": lot.assign(archive="x")}, images(ids))
    kept.write_archives(folder / "shards" / "00000.images.parquet")
    write_table(folder / "cost.parquet", "costs", kept.cost("s", "m", "p"))
    for version in range(VERSIONS):
        write_table(folder / "scores.parquet", "whitebox_seeds", scores(version))
        write_archive(folder / "images.zip", images([version] * 1))
        write_array(folder / "images.npy", np.full((500, 100), version))
        write_table_text(folder / "table.csv", scores(version).to_csv(index=False))
        with new_folder(folder / "model") as model:
            (model / "config.json").write_text(f'{{"version": {version}}}')
            seal_folder(model)
    prune(folder / "kept")


def check(folder: Path) -> set[str]:
    """Names of the outputs that are there. Raises if one is not the whole of some version."""
    there = set()
    if (folder / "scores.parquet").exists():
        read = read_table(folder / "scores.parquet", "whitebox_seeds")
        pd.testing.assert_frame_equal(read, scores(int(read["seed"].iloc[0])))
        there.add("table")
    if (folder / "images.zip").exists():
        with ImageArchive(folder / "images.zip") as archive:
            archive.check()
            assert len(archive.names()) == 2
        there.add("archive")
    if (folder / "images.npy").exists():
        array = read_array(folder / "images.npy")
        assert array.shape == (500, 100)
        assert (array == array[0, 0]).all()
        there.add("array")
    if (folder / "table.csv").exists():
        assert len(pd.read_csv(checked(folder / "table.csv"))) == len(PROMPTS)
        there.add("csv")
    if (folder / "model").exists():
        check_folder(folder / "model")
        assert (folder / "model" / "config.json").exists()
        there.add("model")
    kept = Kept(folder / "kept", PROMPTS, steps=4)
    left = sum(map(len, kept.lots(2)))
    if left < len(PROMPTS):
        there.add("part")
    parts = [
        path for path in kept.folder.iterdir() if path.is_dir() and not path.name.startswith(".")
    ]
    assert len(parts) == (len(PROMPTS) - left) // 2, (
        "a part that was half written was met, and deleted"
    )
    return there


def main() -> None:
    folder = Path(sys.argv[1])
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            work(folder)
            os._exit(0)
        print(pid, flush=True)
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    main()
