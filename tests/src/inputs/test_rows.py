from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_inputs import random_units, write_shard

from verbatim.inputs.archives import key_ranges
from verbatim.inputs.layouts import InputError
from verbatim.inputs.rows import (
    build_rows,
    caption_problems,
    embedding_problems,
    read_metadata,
    read_shard,
)
from verbatim.io.records import read_table, write_table

HOSTILE = [
    "two\nlines\r\n",
    "🐼🏳️‍🌈 emoji",
    "../../etc/passwd",
    '\'; DROP TABLE "rows" --',
    "a\tb,c\"d'e\\f",
    "NA",
    "‮right to left\u2028separator",
    "nul\x00inside",
    " space around ",
]


def rows_of(captions: list, vectors: np.ndarray | None = None, **more) -> pd.DataFrame:
    vectors = random_units(len(captions)) if vectors is None else vectors
    metadata = pd.DataFrame(
        {"url": "u", "caption": captions, "key": None, "width": 1, "height": 1, **more}
    ).astype({"caption": object, "key": object})
    return build_rows(metadata, vectors, 100, key_ranges([]), (1, 20), 0.01)


@pytest.mark.parametrize("names", [("url", "caption"), ("URL", "TEXT"), ("Url", "Caption")])
def test_columns_are_found_by_meaning_in_any_case(tmp_path: Path, names):
    _, table = write_shard(tmp_path, 0, random_units(2), ["a", "b"], names=names)
    metadata = read_metadata(table)
    assert metadata["caption"].tolist() == ["a", "b"]
    assert metadata["url"].tolist() == ["https://x.invalid/0", "https://x.invalid/1"]
    assert metadata["width"].tolist() == [-1, -1]


def test_a_table_without_captions_or_with_two_of_them_is_refused_by_name(tmp_path: Path):
    _, table = write_shard(tmp_path, 0, random_units(1), ["a"], names=("url", "title"))
    with pytest.raises(
        InputError, match=r"metadata_0000.*no column caption or text; it has url, title"
    ):
        read_metadata(table)
    _, table = write_shard(tmp_path, 1, random_units(1), ["a"], Caption=["b"])
    with pytest.raises(InputError, match=r"\['caption', 'Caption'\] mean the same"):
        read_metadata(table)


def test_hostile_captions_come_through_unharmed(tmp_path: Path):
    _, table = write_shard(tmp_path, 0, random_units(len(HOSTILE)), HOSTILE)
    rows = build_rows(
        read_metadata(table), random_units(len(HOSTILE)), 0, key_ranges([]), (1, 2000), 0.01
    )
    write_table(tmp_path / "rows.parquet", "rows", rows)
    again = read_table(tmp_path / "rows.parquet", "rows")
    assert again["caption"].tolist() == HOSTILE
    assert set(again["status"]) == {"ok"}


def test_captions_that_are_not_utf8_are_recorded_and_the_rest_goes_on(tmp_path: Path):
    raw = pa.array([b"fine", b"\xff\xfe broken", None]).cast(pa.binary())
    text = pa.StringArray.from_buffers(3, raw.buffers()[1], raw.buffers()[2], raw.buffers()[0])
    pq.write_table(pa.table({"TEXT": text, "URL": ["a", "b", "c"]}), tmp_path / "m.parquet")
    metadata = read_metadata(tmp_path / "m.parquet")
    assert metadata["caption"].tolist() == ["fine", None, None]
    rows = build_rows(metadata, random_units(3), 0, key_ranges([]), (1, 20), 0.01)
    assert rows["status"].tolist() == ["ok", "bad_caption", "bad_caption"]
    assert "not UTF-8" in rows["reason"][1]


def test_sizes_that_are_missing_or_senseless_become_unknown(tmp_path: Path):
    _, table = write_shard(
        tmp_path,
        0,
        random_units(4),
        list("abcd"),
        WIDTH=[5, None, -3, 2**40],
        height=["7", "x", "", "0"],
    )
    metadata = read_metadata(table)
    assert metadata["width"].tolist() == [5, -1, -1, -1]
    assert metadata["height"].tolist() == [7, -1, -1, 0]


