import numpy as np
import pandas as pd

from verbatim.dedup.relatives import choose_relatives


def table(columns: str, *rows: tuple) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=columns.split())
    return frame.astype({c: "float32" if c == "similarity" else "int64" for c in frame})


# 0 and 9 are equal; 1 a copy, 2 a recoloured one in the same cluster; 5 and 6 a cluster beside; 7 alone
PAIRS = table(
    "row_a row_b similarity",
    (0, 9, 1.0), (0, 1, 0.99), (0, 2, 0.96), (0, 5, 0.90), (0, 6, 0.91), (0, 7, 0.85), (5, 6, 0.98),
)  # fmt: skip
CLUSTERS = table("row cluster", (0, 0), (1, 0), (2, 0), (5, 5), (6, 5), (9, 0))
COPIES = table("row first", (9, 0))


def relatives(rows: list[int], most: int = 10, pairs: pd.DataFrame = PAIRS) -> dict[int, list[int]]:
    halves = [pairs.head(3), pairs]  # a pair may stand in two shards
    found = choose_relatives(np.array(rows), halves, CLUSTERS, COPIES, most)
    assert found.groupby("row")["order"].apply(lambda o: o.tolist() == list(range(len(o)))).all()
    return {int(row): group["relative"].tolist() for row, group in found.groupby("row")}


def test_the_least_like_of_the_cluster_and_the_most_like_of_others_take_turns():
    # 2 is less like it than 1; of the cluster {5, 6} only the nearer one counts
    assert relatives([0]) == {0: [2, 6, 1, 7]}


def test_no_more_relatives_than_asked_for():
    assert relatives([0, 7], most=1) == {0: [2], 7: [0]}
    assert relatives([0], most=0) == {}


def test_a_row_equal_to_another_has_that_ones_relatives():
    assert relatives([9, 0]) == {0: [2, 6, 1, 7], 9: [2, 6, 1, 7]}


def test_rows_without_pairs_have_no_relatives():
    assert relatives([3, 4]) == {}
    assert relatives([0], pairs=PAIRS.head(0)) == {}


def test_tables_too_large_for_memory_are_asked_for_rows():
    want = choose_relatives(np.array([0, 9, 7]), [PAIRS], CLUSTERS, COPIES, 10)
    got = choose_relatives(
        np.array([0, 9, 7]),
        [PAIRS],
        lambda rows: CLUSTERS[CLUSTERS["row"].isin(rows)],
        lambda rows: COPIES[COPIES["row"].isin(rows)],
        10,
    )
    pd.testing.assert_frame_equal(got, want)
    assert len(got) == 9
