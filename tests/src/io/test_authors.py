"""The authors' layout: what is read of it, what is refused, and how its prompts are found in the data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_authors import LABELS, ROWS, write_labels

from verbatim.io.authors import (
    COLUMNS,
    AuthorsError,
    find_rows,
    labels_table,
    listed_captions,
    read_labels,
)
from verbatim.io.parquet import write_parquet


def test_labels_are_read_with_plain_lists_and_absent_ones_empty(tmp_path):
    out = read_labels(write_labels(tmp_path / "a.parquet"))
    assert list(out.columns) == ["row", *COLUMNS]
    assert out["row"].tolist() == ROWS
    assert out["gen_seeds"].tolist() == [[], [0, 3], [1], []]
    assert out["template_indices"].tolist() == [[], [], [[0, 2]], []]
    assert out["retrieved_urls"].tolist() == LABELS["retrieved_urls"]
    assert out["url"].tolist() == [*LABELS["url"][:2], "", LABELS["url"][3]]
    assert out["mse_real_gen"][0] == 120.5
    assert np.isnan(out["mse_real_gen"][3])


def test_labels_that_are_written_are_read_as_they_were(tmp_path):
    once = read_labels(write_labels(tmp_path / "a.parquet"))
    write_parquet(tmp_path / "b.parquet", labels_table(once))
    pd.testing.assert_frame_equal(read_labels(tmp_path / "b.parquet"), once)
    index = pd.read_parquet(tmp_path / "b.parquet").index  # as anybody reads the authors' files
    assert index.tolist() == ROWS


def test_labels_of_any_text_type_and_with_their_rows_as_a_range_are_the_same(tmp_path):
    plain = read_labels(write_labels(tmp_path / "a.parquet"))
    table = pq.read_table(tmp_path / "a.parquet")
    kinds = {
        "caption": pa.string_view(),
        "url": pa.large_string(),
        "overfit_type": pa.dictionary(pa.int8(), pa.string()),
    }
    for name, kind in kinds.items():
        table = table.set_column(table.column_names.index(name), name, table[name].cast(kind))
    urls = table["retrieved_urls"].combine_chunks()
    words = urls.flatten().dictionary_encode()
    listed = pa.LargeListArray.from_arrays(urls.offsets.cast(pa.int64()), words)
    table = table.set_column(table.column_names.index("retrieved_urls"), "retrieved_urls", listed)
    pq.write_table(table, tmp_path / "b.parquet")
    pd.testing.assert_frame_equal(read_labels(tmp_path / "b.parquet"), plain)
    frame = pd.DataFrame(LABELS, index=pd.RangeIndex(10, 18, 2))
    frame.to_parquet(tmp_path / "c.parquet")
    assert read_labels(tmp_path / "c.parquet")["row"].tolist() == [10, 12, 14, 16]


def test_a_file_without_a_single_copy_is_read_though_its_lists_have_no_type(tmp_path):
    none = {"gen_seeds": [[]] * 4, "retrieved_urls": [[]] * 4, "template_indices": [[]] * 4}
    out = read_labels(write_labels(tmp_path / "a.parquet", overfit_type=["N"] * 4, **none))
    assert out["gen_seeds"].tolist() == [[]] * 4


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"overfit_type": ["MV", "RV", "XV", "N"]}, [f"row {2**40}", "'XV'", "MV, RV, TV, N"]),
        ({"overfit_type": ["MV", "RV", None, "N"]}, [f"row {2**40}", "no overfit_type"]),
        ({"overfit_type": [1, 2, 3, 4]}, ["'overfit_type' is int64, not text"]),
        ({"caption": ["a", None, "b", "c"]}, ["row 3 has no caption"]),
        ({"caption": [1.5, 2.5, 3.5, 4.5]}, ["'caption' is double, not text"]),
        ({"gen_seeds": ["0", "1", "2", "3"]}, ["'gen_seeds'", "string, not a list of whole"]),
        ({"gen_seeds": [["a"], ["b"], [], []]}, ["'gen_seeds'", "not a list of whole numbers"]),
        ({"retrieved_urls": [[1], [2], [], []]}, ["'retrieved_urls'", "not a list of texts"]),
        ({"template_indices": [[1], [2], [], []]}, ["'template_indices'", "list of lists"]),
        ({"mse_real_gen": ["low"] * 4}, ["'mse_real_gen'", "string, not a number"]),
        ({"drop": "gen_seeds"}, ["['gen_seeds'] are missing", "caption"]),
        ({"rows": [7, 3, 7, 9]}, ["row 7 occurs twice", "take one away"]),
        ({"rows": [7, 3, -1, 9]}, ["the index has -1, which is no row"]),
        ({"rows": ["7", "3", "5", "9"]}, ["the index is", "not rows of LAION"]),
    ],
    ids=str,
)
def test_bad_labels_are_refused_with_file_column_and_row(tmp_path, changed, words):
    path = write_labels(tmp_path / "theirs.parquet", **changed)
    with pytest.raises(AuthorsError) as err:
        read_labels(path)
    for word in ["theirs.parquet", *words]:
        assert word in str(err.value)


def test_what_is_no_parquet_or_not_there_is_refused(tmp_path):
    (tmp_path / "a.parquet").write_text("caption,url")
    for name in ("a.parquet", "none.parquet"):
        with pytest.raises(
            AuthorsError, match=rf"{name}: (cannot be read as Parquet|no such file)"
        ):
            read_labels(tmp_path / name)


def naive_row(caption: str, url: str, data: pd.DataFrame) -> tuple[int, int]:
    best, count = (-1, -1), 0
    for one in data.to_dict("records"):
        same, at = one["caption"] == caption, bool(url) and one["url"] == url
        count += same
        worth = 2 if same and at else 1 if same else 0 if at else -1
        if worth >= 0 and (worth > best[0] or (worth == best[0] and one["row"] < best[1])):
            best = (worth, one["row"])
    return best[1], count


CAPTION, URL = st.sampled_from("abcde"), st.sampled_from(["", "u", "v", "w"])


@st.composite
def lists_and_data(draw) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A list of prompts, and rows that share few captions and addresses with each other and with it."""
    listed = draw(st.lists(st.tuples(CAPTION, URL), unique_by=lambda one: one[0]))
    some = draw(st.lists(st.tuples(CAPTION, URL), max_size=30))
    rows = draw(st.permutations(range(len(some))))
    data = pd.DataFrame(some, columns=["caption", "url"]).assign(row=rows)
    return pd.DataFrame(listed, columns=["caption", "url"]), data.astype({"row": "int64"})


