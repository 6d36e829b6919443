import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st
from law_examples import examples

from verbatim.dedup.spill import Buckets, RowStream, count_buckets


def test_buckets_fit_into_the_memory_but_files_stay_few():
    assert count_buckets(1000, 10, 10_000) == 1
    assert count_buckets(1001, 10, 10_000) == 2
    assert count_buckets(0, 10, 1) == 1
    assert count_buckets(10**9, 10, 1) == 500


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
            two = np.full(len(rows), 2)
            buckets.add(two, {"value": value, "word": word})  # the read ones can be added to again
        assert not list(Path(name).iterdir())


def test_a_whole_bucket_is_one_frame(tmp_path: Path):
    with Buckets(tmp_path, "some", 2) as buckets:
        for i in range(3):
            buckets.add(np.array([1, 0]), {"value": np.array([i, -i])})
        assert buckets.frame(1)["value"].tolist() == [0, 1, 2]


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
