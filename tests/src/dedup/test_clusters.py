import numpy as np
import pandas as pd
import pytest

from verbatim.dedup.clusters import cluster_stats, cluster_table, components, kept_rows


def naive_components(pairs: list[tuple[int, int]], n_rows: int) -> list[int]:
    """Lowest row that each row can be reached from."""
    lowest = list(range(n_rows))
    changed = True
    while changed:
        changed = False
        for a, b in pairs:
            low = min(lowest[a], lowest[b])
            if lowest[a] != low or lowest[b] != low:
                lowest[a] = lowest[b] = low
                changed = True
    return lowest


@pytest.mark.parametrize("n_pairs", [0, 20, 60, 300])
@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_components_are_those_of_a_naive_search_however_the_pairs_are_cut(n_pairs, chunk):
    for seed in range(5):
        pairs = np.random.default_rng(seed).integers(0, 100, (n_pairs, 2))
        chunks = (
            (pairs[i : i + chunk, 0], pairs[i : i + chunk, 1])
            for i in range(0, max(1, n_pairs), chunk)
        )
        want = naive_components([(a, b) for a, b in pairs], 100)
        assert components(chunks, 100).tolist() == want


@pytest.mark.parametrize("order", ["up", "down", "random"])
def test_a_long_chain_is_one_component(order):
    a = np.arange(9_999)
    if order == "down":
        a = a[::-1]
    elif order == "random":
        a = np.random.default_rng(0).permutation(a)
    chunks = ((part, part + 1) for part in np.array_split(a, 50))
    assert not components(chunks, 10_000).any()


@pytest.mark.parametrize("pair", [(0, 5), (-1, 2)])
def test_a_pair_of_rows_that_are_not_there_is_refused(pair):
    with pytest.raises(ValueError, match="there are 5 rows"):
        components([(np.array([pair[0]]), np.array([pair[1]]))], 5)


def test_a_cluster_is_two_rows_or_more_and_named_by_its_lowest():
    table = cluster_table(np.array([0, 1, 0, 3, 1, 5, 1]))
    assert table.to_numpy().tolist() == [[0, 0], [1, 1], [2, 0], [4, 1], [6, 1]]
    assert cluster_table(np.arange(3)).empty


def test_stats_count_captions_of_each_cluster():
    clusters = pd.DataFrame(
        {"row": [0, 1, 2, 3, 4, 5, 6, 7, 8], "cluster": [0, 1, 1, 0, 1, 1, 6, 6, 1]}
    )
    captions = pd.DataFrame(
        {"row": [0, 1, 2, 3, 4, 8], "caption": ["b", "x", "y", "a", "y", "X"]}
    )  # rows 5, 6, 7 have captions that cannot be prompts
    stats = cluster_stats(clusters, captions)
    assert stats["cluster"].tolist() == [1, 0, 6]
    assert stats["size"].tolist() == [5, 2, 2]
    assert stats["n_captions"].tolist() == [3, 2, 0]
    assert stats["caption"].tolist() == ["y", "b", ""]  # of equally common ones the first met
    assert stats["row"].tolist() == [2, 0, 6]
    np.testing.assert_allclose(stats["share_equal_captions"], [2 / 5, 1 / 2, 0])


def test_no_clusters_have_no_stats():
    none = pd.DataFrame({"row": [], "cluster": []}, dtype="int64")
    stats = cluster_stats(none, pd.DataFrame({"row": [1], "caption": ["a"]}))
    assert stats.empty
    assert list(stats) == [
        "cluster",
        "size",
        "n_captions",
        "share_equal_captions",
        "caption",
        "row",
    ]


def test_a_deduplicated_set_keeps_the_lowest_usable_row_of_each_cluster():
    clusters = pd.DataFrame({"row": [1, 3, 4, 6, 7], "cluster": [1, 1, 4, 1, 4]})
    usable = np.array([0, 2, 3, 4, 5, 6, 7])  # row 1 has no caption
    assert kept_rows(clusters, usable)["row"].tolist() == [0, 2, 3, 4, 5]
    assert kept_rows(clusters.head(0), usable)["row"].tolist() == usable.tolist()
