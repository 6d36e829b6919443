import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from law_examples import examples
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from verbatim.dedup.components import Plan, find_clusters, plan_blocks


def clusters_of(chunks, n_rows: int, folder: Path, plan: Plan | None = None) -> list[int]:
    """The lowest row of each row's component; checks that the table is one of clusters."""
    none = pd.DataFrame({"row": [], "cluster": []}, dtype="int64")
    table = pd.concat([none, *find_clusters(chunks, n_rows, folder, 1 << 24, plan)])
    assert (np.diff(table["row"]) > 0).all()
    assert (table.groupby("cluster").size() >= 2).all()
    lowest = np.arange(n_rows)
    lowest[table["row"]] = table["cluster"]
    return lowest.tolist()


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


@st.composite
def graphs(draw) -> tuple[int, list[tuple[int, int]]]:
    """A number of rows, and pairs of them: loops and repeated pairs too."""
    n_rows = draw(st.integers(1, 25))
    row = st.integers(0, n_rows - 1)
    return n_rows, draw(st.lists(st.tuples(row, row), max_size=40))


def cut(pairs: list[tuple[int, int]], chunk: int) -> list[tuple[np.ndarray, np.ndarray]]:
    table = np.array(pairs, dtype=np.int64).reshape(-1, 2)
    return [tuple(table[i : i + chunk].T) for i in range(0, max(1, len(table)), chunk)]


@given(graphs(), st.integers(1, 41), st.integers(1, 26), st.integers(1, 41))
def test_components_are_those_of_a_naive_search_however_pairs_and_rows_are_cut(
    graph, size, block, chunk
):
    n_rows, pairs = graph
    with tempfile.TemporaryDirectory() as name:
        found = clusters_of(cut(pairs, size), n_rows, Path(name), Plan(block, chunk))
        assert not list(Path(name).iterdir())
    assert found == naive_components(pairs, n_rows)


@examples(25)
@given(graphs(), st.data())
def test_the_order_and_the_direction_of_pairs_and_repeating_one_change_no_cluster(graph, data):
    n_rows, pairs = graph
    turned = [(b, a) for a, b in data.draw(st.permutations([*pairs, *pairs[:3]]))]
    plan = Plan(data.draw(st.integers(1, 9)), 3)
    with tempfile.TemporaryDirectory() as name:
        one, two = (clusters_of(cut(p, 4), n_rows, Path(name), plan) for p in (pairs, turned))
    assert one == two


@pytest.mark.parametrize("n_pairs", [5_000, 30_000])
@pytest.mark.parametrize("block", [10_000, 1_700])
def test_components_are_those_of_scipy_in_one_go(tmp_path: Path, n_pairs, block):
    a, b = np.random.default_rng(1).integers(0, 10_000, (2, n_pairs))
    graph = coo_array((np.ones(n_pairs, dtype=bool), (a, b)), shape=(10_000, 10_000))
    _, label = connected_components(graph, directed=False)
    lowest = np.full(label.max() + 1, 10_000)
    np.minimum.at(lowest, label, np.arange(10_000))
    assert clusters_of([(a, b)], 10_000, tmp_path, Plan(block, 999)) == lowest[label].tolist()


@pytest.mark.parametrize("order", ["up", "down", "random"])
@pytest.mark.parametrize("block", [10_000, 3_000, 100])
def test_a_long_chain_is_one_component(tmp_path: Path, order, block):
    a = np.arange(9_999)
    if order == "down":
        a = a[::-1]
    elif order == "random":
        a = np.random.default_rng(0).permutation(a)
    chunks = [(part, part + 1) for part in np.array_split(a, 50)]
    assert not any(clusters_of(chunks, 10_000, tmp_path, Plan(block, 1000)))


@pytest.mark.parametrize("center", [0, 4_000, 9_999])
def test_a_star_is_one_component(tmp_path: Path, center):
    rows = np.arange(10_000)
    chunks = [(rows, np.full(10_000, center))]
    assert not any(clusters_of(chunks, 10_000, tmp_path, Plan(1_500, 700)))


@pytest.mark.parametrize("pair", [(0, 5), (-1, 2)])
def test_a_pair_of_rows_that_are_not_there_is_refused(tmp_path: Path, pair):
    with pytest.raises(ValueError, match="there are 5 rows"):
        clusters_of([(np.array([pair[0]]), np.array([pair[1]]))], 5, tmp_path)


def test_a_cluster_is_two_rows_or_more_and_named_by_its_lowest(tmp_path: Path):
    pairs = (np.array([2, 4, 6, 5]), np.array([0, 1, 4, 5]))  # a pair with itself ties nothing
    (table,) = find_clusters([pairs], 7, tmp_path, 1 << 20)
    assert table.to_numpy().tolist() == [[0, 0], [1, 1], [2, 0], [4, 1], [6, 1]]
    assert not list(find_clusters([], 3, tmp_path, 1 << 20))


def test_blocks_fit_into_the_memory_and_files_stay_few():
    assert plan_blocks(1000, 1 << 30).block == 1000
    assert plan_blocks(2_300_000_000, 4 << 30).block * 32 <= 2 << 30
    assert plan_blocks(2_300_000_000, 1 << 20).block == 4_600_000  # 500 files open, no more
