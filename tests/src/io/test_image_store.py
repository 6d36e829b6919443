"""Images of many archives, found by prompt."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import zipfile

import numpy as np
import pandas as pd
import pytest

from verbatim.io import image_store as module
from verbatim.io.image_store import (
    Images,
    merge_archive_tables,
    prompt_of,
    read_archive_tables,
    write_archive_table,
)
from verbatim.io.images import ImageArchive, ImageError, merge_archives, write_archive
from verbatim.io.result_cache import Kept
from verbatim.io.seals import DamagedError


def squares(*names):
    return [(name, np.full((2, 2, 3), len(name), dtype=np.uint8)) for name in names]


@pytest.fixture
def run(tmp_path):
    """Three prompts in two archives, and a table a shard."""
    write_archive(tmp_path / "run/kept/a.zip", squares("7_0.png", "7_1.png", "3_0.png"))
    write_archive(tmp_path / "run/kept/b.zip", squares("5_0.png", "5_0_1.png", "70_0.png"))
    kept = tmp_path / "run/kept"
    write_archive_table(
        tmp_path / "run/shards/0.parquet", [(5, kept / "b.zip"), (7, kept / "a.zip")]
    )
    write_archive_table(tmp_path / "run/shards/1.parquet", [(3, kept / "a.zip")])
    return tmp_path / "run"


def test_members_are_named_by_their_prompt():
    assert [prompt_of(n) for n in ("12_0.png", "12_0_7.5.png", "12.png", "mask.png")] == [
        12,
        12,
        12,
        -1,
    ]


def test_tables_of_shards_name_the_prompts_images_and_no_others(run):
    tables = [run / "shards/0.parquet", run / "shards/1.parquet"]
    with Images(*tables) as images:
        assert images.prompt_ids == [5, 7, 3]
        assert images.names() == ["5_0.png", "5_0_1.png", "7_0.png", "7_1.png", "3_0.png"]
        assert "7_1.png" in images
        for absent in (
            "7_2.png",
            "70_0.png",
            "nothing.png",
        ):  # 70: in an archive, but not of this run
            assert absent not in images
            with pytest.raises(KeyError):
                images.read(absent)
        assert (images.read("5_0_1.png") == 9 / 255).all()


def test_results_can_be_moved_and_tables_merged_into_another_folder(run, tmp_path):
    merge_archive_tables(
        run / "images.parquet", [run / "shards/0.parquet", run / "shards/1.parquet"]
    )
    moved = shutil.move(run, tmp_path / "moved")
    assert read_archive_tables([moved / "images.parquet"]) == {
        5: moved / "kept/b.zip", 7: moved / "kept/a.zip", 3: moved / "kept/a.zip",
    }  # fmt: skip
    with Images(moved / "images.parquet") as images:
        assert len(images.names()) == 5


def test_merged_images_are_the_parts_bytes(run):
    with Images(run / "shards/0.parquet") as images:
        images.merge(run / "images.zip")
        with ImageArchive(run / "images.zip") as merged:
            assert merged.names() == ["5_0.png", "5_0_1.png", "7_0.png", "7_1.png"]
            assert all(merged.read_bytes(n) == images.read_bytes(n) for n in merged.names())


def test_however_many_archives_there_are_few_are_open(run, monkeypatch):
    monkeypatch.setattr(module, "_OPEN", 1)
    with Images(run / "shards/0.parquet") as images:
        for name in ("5_0.png", "7_0.png", "5_0_1.png"):
            assert images.read(name).shape == (2, 2, 3)
            assert len(images._open) == 1


def test_an_archive_that_was_deleted_is_named(run):
    (run / "kept/b.zip").unlink()
    with Images(run / "shards/0.parquet") as images:
        with pytest.raises(DamagedError, match=r"b\.zip: damaged \(no such file\); run `rm -rf "):
            images.read("5_0.png")
        assert images.read("7_0.png").shape == (2, 2, 3)


def test_the_cure_of_a_damaged_part_names_it_and_the_shards_that_use_it_and_no_others(tmp_path):
    ids = pd.DataFrame({"prompt_id": [5, 7]})
    kept = Kept(tmp_path / "a model/kept", ids)
    for lot in kept.lots(1):
        kept.write(lot, {"s": (1, 1.0)}, images=squares(f"{lot['prompt_id'].iloc[0]}_0.png"))
    shards = [tmp_path / f"a model/shards/{i}.images.parquet" for i in range(2)]
    for shard, some in zip(shards, (ids[:1], ids[1:]), strict=True):
        Kept(tmp_path / "a model/kept", some).write_archives(shard)
    merged = tmp_path / "a model/images.parquet"
    merge_archive_tables(merged, shards)
    part = read_archive_tables(shards)[7].parent
    os.truncate(part / "images.zip", 50)
    with Images(merged) as images:
        assert images.read("5_0.png").shape == (2, 2, 3)
        with pytest.raises(DamagedError) as caught:
            images.read("7_0.png")
    command = re.search("run `(rm -rf .*)` and the same command", str(caught.value))
    assert command
    assert shlex.split(command[1]) == ["rm", "-rf", *map(str, (part, merged, shards[1]))]


def test_merged_members_are_the_parts_bytes_and_a_member_met_twice_is_refused(tmp_path):
    write_archive(tmp_path / "a.zip", squares("a.png"))
    write_archive(tmp_path / "b.zip", squares("b.png"))
    merge_archives(tmp_path / "ab.zip", [tmp_path / "a.zip", tmp_path / "b.zip"])
    with zipfile.ZipFile(tmp_path / "a.zip") as a, zipfile.ZipFile(tmp_path / "ab.zip") as ab:
        assert ab.read("a.png") == a.read("a.png")
    with pytest.raises(ImageError, match=r"a\.png is in another part"):
        merge_archives(tmp_path / "aa.zip", [tmp_path / "a.zip", tmp_path / "a.zip"])


def test_a_damaged_member_is_named_and_the_others_can_be_read(tmp_path):
    write_archive(tmp_path / "a.zip", squares("a.png", "b.png"))
    data = bytearray((tmp_path / "a.zip").read_bytes())
    data[60] ^= 255  # inside the first image: its checksum no longer holds
    (tmp_path / "a.zip").write_bytes(data)
    with ImageArchive(tmp_path / "a.zip") as archive:
        with pytest.raises(DamagedError, match=r"a\.zip: damaged \(a\.png: "):
            archive.read("a.png")
        assert archive.read("b.png").shape == (2, 2, 3)
