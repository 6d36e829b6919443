"""Tables hold to their contract at both doors, or the file and the column are named."""

import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from law_examples import examples

from verbatim.io.records import (
    MANIFEST,
    OLD_COLUMNS,
    SCHEMAS,
    RecordError,
    TableWriter,
    count_rows,
    find_rows,
    iter_table,
    prompt_id,
    read_manifest,
    read_table,
    read_tables,
    rows_between,
    to_table,
    write_table,
)
from verbatim.io.seals import DamagedError

PAIRS = {"row_a": [0, 2], "row_b": [1, 5], "similarity": [0.5, 1.0]}


def test_a_table_comes_back_with_its_types_and_order(tmp_path):
    path = tmp_path / "folder" / "pairs.parquet"
    write_table(path, "pairs", {name: PAIRS[name] for name in reversed(PAIRS)})
    assert pq.read_schema(path).equals(SCHEMAS["pairs"])
    got = read_table(path, "pairs")
    assert list(got.columns) == list(PAIRS)
    assert got.to_dict("list") == PAIRS
    assert list(read_table(path, "pairs", ["row_b"]).row_b) == [1, 5]
    assert list(read_table(path, "pairs", filters=[("row_a", ">", 0)]).row_b) == [5]
    assert not list(tmp_path.rglob("*.tmp"))


I64 = st.integers(-(2**63), 2**63 - 1)
LINES = st.lists(st.tuples(I64, I64, st.floats(width=32)), max_size=20)


def frame_of(lines: list[tuple]) -> pd.DataFrame:
    types = {"row_a": "int64", "row_b": "int64", "similarity": "float32"}
    return pd.DataFrame(lines, columns=list(types)).astype(types)


@examples(25)
@given(LINES, st.integers(1, 21))
def test_a_table_comes_back_to_the_bit_whole_or_in_pieces(lines, size):
    table = frame_of(lines)
    with tempfile.TemporaryDirectory() as name:
        one, two = Path(name) / "one.parquet", Path(name) / "two.parquet"
        write_table(one, "pairs", table)
        with TableWriter(two, "pairs") as pieces:
            for i in range(0, len(table), size):
                pieces.write(table[i : i + size])
        for path in (one, two):
            pd.testing.assert_frame_equal(read_table(path, "pairs"), table, check_exact=True)
            assert count_rows(path) == len(table)
        several = read_tables([one, two], "pairs")
        pd.testing.assert_frame_equal(several, pd.concat([table, table], ignore_index=True))


@examples(25)
@given(st.lists(st.integers(0, 30)), st.lists(st.integers(-1, 31)), st.integers(1, 9))
def test_the_lines_of_rows_are_all_that_name_one_of_them_in_the_tables_order(rows, asked, size):
    table = pd.DataFrame({"row": rows, "cluster": range(len(rows))}, dtype="int64")
    wanted = np.array(asked, dtype=np.int64)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "clusters.parquet"
        with TableWriter(path, "clusters") as pieces:
            for i in range(0, len(table), size):
                pieces.write(table[i : i + size])
        found, between = find_rows(path, "clusters", wanted), rows_between(path, "clusters", wanted)
    assert found["cluster"].tolist() == [i for i, row in enumerate(rows) if row in asked]
    assert between["cluster"].tolist() == [
        i for i, row in enumerate(rows) if asked and min(asked) <= row <= max(asked)
    ]


@given(st.text(), st.text())
def test_two_captions_share_a_key_only_if_they_are_one(a, b):
    assert (prompt_id(a) == prompt_id(b)) == (a == b)
    assert 0 <= prompt_id(a) < 2**63


@pytest.mark.slow
def test_every_kind_can_be_empty(tmp_path):
    for kind in SCHEMAS:
        write_table(tmp_path / "t", kind, SCHEMAS[kind].empty_table().to_pandas())
        assert len(read_table(tmp_path / "t", kind)) == 0, kind
        assert list(read_tables([], kind).columns) == SCHEMAS[kind].names, kind


def test_a_missing_and_an_unknown_column_are_named_on_writing(tmp_path):
    with pytest.raises(RecordError, match=r"t\.parquet.*lacks \['row_b'\].*unknown \['rowb'\]"):
        write_table(
            tmp_path / "t.parquet", "pairs", {"row_a": [1], "rowb": [2], "similarity": [1.0]}
        )
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("values", [["a", "b"], [0.5, 1.5], [2**70, 1]])
def test_a_wrong_type_is_refused_on_writing(values):
    with pytest.raises(RecordError, match="pairs table has the wrong type"):
        to_table("pairs", PAIRS | {"row_a": values})


