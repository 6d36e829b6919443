import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_inputs import random_units, write_shard

from verbatim.inputs.layouts import InputError, list_files
from verbatim.inputs.manifest import build_manifest, format_manifest, read_footer, read_header
from verbatim.records import read_manifest


def test_rows_are_counted_on_over_the_shards(tmp_path: Path):
    for number, n in enumerate((3, 1, 4)):
        write_shard(tmp_path, number, random_units(n, 8), ["a"] * n)
    manifest = build_manifest(list_files(tmp_path), "pictures")
    assert manifest["rows"].tolist() == [3, 1, 4]
    assert manifest["first_row"].tolist() == [0, 3, 4]
    assert set(manifest["dim"]) == {8}
    (tmp_path / "manifest.tsv").write_text(format_manifest(manifest))
    again = read_manifest(tmp_path / "manifest.tsv")
    pd.testing.assert_frame_equal(manifest, again, check_dtype=False)
    assert again["shard"].tolist() == ["00000", "00001", "00002"]


def test_a_shard_with_fewer_rows_than_its_metadata_is_refused_by_name(tmp_path: Path):
    write_shard(tmp_path, 0, random_units(3), ["a"] * 3)
    write_shard(tmp_path, 1, random_units(3), ["a"] * 4)
    with pytest.raises(InputError, match=r"img_emb_0001\.npy has 3 rows and .*metadata_0001.* 4"):
        build_manifest(list_files(tmp_path), "")


def test_all_wrong_shards_are_named_at_once(tmp_path: Path):
    write_shard(tmp_path, 0, random_units(3, 8), ["a"] * 3)
    write_shard(tmp_path, 1, random_units(3, 4), ["a"] * 3)
    _, table = write_shard(tmp_path, 2, random_units(3, 8), ["a"] * 3)
    table.write_bytes(b"<html>404</html>")
    with pytest.raises(InputError) as error:
        build_manifest(list_files(tmp_path), "")
    for words in (
        "2 problems",
        "img_emb_0001.npy has 4 dimensions",
        "metadata_0002",
        "not a Parquet",
    ):
        assert words in str(error.value)


def test_the_header_is_read_without_the_data(tmp_path: Path):
    path = tmp_path / "img_emb_0.npy"
    # 40 GB, of which nothing is on disk
    np.lib.format.open_memmap(path, mode="w+", dtype=np.float16, shape=(20_000_000, 1024))
    assert read_header(path) == (20_000_000, 1024, "float16")


def test_a_truncated_array_is_refused(tmp_path: Path):
    array, _ = write_shard(tmp_path, 0, random_units(9), ["a"] * 9)
    array.write_bytes(array.read_bytes()[:-3])
    with pytest.raises(InputError, match="its header promises"):
        read_header(array)


@pytest.mark.parametrize(
    "content",
    [
        np.zeros(3, np.float16),
        np.zeros((3, 2), np.int32),
        np.asfortranarray(np.zeros((3, 2), np.float16)),
        np.zeros((3, 2), ">f4"),
        np.array([[{}]], dtype=object),
    ],
)
def test_what_is_no_array_of_embeddings_is_refused(tmp_path: Path, content):
    np.save(tmp_path / "a.npy", content, allow_pickle=True)
    with pytest.raises(InputError, match="embeddings are"):
        read_header(tmp_path / "a.npy")


def test_what_is_no_npy_file_is_refused(tmp_path: Path):
    (tmp_path / "a.npy").write_bytes(b"PK\x03\x04 no array")
    with pytest.raises(InputError, match=r"a\.npy: not a \.npy file"):
        read_header(tmp_path / "a.npy")
    with pytest.raises(InputError, match="no such file"):
        read_header(tmp_path / "b.npy")


def test_the_footer_changes_with_the_data(tmp_path: Path):
    _, table = write_shard(tmp_path, 0, random_units(2), ["a", "b"])
    rows, digest = read_footer(table)
    raw = table.read_bytes()
    length = int.from_bytes(raw[-8:-4], "little")
    assert (rows, digest) == (2, hashlib.sha256(raw[-8 - length : -8]).hexdigest())
    write_shard(tmp_path, 0, random_units(2), ["a", "c"])
    assert read_footer(table)[1] != digest


def test_inputs_without_a_row_are_refused(tmp_path: Path):
    write_shard(tmp_path, 0, np.zeros((0, 4)), [])
    with pytest.raises(InputError, match="no rows"):
        build_manifest(list_files(tmp_path), "")
