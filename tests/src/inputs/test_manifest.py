import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_inputs import random_units, write_shard

from verbatim.inputs.layouts import InputError, list_files
from verbatim.inputs.manifest import (
    build_manifest,
    covering,
    format_manifest,
    full_digest,
    read_footer,
    read_header,
    sample_digest,
)
from verbatim.inputs.rows import read_shard
from verbatim.io.records import read_manifest


def test_rows_are_counted_on_over_the_shards(tmp_path: Path):
    for number, n in enumerate((3, 1, 4)):
        write_shard(tmp_path, number, random_units(n, 8), ["a"] * n)
    manifest = build_manifest(list_files(tmp_path), "images")
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


def write_parts(folder: Path, sizes: list[int]) -> list[str]:
    """LAION's tables with these numbers of rows, captions counted on over all; in groups of two rows."""
    captions = [str(i) for i in range(sum(sizes))]
    start = 0
    for number, size in enumerate(sizes):
        table = pd.DataFrame(
            {
                "SAMPLE_ID": range(start, start + size),
                "URL": "u",
                "TEXT": captions[start : start + size],
            }
        )
        table.to_parquet(folder / f"part-{number:05d}-x-c000.snappy.parquet", row_group_size=2)
        start += size
    return captions


def write_arrays(folder: Path, sizes: list[int]) -> None:
    (folder / "img_emb").mkdir()
    for number, size in enumerate(sizes):
        np.save(folder / "img_emb" / f"img_emb_{number:04d}.npy", random_units(size).astype("f2"))


@pytest.mark.parametrize(
    ("arrays", "tables"),
    [
        ([3, 4, 2], [5, 4]),
        ([9], [2, 3, 4]),
        ([2, 3, 4], [9]),
        ([3, 3, 3], [3, 3, 3]),
        ([4, 0, 5, 0], [0, 5, 0, 4]),
    ],
)
def test_tables_cut_differently_give_each_shard_its_own_rows(tmp_path: Path, arrays, tables):
    captions = write_parts(tmp_path, tables)
    write_arrays(tmp_path, arrays)
    manifest = build_manifest(list_files(tmp_path), "")
    (tmp_path / "manifest.tsv").write_text(format_manifest(manifest))
    found = []
    for shard in read_manifest(tmp_path / "manifest.tsv").to_dict("records"):
        part = read_shard(shard["metadata"].split("|"), shard["metadata_row"], shard["rows"])
        assert len(part) == shard["rows"]
        assert len(shard["footer_sha256"].split("|")) == len(shard["metadata"].split("|"))
        found += part["caption"].tolist()
    assert found == captions


def test_covering_names_no_table_that_holds_no_row_of_the_shard():
    starts = np.array([0, 5, 9, 12])
    assert covering(0, 5, starts) == (0, 1, 0)
    assert covering(5, 4, starts) == (1, 2, 0)
    assert covering(3, 3, starts) == (0, 2, 3)
    assert covering(11, 1, starts) == (2, 3, 2)


def test_laions_tables_with_another_total_are_refused_with_the_cure(tmp_path: Path):
    write_parts(tmp_path, [5, 5])
    write_arrays(tmp_path, [4, 5])
    with pytest.raises(InputError, match=r"have 9 rows, the 2 tables .* 10: .*metadata_N\.parquet"):
        build_manifest(list_files(tmp_path), "")


def test_a_source_without_embeddings_has_a_manifest_too(tmp_path: Path):
    write_parts(tmp_path, [5, 4])
    manifest = build_manifest(list_files(tmp_path), "")
    assert manifest["rows"].tolist() == [5, 4]
    assert set(manifest["embeddings"]) == {""}
    assert set(manifest["dim"]) == {0}


def test_the_sampled_digest_changes_with_size_and_blocks_and_says_that_it_is_sampled(
    tmp_path: Path,
):
    file = tmp_path / "a.npy"
    file.write_bytes(bytes(3_000_000))
    first = sample_digest(file)
    assert first.startswith("sampled:")
    file.write_bytes(bytes(3_000_001))
    longer = sample_digest(file)
    data = bytearray(3_000_000)
    data[-1] = 1
    file.write_bytes(data)
    assert len({first, longer, sample_digest(file)}) == 3
    data[-1], data[100_000] = 0, 1  # between two blocks: only the full digest sees it
    file.write_bytes(data)
    assert sample_digest(file) == first
    assert full_digest(file) == hashlib.sha256(data).hexdigest()


def test_a_digest_of_a_small_file_is_of_all_of_it(tmp_path: Path):
    digests = set()
    for content in (b"", b"a", b"b", bytes(70_000), bytes(69_999) + b"a"):
        (tmp_path / "a").write_bytes(content)
        digests.add(sample_digest(tmp_path / "a"))
    assert len(digests) == 5
