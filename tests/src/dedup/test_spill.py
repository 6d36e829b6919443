import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from law_examples import examples

from verbatim.dedup.spill import (
    Buckets,
    RowStream,
    count_buckets,
    count_run_rows,
    sort_frames,
    spread,
)


def test_buckets_and_runs_fit_into_the_memory_but_files_stay_few():
    assert count_buckets(1000, 10, 10_000) == 1
    assert count_buckets(1001, 10, 10_000) == 2
    assert count_buckets(0, 10, 1) == 1
    assert count_buckets(10**9, 10, 1) == 500
    assert count_run_rows(100, 10, 1000) == 100
    assert count_run_rows(10**9, 10, 1) == 2_000_000


def test_equal_keys_share_a_bucket_and_neighbours_are_spread():
    keys = np.arange(70_000)
    bucket = spread(keys, 7)
    np.testing.assert_array_equal(bucket, spread(keys.astype(np.uint64), 7))
    assert (abs(np.bincount(bucket, minlength=7) - 10_000) < 500).all()


@examples(25)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.text(max_size=3)), max_size=40),
    st.integers(1, 41),
    st.integers(1, 10),
)
def test_each_bucket_gives_back_its_rows_once_in_the_order_in_which_they_came(rows, size, block):
    bucket = np.array([b for b, _ in rows], dtype=np.int64)
    word = np.array([w for _, w in rows], dtype=object)
    value = np.arange(len(rows))
    with tempfile.TemporaryDirectory() as name:
        with Buckets(Path(name), "some", 6) as buckets:
            for i in range(0, len(rows), size):
                part = slice(i, i + size)
                buckets.add(bucket[part], {"value": value[part], "word": word[part]})
            for b in range(5):  # the last is left unread
                got = [pd.DataFrame(one) for one in buckets.blocks(b, block)]
                assert [v for one in got for v in one["value"]] == value[bucket == b].tolist()
                assert [w for one in got for w in one["word"]] == word[bucket == b].tolist()
                assert buckets.frame(b) is None
            buckets.put(2, {"value": value, "word": word})  # the read ones can be added to again
        assert not list(Path(name).iterdir())


def test_a_whole_bucket_is_one_frame(tmp_path: Path):
    with Buckets(tmp_path, "some", 2) as buckets:
        for i in range(3):
            buckets.add(np.array([1, 0]), {"value": np.array([i, -i])})
        assert buckets.frame(1)["value"].tolist() == [0, 1, 2]


@examples(25)
@given(
    st.integers(0, 60),
    st.integers(0, 2**32 - 1),
    st.integers(1, 61),
    st.integers(1, 61),
    st.integers(1, 8),
)
def test_rows_are_sorted_whatever_fits_into_memory(n, seed, piece, rows, block):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame({"size": rng.integers(0, 3, n), "row": rng.permutation(n)})
    frame["word"] = [f"word {i}" for i in frame["row"]]
    frames = [frame[i : i + piece] for i in range(0, len(frame), piece)]
    with tempfile.TemporaryDirectory() as name:
        by = {"size": False, "row": True}
        got = pd.concat(
            [frame[:0], *sort_frames(frames, by, Path(name), rows, block)], ignore_index=True
        )
        assert not list(Path(name).iterdir())
    want = frame.sort_values(["size", "row"], ascending=[False, True], ignore_index=True)
    pd.testing.assert_frame_equal(got, want, check_dtype=False)


def test_nothing_is_sorted_into_nothing(tmp_path: Path):
    assert list(sort_frames([], {"row": True}, tmp_path, 10)) == []


@given(
    st.sets(st.integers(0, 60), max_size=25).map(sorted),
    st.integers(1, 26),
    st.lists(st.integers(-1, 61)).map(sorted),
)
def test_a_stream_gives_every_row_once_up_to_where_it_is_asked(rows, size, asked):
    frame = pd.DataFrame({"row": rows}, dtype="int64")
    stream = RowStream(frame[i : i + size] for i in range(0, len(rows), size))
    low = -1
    for row in asked:
        assert stream.upto(row)["row"].tolist() == [r for r in rows if low < r <= row]
        low = max(low, row)
    assert stream.rest()["row"].tolist() == [r for r in rows if r > low]
    assert stream.rest().empty
