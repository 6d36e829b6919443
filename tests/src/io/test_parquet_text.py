"""Any type of Parquet column as text, in memory that the file cannot choose; JSON lines beside it."""

from __future__ import annotations

import datetime
import decimal
import json
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from law_examples import examples

from verbatim.io import parquet_text
from verbatim.io.parquet_text import LONGEST_CELL, TextColumn, UserTableError, read_texts
from verbatim.io.user_tables import CAPTIONS, read_user_table, whole_number

ROOT = Path(__file__).resolve().parents[3]
WORDS = ["one red heart", "größer 🐼", None]


def lists(kind):
    return pa.array([[word] if word else None for word in WORDS], kind)


TYPES = {
    "string": pa.array(WORDS),
    "large_string": pa.array(WORDS, pa.large_string()),
    "string_view": pa.array(WORDS).cast(pa.string_view()),
    "dictionary": pa.array(WORDS).dictionary_encode(),
    "dictionary of large_string": pa.array(WORDS, pa.large_string()).dictionary_encode(),
    "binary": pa.array([word and word.encode() for word in WORDS]),
    "large_binary": pa.array([word and word.encode() for word in WORDS], pa.large_binary()),
    "binary_view": pa.array([word and word.encode() for word in WORDS], pa.binary_view()),
    "dictionary of binary": pa.array([w and w.encode() for w in WORDS]).dictionary_encode(),
    "list of one": lists(pa.list_(pa.string())),
    "large list of one": lists(pa.large_list(pa.string())),
    "list of one of a dictionary": pa.ListArray.from_arrays(
        [0, 1, 2, 2], pa.array(WORDS[:2]).dictionary_encode()
    ),
    "fixed list of one": pa.FixedSizeListArray.from_arrays(pa.array(WORDS), 1),
    "list of a list of one": pa.array([[[word]] if word else None for word in WORDS]),
}


@pytest.mark.parametrize("name", TYPES)
@pytest.mark.parametrize("use_dictionary", [True, False])
def test_text_of_every_type_is_the_same_text(tmp_path, name, use_dictionary):
    path = tmp_path / "a.parquet"
    table = pa.table({"id": [1, 2, 3], "Caption": TYPES[name]})
    pq.write_table(table, path, use_dictionary=use_dictionary, row_group_size=2)
    read = read_user_table(path, CAPTIONS, ["caption"])
    assert read.frame["caption"].tolist() == WORDS
    assert read.where(1).endswith("a.parquet, row 1")


def test_categories_and_missing_values_of_pandas_are_read(tmp_path):
    frame = pd.DataFrame(
        {
            "caption": pd.Categorical(["b", None, "a"]),
            "number": [12, None, 3],
            "half": [0.5, float("nan"), 2.0],
            "object": ["x", None, float("nan")],
            "none": [None, None, None],
        },
        index=[5, 6, 7],
    )
    frame.to_parquet(tmp_path / "a.parquet")
    read = read_texts(tmp_path / "a.parquet", list(frame))
    assert {name: values.tolist() for name, values in read.items()} == {
        "caption": ["b", None, "a"],
        "number": ["12", None, "3"],
        "half": ["0.5", None, "2"],
        "object": ["x", None, None],
        "none": [None, None, None],
    }


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (pa.array([1, None], pa.uint64()), ["1", None]),
        (pa.array([2**63 - 1, -1]), ["9223372036854775807", "-1"]),
        (pa.array([1, 2]).dictionary_encode(), ["1", "2"]),
        (pa.array([0.1, 12], pa.float32()), ["0.1", "12"]),
        (pa.array([True, None]), ["true", None]),
        (pa.array([b"ab", None], pa.binary(2)), ["ab", None]),
        (pa.array([datetime.date(2026, 1, 31), None]), ["2026-01-31", None]),
        (
            pa.array([datetime.datetime(2026, 1, 31, 5)], pa.timestamp("ms")),
            ["2026-01-31 05:00:00.000"],
        ),
        (pa.array([decimal.Decimal("1.50")]), ["1.50"]),
        (pa.array([[7], []]), ["7", None]),
        (pa.nulls(2), [None, None]),
    ],
    ids=lambda value: str(value.type) if isinstance(value, pa.Array) else "",
)
def test_numbers_dates_and_truth_values_are_text_as_they_are_usually_written(
    tmp_path, values, texts
):
    pq.write_table(pa.table({"x": values}), tmp_path / "a.parquet")
    assert read_texts(tmp_path / "a.parquet", ["x"])["x"].tolist() == texts


