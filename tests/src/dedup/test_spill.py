from pathlib import Path

import numpy as np
import pandas as pd
import pytest

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


def test_each_bucket_gives_back_its_rows_in_the_order_in_which_they_came(tmp_path: Path):
    rng = np.random.default_rng(0)
    bucket, value = rng.integers(0, 5, 100), np.arange(100)
    words = np.array([f"word {i}" for i in value], dtype=object)
    with Buckets(tmp_path, "some", 6) as buckets:
        for part in np.array_split(value, 7):
            buckets.add(bucket[part], {"value": value[part], "word": words[part]})
        for b in range(5):
            blocks = list(buckets.blocks(b, 4)) if b % 2 else [buckets.frame(b)]
            got = np.concatenate([np.asarray(block["value"]) for block in blocks])
            text = np.concatenate([np.asarray(block["word"]) for block in blocks])
            np.testing.assert_array_equal(got, value[bucket == b])
            assert text.tolist() == words[bucket == b].tolist()
            assert buckets.frame(b) is None
        assert buckets.frame(5) is None
        buckets.put(2, {"value": value, "word": words})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("rows", [1, 37, 10_000])
@pytest.mark.parametrize("block", [1, 8, 1000])
def test_rows_are_sorted_whatever_fits_into_memory(tmp_path: Path, rows, block):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"size": rng.integers(0, 5, 300), "row": rng.permutation(300)})
    frame["word"] = [f"word {i}" for i in frame["row"]]
    frames = [frame[i : i + 29] for i in range(0, 300, 29)]
    by = {"size": False, "row": True}
    got = pd.concat(list(sort_frames(frames, by, tmp_path, rows, block)), ignore_index=True)
    want = frame.sort_values(["size", "row"], ascending=[False, True], ignore_index=True)
    pd.testing.assert_frame_equal(got, want, check_dtype=False)
    assert not list(tmp_path.iterdir())


def test_nothing_is_sorted_into_nothing(tmp_path: Path):
    assert list(sort_frames([], {"row": True}, tmp_path, 10)) == []


@pytest.mark.parametrize("size", [1, 3, 100])
def test_a_stream_gives_every_row_once_up_to_where_it_is_asked(size):
    frame = pd.DataFrame({"row": [1, 4, 5, 9, 12, 20]})
    stream = RowStream(frame[i : i + size] for i in range(0, 6, size))
    steps = [stream.upto(row)["row"].tolist() for row in (0, 4, 4, 10, 19)]
    assert steps == [[], [1, 4], [], [5, 9], [12]]
    assert stream.rest()["row"].tolist() == [20]
    assert stream.rest().empty
