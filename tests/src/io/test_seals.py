"""A flipped bit, a cut file or a lost one is an error that names the file, and never another number."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from own_files import KINDS, Kind, file_of, flip

from verbatim.io.parquet import read_parquet
from verbatim.io.records import TableWriter, read_table, write_table
from verbatim.io.seals import (
    BLOCK,
    DamagedError,
    Seal,
    SealedArray,
    check_folder,
    read_array,
    seal_folder,
    write_array,
    write_table_text,
)


def read_or_error(kind: Kind, made: Path) -> Any:
    try:
        return kind.read(made)
    except ValueError as err:
        return err


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("seed", range(3))
def test_a_flipped_bit_is_never_read_as_another_number(tmp_path, kind, seed):
    made = tmp_path / "made"
    kind.write(made)
    right = kind.read(made)
    flip(file_of(kind, made), random.Random(seed))
    read = read_or_error(kind, made)
    if isinstance(read, ValueError):  # DamagedError, or an error of the table's contract
        assert str(made) in str(read)
    else:
        assert read is None or read == right  # made again; or a bit that says nothing, as of a date


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
@pytest.mark.parametrize("size", [0, 0.5, 0.999])
def test_a_file_that_was_cut_is_named_or_made_anew(tmp_path, kind, size):
    made = tmp_path / "made"
    kind.write(made)
    right = kind.read(made)
    file = file_of(kind, made)
    os.truncate(file, int(file.stat().st_size * size))
    read = read_or_error(kind, made)
    if isinstance(read, ValueError):
        assert str(made) in str(read)
    else:
        assert read is None or read == right  # made again; or only a checksum was cut


def test_every_bit_of_a_tables_footer_is_covered(tmp_path):
    """The footer has no checksum of Parquet's own: rows are skipped by what it says of their range."""
    path = tmp_path / "t.parquet"
    write_table(path, "clusters", {"row": np.arange(9), "cluster": np.arange(9) // 2})
    table = Kind("table", lambda path: None, lambda path: read_table(path, "clusters"))
    right = table.read(path)
    data = path.read_bytes()
    start = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    for bit in random.Random(0).sample(range(8 * start, 8 * len(data)), 400):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        path.write_bytes(changed)
        read = read_or_error(table, path)
        assert "t.parquet" in str(read) if isinstance(read, ValueError) else read.equals(right)


def test_a_table_is_plain_parquet_to_others_and_equal_data_give_equal_bytes(tmp_path):
    for name in ("a", "b"):
        write_table(tmp_path / name, "clusters", {"row": [1, 2], "cluster": [1, 1]})
    assert pq.read_table(tmp_path / "a").to_pydict() == {"row": [1, 2], "cluster": [1, 1]}
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_table_without_a_checksum_is_read(tmp_path):
    write_table(tmp_path / "a", "clusters", {"row": [1, 2], "cluster": [1, 1]})
    pq.write_table(pq.read_table(tmp_path / "a"), tmp_path / "b")
    assert read_parquet(tmp_path / "b", ["row"]).to_pydict() == {"row": [1, 2]}


def test_damage_in_a_column_that_is_not_read_is_no_obstacle(tmp_path):
    with TableWriter(tmp_path / "a", "clusters") as table:
        table.write(
            {"row": np.arange(999), "cluster": np.random.default_rng(0).integers(0, 2**60, 999)}
        )
    column = pq.read_metadata(tmp_path / "a").row_group(0).column(1)
    data = bytearray((tmp_path / "a").read_bytes())
    data[column.dictionary_page_offset + column.total_compressed_size // 2] ^= 1
    (tmp_path / "a").write_bytes(data)
    assert len(read_table(tmp_path / "a", "clusters", ["row"])) == 999
    with pytest.raises(DamagedError, match=r"a: damaged \(.*CRC"):
        read_table(tmp_path / "a", "clusters")


def test_an_array_is_plain_npy_to_numpy_and_only_rows_that_are_read_are_checked(tmp_path):
    path = tmp_path / "a.npy"
    array = np.arange(4 * BLOCK, dtype=np.int64).reshape(-1, 4)
    write_array(path, array)
    np.testing.assert_array_equal(np.load(path), array)
    np.testing.assert_array_equal(np.load(path, mmap_mode="r"), array)
    data = bytearray(path.read_bytes())
    data[-200_000] ^= 1  # in a late row
    path.write_bytes(data)
    mapped = SealedArray(path)
    np.testing.assert_array_equal(mapped[np.array([0, 5, 5, 900])], array[[0, 5, 5, 900]])
    np.testing.assert_array_equal(mapped[:1000], array[:1000])
    for rows in (slice(None), np.arange(len(array))):
        with pytest.raises(DamagedError, match=r"a\.npy: damaged \(bytes from"):
            mapped[rows]
    with pytest.raises(DamagedError, match=r"a\.npy"):
        read_array(path)


def test_rows_that_lie_across_blocks_are_checked_in_all_of_them(tmp_path):
    path = tmp_path / "a.npy"
    array = np.zeros((3, BLOCK // 2 * 3 + 7), np.uint8)  # a row of one and a half blocks
    write_array(path, array)
    data = bytearray(path.read_bytes())
    data[128 + 2 * array.shape[1] - 1] ^= 1  # the last byte of row 1
    path.write_bytes(data)
    assert SealedArray(path)[np.array([0])].sum() == 0
    with pytest.raises(DamagedError):
        SealedArray(path)[np.array([1])]


@pytest.mark.parametrize(
    "array", [np.zeros((0, 4)), np.zeros(0), np.array(3.0), np.zeros((2, 0))], ids=str
)
def test_arrays_without_rows_are_written_and_read(tmp_path, array):
    write_array(tmp_path / "a.npy", array)
    np.testing.assert_array_equal(read_array(tmp_path / "a.npy"), array)
    assert SealedArray(tmp_path / "a.npy").array.shape == array.shape


def test_an_array_of_another_program_is_read_and_never_a_pickle(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(5))
    assert read_array(tmp_path / "a.npy").tolist() == [0, 1, 2, 3, 4]
    assert SealedArray(tmp_path / "a.npy")[np.array([3])].tolist() == [3]
    assert Seal(tmp_path / "a.npy").size == (tmp_path / "a.npy").stat().st_size
    np.save(tmp_path / "b.npy", np.array([{}], dtype=object))
    with pytest.raises(DamagedError, match="allow_pickle"):
        read_array(tmp_path / "b.npy")
    with pytest.raises(ValueError, match="allow_pickle"):
        write_array(tmp_path / "c.npy", np.array([{}], dtype=object))


def test_an_archive_is_plain_zip_to_others(tmp_path):
    (kind,) = [kind for kind in KINDS if kind.name == "archive"]
    kind.write(tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        assert archive.testzip() is None
        assert len(archive.namelist()) == 8
    kind.write(tmp_path / "b.zip")
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()


def test_the_checksum_of_a_csv_is_as_sha256sum_writes_it(tmp_path):
    write_table_text(tmp_path / "a.csv", "x\n1\n")
    subprocess.run(["sha256sum", "--check", ".a.csv.sha256"], cwd=tmp_path, check=True)


@pytest.mark.parametrize("change", ["unet/config.json", "unet/w.safetensors", None])
def test_a_folder_with_a_changed_or_a_missing_file_is_refused_by_its_name(tmp_path, change):
    folder = tmp_path / "model"
    (folder / "unet").mkdir(parents=True)
    (folder / "unet" / "config.json").write_text(json.dumps({"a": 1}))
    (folder / "unet" / "w.safetensors").write_bytes(bytes(99))
    seal_folder(folder)
    check_folder(folder)
    (folder / "weights.sha256").write_text("added later")
    check_folder(folder)
    if change:
        (folder / change).write_bytes(bytes(98) + b"1")
    else:
        (folder / "unet" / "w.safetensors").unlink()
    name = change or "unet/w.safetensors"
    with pytest.raises(DamagedError, match=rf"{re.escape(name)}: damaged .*delete the folder"):
        check_folder(folder)