BAD = pa.array([b"a", b"\xff\xfe", b"c"])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (pa.array([{"en": "a"}]), "column 'x' is struct<en: string>, not text"),
        (pa.array([[("a", "b")]], pa.map_(pa.string(), pa.string())), "is map<string"),
        (pa.array([["a"], ["b", "c"]]), "row 1: a list of 2 where one text is needed"),
        (BAD, "row 1: no UTF-8 (byte 0xff)"),
        (BAD.dictionary_encode(), "row 1: no UTF-8"),
        (pa.Array.from_buffers(pa.string(), 3, BAD.buffers()), "row 1: no UTF-8"),
        (pa.ListArray.from_arrays([0, 0, 1, 2], pa.array([b"a", b"\xff"])), "row 2: no UTF-8"),
        (pa.array(["a", "b" * (LONGEST_CELL + 1)]), f"row 1: a text of {LONGEST_CELL + 1} bytes"),
    ],
    ids=range(8),
)
def test_what_is_no_text_is_refused_by_column_and_row(tmp_path, values, words):
    pq.write_table(pa.table({"x": values}), tmp_path / "a.parquet")
    with pytest.raises(UserTableError) as err:
        read_texts(tmp_path / "a.parquet", ["x"])
    assert words in str(err.value)
    assert "a.parquet" in str(err.value)


def test_a_damaged_file_is_refused_by_name(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"x": [f"word {i}" for i in range(5000)]}), path)
    data = bytearray(path.read_bytes())
    path.write_bytes(data[:-100])
    with pytest.raises(UserTableError, match=r"a\.parquet: cannot be read as Parquet"):
        read_texts(path, ["x"])
    data[100:2000] = b"\x07" * 1900
    path.write_bytes(data)
    with pytest.raises(UserTableError, match=r"a\.parquet: cannot be read as Parquet"):
        read_texts(path, ["x"])


def test_rows_from_the_middle_are_read_whatever_the_row_groups(tmp_path):
    words = [f"w{i}" for i in range(100)]
    for size in (7, 50, 200):
        pq.write_table(pa.table({"x": words}), tmp_path / "a.parquet", row_group_size=size)
        for start, count in ((0, None), (5, 20), (49, 2), (90, None), (100, None), (95, 50)):
            got = read_texts(tmp_path / "a.parquet", ["x"], start, count)["x"].tolist()
            assert got == words[start : None if count is None else start + count]


def dictionary_bomb(path):
    """20 GB of captions in 47 kB: one text of a megabyte, twenty thousand times."""
    one = pa.DictionaryArray.from_arrays(pa.array([0] * 20000, pa.int32()), ["x" * 1_000_000])
    pq.write_table(pa.table({"caption": one}), path)


def list_bomb(path):
    one = pa.DictionaryArray.from_arrays(pa.array([0] * 20000, pa.int32()), ["x" * 1_000_000])
    pq.write_table(pa.table({"caption": pa.ListArray.from_arrays(range(20001), one)}), path)