@given(lists_and_data(), st.integers(1, 30), st.randoms(use_true_random=False))
def test_rows_are_found_as_by_a_loop_whatever_the_shards_and_their_order(tables, size, random):
    wanted, data = tables
    shards = [data.iloc[i : i + size] for i in range(0, len(data), size)]
    random.shuffle(shards)
    found = find_rows(wanted, shards)
    assert list(zip(found["row"], found["caption_count"], strict=True)) == [
        naive_row(c, u, data) for c, u in zip(wanted["caption"], wanted["url"], strict=True)
    ]


@given(lists_and_data())
def test_a_row_that_is_found_has_what_the_answer_says_it_shares(tables):
    wanted, data = tables
    of_row = data.set_index("row")
    for one, asked in zip(find_rows(wanted, [data]).itertuples(), wanted.itertuples(), strict=True):
        if one.how == "":
            assert one.row == -1
            continue
        theirs = of_row.loc[one.row]
        same = {
            "caption": theirs.caption == asked.caption,
            "url": bool(asked.url) and theirs.url == asked.url,
        }
        assert one.how == " and ".join(name for name, equal in same.items() if equal)


def test_nothing_is_found_in_no_data_and_each_caption_is_listed_once(tmp_path):
    labels = read_labels(write_labels(tmp_path / "a.parquet", caption=["a", "b", "a", "c"]))
    listed = listed_captions(labels)
    assert listed["row"].tolist() == [7, 3, 9]
    found = find_rows(listed, [])
    assert found["row"].tolist() == [-1, -1, -1]
    assert found["how"].tolist() == ["", "", ""]