def test_rows_are_numbered_on_from_the_shards_first():
    assert rows_of(["a", "b", "c"])["row"].tolist() == [100, 101, 102]


def test_bad_embeddings_are_recorded_with_their_reason_and_stay_in_place():
    vectors = random_units(6).astype(np.float16)
    vectors[1, 3] = np.nan
    vectors[2] = 0
    vectors[3] *= 2
    vectors[4, :2] = np.inf
    rows = rows_of(list("abcdef"), vectors)
    assert rows["status"].tolist() == ["ok", *["bad_embedding"] * 4, "ok"]
    for row, words in ((1, "1 values"), (2, "all zero"), (3, "length 2"), (4, "2 values")):
        assert words in rows["reason"][row]


def test_rounding_to_float16_is_no_bad_embedding():
    vectors = random_units(500, 768).astype(np.float16)
    assert (embedding_problems(vectors, 0.01) == "").all()


@pytest.mark.parametrize(
    ("caption", "words"),
    [
        ("", "empty"),
        (" \n\t", "empty"),
        (None, "missing"),
        ("x" * 21, "21 characters, more than 20"),
        ("x" * 20, ""),
        ("🐼" * 20, ""),
    ],
)
def test_captions_too_short_or_too_long_are_recorded(caption, words):
    row = rows_of(["fine", caption]).iloc[1]
    assert row["status"] == ("bad_caption" if words else "ok")
    assert words in row["reason"]


def test_fewer_characters_than_asked_for_are_recorded():
    assert caption_problems(pd.Series(["ab", "abc"], dtype=object), 3, 9).tolist() == [
        "caption has 2 characters, fewer than 3",
        "",
    ]


def test_a_row_that_is_bad_twice_says_so():
    row = rows_of([""], np.zeros((1, 4))).iloc[0]
    assert row["status"] == "bad_embedding"
    assert row["reason"] == "embedding is all zero; caption is empty"


def test_embeddings_that_do_not_fit_the_metadata_are_refused():
    with pytest.raises(InputError, match="3 embeddings for 2 rows"):
        rows_of(["a", "b"], random_units(3))


LAION = {
    "SAMPLE_ID": [1, 2], "URL": ["u1", "u2"], "TEXT": ["a", "b"], "HEIGHT": [3, 4], "WIDTH": [5, 6],
    "LICENSE": ["?", None], "NSFW": ["UNLIKELY", "NSFW"], "similarity": [0.3, 0.4],
}  # fmt: skip
CLIP_RETRIEVAL = {
    "image_path": ["000000001", "000000002"], "caption": ["a", "b"], "NSFW": ["UNLIKELY", "NSFW"],
    "similarity": [0.3, 0.4], "LICENSE": ["?", "?"], "url": ["u1", "u2"], "key": ["000000001", "000000002"],
    "status": ["success", "success"], "error_message": [None, None], "width": [5, 6], "height": [3, 4],
    "original_width": [50, 60], "original_height": [30, 40], "exif": ["{}", "{}"], "md5": ["0", "1"],
}  # fmt: skip
IMG2DATASET = {
    "url": ["u1", "u2"], "caption": ["a", "b"], "key": ["000000001", "000000002"],
    "status": ["success", "failed_to_download"], "error_message": [None, "HTTP Error 404: Not Found"],
    "width": [5, None], "height": [3, None], "original_width": [50, None], "original_height": [30, None],
    "exif": ["{}", None], "sha256": ["0", None],
}  # fmt: skip
RELAION = {
    "uid": ["x", "y"], "url": ["u1", "u2"], "text": ["a", "b"], "width": [5, 6], "height": [3, 4],
    "punsafe": [0.0, 0.1], "pwatermark": [0.2, 0.3], "similarity": [0.3, 0.4], "hash": [1, 2],
}  # fmt: skip