def test_a_missing_column_and_a_wrong_type_are_named_on_reading(tmp_path):
    pq.write_table(pa.table({"row_a": [1], "similarity": [1.0]}), tmp_path / "a.parquet")
    with pytest.raises(RecordError, match=r"a\.parquet.*'row_b'"):
        read_table(tmp_path / "a.parquet", "pairs")
    pq.write_table(pa.table(PAIRS), tmp_path / "b.parquet")
    with pytest.raises(RecordError, match=r"b\.parquet: column 'similarity' is double.*float"):
        read_table(tmp_path / "b.parquet", "pairs")


def test_a_missing_file_and_one_that_is_no_parquet_are_named(tmp_path):
    with pytest.raises(RecordError, match=r"a\.parquet: no such file; run the rule"):
        read_table(tmp_path / "a.parquet", "pairs")
    (tmp_path / "b.parquet").write_text("row_a,row_b")
    with pytest.raises(DamagedError, match=r"b\.parquet: .*not a Parquet file .*delete it"):
        read_table(tmp_path / "b.parquet", "pairs")


def test_a_prompts_key_is_made_of_its_caption_alone():
    # a fixed value: another one would orphan every stored result
    assert prompt_id("red heart") == 5677511681885013471
    captions = ["", "a", "A", "a ", "😀", "../x", "\n", "\ud800", "a" * 10_000]
    keys = [prompt_id(caption) for caption in captions]
    assert len(set(keys)) == len(captions)
    assert all(0 <= key < 2**63 for key in keys)
    np.asarray(keys, dtype=np.int64)


def test_a_manifest_is_read_with_its_types(tmp_path):
    row = ["00000", "e.npy", "m.parquet", "3", "0", "8", "", "ab", "0", "cd"]
    table = pd.DataFrame([row], columns=list(MANIFEST))
    table.to_csv(tmp_path / "m.tsv", sep="\t", index=False)
    got = read_manifest(tmp_path / "m.tsv")
    assert got.loc[0, "shard"] == "00000"
    assert got.loc[0, "rows"] == 3
    assert got.loc[0, "archive"] == ""


@pytest.mark.parametrize("change", [{"rows": "many"}, {"dim": None}])
def test_a_broken_manifest_is_named_with_its_cure(tmp_path, change):
    row = dict.fromkeys(MANIFEST, "1") | {k: v for k, v in change.items() if v}
    table = pd.DataFrame([row]).drop(columns=[k for k, v in change.items() if v is None])
    table.to_csv(tmp_path / "m.tsv", sep="\t", index=False)
    with pytest.raises(RecordError, match=r"m\.tsv: .*run the rule check_inputs"):
        read_manifest(tmp_path / "m.tsv")
    with pytest.raises(RecordError, match=r"x\.tsv: no such file"):
        read_manifest(tmp_path / "x.tsv")


@pytest.mark.parametrize(("new", "old"), OLD_COLUMNS.items())
def test_a_column_under_its_earlier_name_is_refused_with_the_word_of_today(tmp_path, new, old):
    kind = "whitebox_seeds"
    table = (
        SCHEMAS[kind]
        .empty_table()
        .rename_columns([old if name == new else name for name in SCHEMAS[kind].names])
    )
    pq.write_table(table, tmp_path / "old.parquet")
    with pytest.raises(RecordError, match=f"column '{new}'; its '{old}' is an earlier name of it"):
        read_table(tmp_path / "old.parquet", kind)


def test_a_table_is_written_and_read_in_pieces(tmp_path):
    path = tmp_path / "deep" / "pairs.parquet"
    with TableWriter(path, "pairs") as table:
        for i in range(3):
            table.write({"row_a": [i], "row_b": [i + 1], "similarity": [0.5]})
        assert not path.exists()
    assert count_rows(path) == 3
    assert [piece["row_a"].tolist() for piece in iter_table(path, "pairs")] == [[0], [1], [2]]
    assert [list(piece) for piece in iter_table(path, "pairs", ["row_b"])] == [["row_b"]] * 3
    with pytest.raises(RecordError, match="must have a column 'row'"):
        list(iter_table(path, "clusters"))
    with TableWriter(tmp_path / "empty.parquet", "pairs"):
        pass
    assert read_table(tmp_path / "empty.parquet", "pairs").empty
    assert list(iter_table(tmp_path / "empty.parquet", "pairs")) == []


def test_a_table_that_was_not_finished_is_not_there(tmp_path):
    with pytest.raises(RecordError), TableWriter(tmp_path / "pairs.parquet", "pairs") as table:
        table.write({"row_a": [1]})
    assert not list(tmp_path.iterdir())


def test_some_columns_of_a_range_of_rows_are_read(tmp_path):
    path = tmp_path / "clusters.parquet"
    write_table(path, "clusters", {"row": [1, 3, 5, 7], "cluster": [1, 1, 5, 5]})
    found = rows_between(path, "clusters", np.array([2, 6]), ["cluster"])
    assert found.to_dict("list") == {"cluster": [1, 5]}