READ = """
import resource, sys
from verbatim.io.user_tables import CAPTIONS, UserTableError, read_user_table
from verbatim.inputs.rows import read_metadata
from verbatim.inputs.layouts import InputError
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for call in (lambda p: read_user_table(p, CAPTIONS, ["caption"]), read_metadata):
    try:
        call(sys.argv[1])
        print("read")
    except (UserTableError, InputError) as err:
        print(err)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


@pytest.mark.slow
@pytest.mark.parametrize("bomb", [dictionary_bomb, list_bomb])
def test_a_small_file_that_unpacks_to_gigabytes_is_refused_in_bounded_memory(tmp_path, bomb):
    path = tmp_path / "bomb.parquet"
    bomb(path)
    assert path.stat().st_size < 100_000
    done = subprocess.run(
        [sys.executable, "-c", READ, str(path)], capture_output=True, text=True, timeout=300,
        env={"PYTHONPATH": str(ROOT / "workflow/src"), "OMP_NUM_THREADS": "1"}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    user, inputs, peak = done.stdout.splitlines()
    for said in (user, inputs):
        assert "bomb.parquet: column 'caption' holds more than" in said
    assert int(peak) < 300, f"{peak} MB"


def test_a_row_group_that_states_gigabytes_is_refused_by_its_footer(tmp_path, monkeypatch):
    path = tmp_path / "a.parquet"
    texts = pa.table({"x": ["y" * 100_000 + str(i) for i in range(20)], "n": range(20)})
    pq.write_table(texts, path, compression="zstd", use_dictionary=False)
    assert path.stat().st_size < 20_000
    monkeypatch.setattr(parquet_text, "CHUNK_BYTES", 1_000_000)
    with pytest.raises(
        UserTableError, match=r"column 'x' of row group 0 holds 20 values in 2\d+ bytes"
    ):
        read_texts(path, ["x"])
    assert read_texts(path, ["n"])["n"].tolist() == [str(i) for i in range(20)]
    monkeypatch.setattr(parquet_text, "MOST_ROWS", 19)
    with pytest.raises(UserTableError, match="20 rows, more than 19"):
        read_texts(path, [])


def test_texts_that_are_all_different_are_counted_as_they_are_held(tmp_path, monkeypatch):
    path = tmp_path / "a.parquet"
    texts = ["y" * 100_000 + str(i) for i in range(30)]
    pq.write_table(pa.table({"x": texts}), path, compression="zstd", row_group_size=3)
    assert path.stat().st_size < 30_000
    monkeypatch.setattr(parquet_text, "HELD_BYTES", 1_000_000)
    with pytest.raises(
        UserTableError, match=r"column 'x' holds more than 1\d+ bytes .*rows up to 11"
    ):
        read_texts(path, ["x"])


def test_a_dictionary_of_a_whole_row_group_costs_a_batch_only_what_its_rows_have(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(parquet_text, "BATCH_ROWS", 10)
    words = [f"w{i}" for i in range(50)] * 2
    pq.write_table(pa.table({"x": pa.array(words).dictionary_encode()}), tmp_path / "a.parquet")
    monkeypatch.setattr(parquet_text, "HELD_BYTES", sum(map(len, words)))
    assert read_texts(tmp_path / "a.parquet", ["x"])["x"].tolist() == words


def test_a_lenient_column_leaves_out_what_is_no_text_and_keeps_the_rest():
    column = TextColumn("x", lenient=True)
    column.add(0, BAD)
    column.add(3, pa.array([["a"], ["b", "c"], None]))
    assert column.result().tolist() == ["a", None, "c", "a", None, None]


TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@examples(100)
@given(
    st.lists(st.none() | TEXT),
    st.sampled_from([pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]),
    st.integers(1, 7),
)  # fmt: skip
def test_what_pyarrow_writes_is_read_back(tmp_path_factory, texts, kind, group):
    path = tmp_path_factory.mktemp("parquet") / "a.parquet"
    pq.write_table(
        pa.table({"text": pa.array(texts, pa.string()).cast(kind)}), path, row_group_size=group
    )
    assert read_user_table(path, CAPTIONS, ["caption"]).frame["caption"].tolist() == texts


@examples(100)
@given(st.lists(st.none() | TEXT, min_size=1), st.booleans())
def test_what_pandas_and_json_write_as_lines_is_read_back(tmp_path_factory, texts, ascii_only):
    path = tmp_path_factory.mktemp("json") / "a.jsonl"
    frame = pd.DataFrame({"caption": pd.Series(texts, dtype=object), "seed": 7})
    frame.to_json(path, orient="records", lines=True, force_ascii=ascii_only)
    table = read_user_table(path, CAPTIONS | {"seed": ("seed",)}, ["caption"])
    assert table.frame["caption"].tolist() == texts
    assert set(table.frame["seed"]) == {"7"}
    lines = [json.dumps({"caption": text}, ensure_ascii=ascii_only) for text in texts]
    path.write_text("\n".join(lines), encoding="utf-8")
    assert read_user_table(path, CAPTIONS, ["caption"]).frame["caption"].tolist() == texts


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("[" * 100_000, "nested too deep"),
        ('{"a":' * 100_000, "nested too deep"),
        ('["a"]', "a JSON list, no object"),
        ('{"caption": "a"', "no JSON object"),
        ("caption", "no JSON object"),
        ('{"caption": "a", "caption": "b"}', "the key 'caption' occurs twice"),
        ('{"caption": "a\\ud800"}', "half of a surrogate pair at character 1"),
        ('{"caption": ["a", "b"]}', "'caption' is a JSON list, not text"),
        ('{"caption": {"en": "a"}}', "'caption' is a JSON dict, not text"),
        ('{"caption": Infinity}', "Infinity is no JSON"),
    ],
    ids=range(10),
)
def test_a_line_that_is_no_row_is_refused_by_its_number(tmp_path, line, words):
    (tmp_path / "a.jsonl").write_text('{"caption": "fine"}\n\n' + line + "\n")
    with pytest.raises(UserTableError) as err:
        read_user_table(tmp_path / "a.jsonl", CAPTIONS, ["caption"])
    assert f"a.jsonl, line 3: {words}" in str(err.value) or words in str(err.value)
    assert "line 3" in str(err.value)


def test_numbers_of_json_stay_as_written_and_a_list_of_one_is_that_one(tmp_path):
    lines = ['{"caption": ["a"], "seed": 12345678901234567890, "url": 1.50}', '{"caption": true}']
    (tmp_path / "a.jsonl").write_text("\n".join(lines))
    table = read_user_table(tmp_path / "a.jsonl", CAPTIONS | {"seed": ("seed",)}, ["caption"])
    assert table.frame.to_dict("list") == {
        "caption": ["a", "true"],
        "url": ["1.50", None],
        "seed": ["12345678901234567890", None],
    }


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("7", 7), ("007", 7), (" 12.0 ", 12), ("1.2e1", 12), ("9223372036854775807", 2**63 - 1),
        ("9223372036854775808", None), ("-1", None), ("1.5", None), ("", None), ("nan", None), ("x", None),
        ("1e999999999", None), ("inf", None),
    ],
)  # fmt: skip
def test_a_whole_number_is_read_in_any_common_form_and_exactly(text, number):
    assert whole_number(text) == number