@pytest.mark.parametrize("table", [LAION, CLIP_RETRIEVAL, IMG2DATASET, RELAION])
def test_every_releases_columns_become_ours(tmp_path: Path, table):
    pd.DataFrame(table).to_parquet(tmp_path / "m.parquet")
    got = read_metadata(tmp_path / "m.parquet")
    assert got["url"].tolist() == ["u1", "u2"]
    assert got["caption"].tolist() == ["a", "b"]
    assert (got["width"][0], got["height"][0]) == (5, 3)
    assert got["key"].tolist() == list(table.get("key", [None, None]))
    assert got["nsfw"].tolist() == list(table.get("NSFW", [None, None]))


def test_a_image_that_the_source_could_not_download_says_so(tmp_path: Path):
    pd.DataFrame(IMG2DATASET).to_parquet(tmp_path / "m.parquet")
    vectors = np.concatenate([random_units(1), np.zeros((1, 16))])
    metadata = read_metadata(tmp_path / "m.parquet")
    rows = build_rows(metadata, vectors, 0, key_ranges([]), (1, 20), 0.01)
    assert rows["status"].tolist() == ["ok", "bad_embedding"]
    assert rows["reason"][1] == "no image (failed_to_download: HTTP Error 404: Not Found)"


def test_rows_without_embeddings_have_captions_and_urls():
    metadata = pd.DataFrame(
        {"url": ["u", "v"], "caption": ["a", ""], "key": None, "width": 1, "height": 1}
    )
    rows = build_rows(metadata.astype({"key": object}), None, 5, key_ranges([]), (1, 20), 0.01)
    assert rows["row"].tolist() == [5, 6]
    assert rows["status"].tolist() == ["ok", "bad_caption"]


@pytest.mark.parametrize("start", range(7))
@pytest.mark.parametrize("count", [0, 1, 3, None])
def test_any_rows_of_a_table_can_be_read_whatever_its_row_groups(tmp_path: Path, start, count):
    table = pd.DataFrame({"caption": [str(i) for i in range(7)]})
    table.to_parquet(tmp_path / "m.parquet", row_group_size=3)
    stop = None if count is None else start + count
    got = read_metadata(tmp_path / "m.parquet", start, count)
    assert got["caption"].tolist() == table["caption"].tolist()[start:stop]


def test_tables_that_have_become_shorter_than_the_manifest_says_are_refused(tmp_path: Path):
    pd.DataFrame({"caption": ["a", "b"]}).to_parquet(tmp_path / "m.parquet")
    with pytest.raises(
        InputError, match=r"m\.parquet: 1 rows from row 1 on, .* has 3; run check_inputs"
    ):
        read_shard([str(tmp_path / "m.parquet")], 1, 3)


@pytest.mark.parametrize(
    "kind", ["string_view", "dictionary", "binary", "list of one", "large_string"]
)
def test_captions_urls_and_sizes_of_any_type_are_read_and_bad_ones_are_missing(
    tmp_path: Path, kind
):
    texts = ["a red heart", None, "two cats"]
    array = pa.array(texts)
    made = {
        "string_view": array.cast(pa.string_view()),
        "dictionary": array.dictionary_encode(),
        "binary": pa.array([b"a red heart", b"\xff", b"two cats"]),
        "list of one": pa.array([["a red heart"], ["a", "b"], ["two cats"]]),
        "large_string": array.cast(pa.large_string()),
    }[kind]
    sizes = {"width": pa.array(["640", "x", None]), "HEIGHT": pa.array([480.0, float("nan"), 7.0])}
    pq.write_table(pa.table({"TEXT": made, "url": made, **sizes}), tmp_path / "metadata_0.parquet")
    metadata = read_metadata(tmp_path / "metadata_0.parquet")
    assert metadata["caption"].tolist() == texts
    assert metadata["url"].tolist() == texts
    assert metadata["width"].tolist() == [640, -1, -1]
    assert metadata["height"].tolist() == [480, -1, 7]
