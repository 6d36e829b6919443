"""Sorting and grouping by DuckDB, beside pandas."""

import resource
import tempfile
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from law_examples import examples

from verbatim.dedup import DedupError
from verbatim.dedup.clusters import STATS, cluster_sizes, cluster_stats, first_rows
from verbatim.dedup.database import PIECE, Database
from verbatim.dedup.prompts import rank_captions
from verbatim.io.atomic import WriteError

TYPES = {"row": "int64", "cluster": "int64"}


@pytest.mark.slow
@examples(20)
@given(st.integers(0, 40), st.integers(0, 2**32 - 1), st.integers(1, 41))
def test_sizes_and_first_rows_are_those_of_pandas(n, seed, piece):
    rng = np.random.default_rng(seed)
    rows = rng.permutation(3 * n)[:n]
    table = pd.DataFrame({"row": rows, "cluster": rng.integers(0, 5, n)})
    pieces = [table[i : i + piece] for i in range(0, n, piece)]
    grouped = table.groupby("cluster")["row"]
    want = table.assign(size=grouped.transform("size")).sort_values("row", ignore_index=True)
    with tempfile.TemporaryDirectory() as name:
        empty = want[:0]
        sizes = pd.concat([empty, *cluster_sizes(pieces, Path(name), 1)], ignore_index=True)
        firsts = [p["row"] for p in first_rows(pieces, Path(name), 1)]
        assert not list(Path(name).iterdir())
    pd.testing.assert_frame_equal(sizes, want, check_dtype=False)
    assert [row for one in firsts for row in one] == sorted(grouped.min())


@pytest.mark.slow
@examples(20)
@given(st.integers(1, 40), st.integers(0, 2**32 - 1), st.integers(0, 12), st.integers(1, 41))
def test_captions_rank_as_pandas_ranks_them(n, seed, top, piece):
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {"key": rng.integers(2**63, 2**63 + 6, n, dtype=np.uint64), "row": rng.permutation(n),
         "cluster": rng.integers(-1, 4, n)}
    )  # fmt: skip
    table["cluster_size"] = table["cluster"].map({-1: 1, 0: 2, 1: 9, 2: 9, 3: 30})
    met = table.assign(group=table["cluster"].where(table["cluster"] >= 0, -1 - table["row"]))
    met = met.groupby(["key", "group"]).agg(
        row=("row", "min"), cluster=("cluster", "first"), cluster_size=("cluster_size", "first"),
        own_count=("row", "size"),
    ).reset_index()  # fmt: skip
    met = met.sort_values(["cluster_size", "row"], ascending=[False, True]).drop_duplicates("key")
    met = met.join(table.groupby("key").size().rename("caption_count"), on="key")
    met["met"] = met[["cluster_size", "caption_count"]].max(axis=1)
    want = met.sort_values(["met", "own_count", "row"], ascending=[False, False, True])
    asked = np.array([2**63, 2**63 + 3, 7], dtype=np.uint64)
    pieces = [table[i : i + piece] for i in range(0, n, piece)]
    with tempfile.TemporaryDirectory() as name:
        ranked, count = rank_captions(pieces, top, asked, Path(name), 1)
    beside = want.iloc[top:]
    want = pd.concat([want.head(top), beside[beside["key"].isin(asked)]], ignore_index=True)
    pd.testing.assert_frame_equal(ranked, want[list(ranked.columns)], check_dtype=False)
    assert count == table["key"].nunique()


@pytest.mark.slow
@examples(20)
@given(st.integers(1, 40), st.integers(0, 2**32 - 1), st.integers(1, 41))
def test_stats_of_clusters_are_those_of_pandas(n, seed, piece):
    rng = np.random.default_rng(seed)
    rows, code = rng.permutation(3 * n)[:n], rng.integers(0, 4, n)
    table = pd.DataFrame({"row": rows, "cluster": rng.integers(0, 5, n)})
    table["cluster"] = table.groupby("cluster")["row"].transform("min")
    table["key"], table["usable"] = code.astype(np.uint64) + np.uint64(2**63), rng.random(n) < 0.7
    table["caption"] = [f"a dog's {c}" for c in code]
    want = []
    for cluster, group in table.groupby("cluster"):
        usable = group[group["usable"]].sort_values("row")
        counts = usable.groupby("caption", sort=False).size()  # the caption met first comes first
        best = counts.idxmax() if len(counts) else ""
        share = np.float32(counts.max() / len(group)) if len(counts) else np.float32(0)
        row = usable.loc[usable["caption"] == best, "row"].min() if len(counts) else cluster
        want.append((cluster, len(group), len(counts), share, best, row))
    want = pd.DataFrame(want, columns=STATS)
    want = want.sort_values(["size", "cluster"], ascending=[False, True], ignore_index=True)
    members = table[["row", "cluster", "key", "usable"]]
    captions = table.loc[table["usable"], ["row", "caption"]]
    cut = [[f[i : i + piece] for i in range(0, len(f), piece)] for f in (members, captions)]
    with tempfile.TemporaryDirectory() as name:
        found = pd.concat(cluster_stats(*cut, Path(name), 1), ignore_index=True)
        assert not list(Path(name).iterdir())
    pd.testing.assert_frame_equal(found, want, check_dtype=False, check_exact=True)


