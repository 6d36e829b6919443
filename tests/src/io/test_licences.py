"""Licences that a data set's metadata name, in tables that pyarrow writes."""

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from verbatim.io.licences import read_licences
from verbatim.io.parquet_text import UserTableError


def write(path, name="LICENSE", n=6, first=0):
    said = [None if i % 3 == 2 else f"cc-by {first + i}" for i in range(n)]
    table = pa.table(
        {"TEXT": [f"caption {i}" for i in range(n)], name: pa.array(said, pa.string())}
    )
    pq.write_table(table, path, row_group_size=2)
    return str(path)


def manifest(*shards):
    columns = ["metadata", "first_row", "rows", "metadata_row"]
    return pd.DataFrame(shards, columns=columns)


@pytest.mark.parametrize("name", ["LICENSE", "license", "Licence"])
def test_a_row_has_the_licence_at_its_place_whatever_the_columns_case(tmp_path, name):
    one, two = write(tmp_path / "a.parquet", name), write(tmp_path / "b.parquet", name, first=6)
    shards = manifest((one, 0, 6, 0), (two, 6, 6, 0))
    assert read_licences(shards, [10, 1, 0, 2]) == {0: "cc-by 0", 1: "cc-by 1", 10: "cc-by 10"}


def test_a_shard_that_starts_inside_a_table_and_goes_on_in_the_next_is_followed(tmp_path):
    one, two = write(tmp_path / "a.parquet"), write(tmp_path / "b.parquet", first=6)
    shards = manifest((f"{one}|{two}", 100, 5, 4))
    assert read_licences(shards, [100, 101, 102, 103]) == {
        100: "cc-by 4",
        102: "cc-by 6",
        103: "cc-by 7",
    }


def test_metadata_without_the_column_name_none(tmp_path):
    shards = manifest((write(tmp_path / "a.parquet", "terms"), 0, 6, 0), ("", 6, 6, 0))
    assert read_licences(shards, [0, 7]) == {}
    assert read_licences(shards, []) == {}


def test_a_table_that_is_no_parquet_is_an_error_that_names_it(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"no table")
    with pytest.raises(UserTableError, match=r"a\.parquet"):
        read_licences(manifest((str(tmp_path / "a.parquet"), 0, 6, 0)), [1])
