"""Prompts from a list: what is read, what is left out, and which rows they get."""

from __future__ import annotations

import functools

import pandas as pd
import pytest

from verbatim.dedup import DedupError
from verbatim.dedup.listed import listed_prompts, read_prompt_list, unplaced_prompts
from verbatim.io.records import to_table

CHARS = (2, 20)
ROWS = {
    "caption": ["red heart", "blue heart", "red heart", "x", None, "y" * 30, "cat"],
    "url": ["u1", None, "u3", "u4", "u5", "u6", "u7"],
    "score": [1.0] * 7,
}


@pytest.fixture(params=["list.parquet", "list.csv"])
def file(request, tmp_path):
    path = tmp_path / request.param
    frame = pd.DataFrame(ROWS)
    frame.to_parquet(path) if path.suffix == ".parquet" else frame.to_csv(path, index=False)
    return path


def test_a_list_keeps_its_order_and_each_caption_once_and_says_what_is_left_out(file):
    out = read_prompt_list(file, 100, CHARS)
    assert out.captions["caption"].tolist() == ["red heart", "blue heart", "cat"]
    assert out.captions["url"].tolist() == ["u1", "", "u7"]
    assert (out.repeated, out.unusable) == (1, 3)


def test_no_more_than_asked_for_are_taken(file):
    assert read_prompt_list(file, 2, CHARS).captions["caption"].tolist() == [
        "red heart",
        "blue heart",
    ]


def test_the_column_may_be_called_otherwise_and_urls_may_be_absent(tmp_path):
    pd.DataFrame({"TEXT": ["one two"]}).to_parquet(tmp_path / "a.parquet")
    out = read_prompt_list(tmp_path / "a.parquet", 5, CHARS)
    assert out.captions.to_dict("list") == {"caption": ["one two"], "url": [""]}


@pytest.mark.parametrize(
    ("name", "frame", "words"),
    [
        ("a.parquet", {"words": ["abc"]}, "no column caption or prompt or text"),
        (
            "a.parquet",
            {"caption": [{"en": "a"}]},
            "column 'caption' is struct<en: string>, not text",
        ),
        ("a.parquet", {"caption": [["abc", "def"]]}, "row 0: a list of 2 where one text is needed"),
        ("a.csv", {"caption": ["abc"], "url": [" u"]}, "line 2: the url is ' u', which begins"),
        ("a.parquet", {"caption": ["", "a"]}, "none of its 2 captions can be a prompt"),
        ("a.csv", {"words": ["abc"]}, "no column caption"),
        ("a.json", {"caption": ["abc"]}, "must be a .csv, .tsv, .jsonl"),
    ],
)
def test_a_bad_list_is_refused_by_name(tmp_path, name, frame, words):
    path, table = tmp_path / name, pd.DataFrame(frame)
    write = {
        ".parquet": table.to_parquet,
        ".csv": functools.partial(table.to_csv, index=False),
        ".json": table.to_json,
    }
    write[path.suffix](path)
    with pytest.raises(DedupError) as err:
        read_prompt_list(path, 5, CHARS)
    assert words in str(err.value)
    assert name in str(err.value)


def test_a_list_that_is_not_there_or_no_table_is_refused(tmp_path):
    with pytest.raises(DedupError, match=r"none\.csv: no such file"):
        read_prompt_list(tmp_path / "none.csv", 5, CHARS)
    (tmp_path / "a.parquet").write_text("text")
    with pytest.raises(DedupError, match="cannot be read"):
        read_prompt_list(tmp_path / "a.parquet", 5, CHARS)


def test_prompts_have_the_clusters_of_their_rows_and_rank_is_the_place_in_the_list():
    captions = pd.DataFrame({"caption": ["b", "a", "absent", "extra"]})
    found = pd.DataFrame({"row": [7, 3, -1, 9], "caption_count": [4, 1, 0, 1]})
    clusters = pd.DataFrame({"row": [2, 7], "cluster": [2, 2]})
    stats = pd.DataFrame({"cluster": [2], "size": [5], "share_equal_captions": [0.8]})
    out = listed_prompts(captions, found, 3, clusters, stats)
    to_table("prompts", out)
    assert out["cluster"].tolist() == [2, -1, -1, -1]
    assert out["cluster_size"].tolist() == [5, 1, 0, 1]
    assert out["share_equal_captions"].tolist() == [0.8, 1.0, 0.0, 1.0]
    assert out["extra"].tolist() == [False, False, False, True]
    assert out["rank"].tolist() == [0, 1, 2, 3]


def test_prompts_that_are_not_looked_up_are_extra_and_have_no_row():
    table = unplaced_prompts(pd.Series(["b", "a", "b"]))
    assert table["caption"].tolist() == ["b", "a"]
    assert table["rank"].tolist() == [0, 1]
    assert table["extra"].all()
    assert (table[["row", "cluster"]] == -1).all(axis=None)
    assert to_table("prompts", table).num_rows == 2