@pytest.mark.slow
def test_rows_beyond_the_memory_wait_in_the_folder_and_come_back_in_order(tmp_path: Path):
    n, memory = 6_000_000, 64 << 20  # 96 MB of numbers, sorted within 64
    parts = [np.random.default_rng(i).permutation(n // 6) * 6 + i for i in range(6)]
    folder = tmp_path / "it's a folder"
    folder.mkdir()
    with Database(folder, memory) as base:
        base.load("rows", (pd.DataFrame({"row": p, "cluster": p % 7}) for p in parts), TYPES)
        waited, last = 0, -1
        for piece in base.pieces("select row from rows order by row"):
            waited = max(waited, sum(f.stat().st_size for f in folder.iterdir()))
            row = piece["row"].to_numpy()
            assert len(row) <= PIECE
            assert (np.diff(row, prepend=last) == 1).all()
            last = row[-1]
    assert last == n - 1
    assert waited > memory // 4
    assert not list(folder.iterdir())


def test_a_broken_piece_is_told_as_it_was_and_the_database_goes(tmp_path: Path):
    def pieces():
        yield pd.DataFrame({"row": [1], "cluster": [1]})
        raise DedupError("rows/0007.parquet is damaged")

    with pytest.raises(DedupError, match=r"^rows/0007\.parquet is damaged$"):
        list(cluster_sizes(pieces(), tmp_path, 1))
    assert not list(tmp_path.iterdir())


def test_text_that_pandas_holds_in_several_chunks_is_taken(tmp_path: Path):
    parts = [pd.DataFrame({"row": [i], "caption": pd.array([f"a {i}"], "str")}) for i in (2, 1)]
    some = pd.concat(parts)
    pieces = [some[:0], some, pd.DataFrame({"caption": ["plain"], "row": [7]}, dtype=object)]
    with Database(tmp_path, 1) as base:
        base.load("rows", pieces, {"row": "int64", "caption": "string"})
        found = base.frame("select caption from rows order by row")
    assert found["caption"].tolist() == ["a 1", "a 2", "plain"]


def test_too_little_memory_names_the_key_that_gives_more(tmp_path: Path):
    with Database(tmp_path, 64 << 20) as base:
        # a list of all rows has to be in memory whole
        query = "select list(range) as all_rows from range(40000000)"
        with pytest.raises(DedupError, match=r"64 MB are too few .* raise dedup\.memory_mb"):
            base.frame(query)


def test_captions_of_a_shard_larger_than_a_block_of_parquet_are_found(tmp_path: Path):
    n = 300_000  # read with a filter, they come in several chunks
    table = pa.table(
        {"row": np.arange(n), "caption": [f"dog {i}" for i in range(n)], "ok": [True] * n}
    )
    pq.write_table(table, tmp_path / "rows.parquet")
    read = pq.read_table(tmp_path / "rows.parquet", filters=[("ok", "==", True)])
    captions = read.select(["row", "caption"]).to_pandas()
    assert read["caption"].num_chunks > 1
    row = np.array([3, 299_999])
    members = pd.DataFrame(
        {"row": row, "cluster": 3, "key": np.array([1, 2], np.uint64), "usable": [False, True]}
    )
    (tmp_path / "work").mkdir()
    stats = pd.concat(cluster_stats([members], [captions], tmp_path / "work", 64 << 20))
    assert stats["caption"].tolist() == ["dog 299999"]
    assert stats["row"].tolist() == [299_999]


def sort_more_than_memory_holds(folder: Path) -> None:
    n = 6_000_000  # 96 MB of numbers, sorted within 64
    rng = np.random.default_rng(0)
    piece = pd.DataFrame({"row": rng.permutation(n), "cluster": rng.integers(0, 2**62, n)})
    with Database(folder, 1) as base:
        base.load("rows", [piece], TYPES)
        for _ in base.pieces("select row, cluster from rows order by cluster, row"):
            pass


@pytest.mark.slow
def test_a_disk_without_room_for_rows_put_aside_is_told_as_full_and_not_as_too_little_memory(
    tmp_path: Path, monkeypatch
):
    def connect(path, config, real=duckdb.connect):
        return real(path, config={**config, "max_temp_directory_size": "1MB"})

    monkeypatch.setattr(duckdb, "connect", connect)
    with pytest.raises(WriteError, match=r"the disk is full.*make room and run the same command"):
        sort_more_than_memory_holds(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_write_that_fails_for_lack_of_room_is_told_as_a_full_disk(tmp_path: Path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8 << 20, hard))
    try:
        with pytest.raises(
            WriteError, match=r"the disk is full.*make room and run the same command"
        ):
            sort_more_than_memory_holds(tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "query",
    ["select * from read_csv('{0}')", "copy (select 1) to '{0}'", "attach '{0}' as other", "load httpfs",
     "set enable_external_access = true"],
)  # fmt: skip
def test_no_other_file_is_read_or_written_and_nothing_is_loaded(tmp_path: Path, query):
    other = tmp_path / "other.csv"
    other.write_text("a,b\n1,2\n")
    (tmp_path / "work").mkdir()
    with Database(tmp_path / "work", 1) as base, pytest.raises(DedupError):
        base.frame(query.format(other))
    assert other.read_text() == "a,b\n1,2\n"
