"""The exact clique search against every subset of small random graphs."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verbatim.postfilter.cliques import clique_distance, k_core, search_clique


def random_graph(n: int, share: float, seed: int) -> np.ndarray:
    upper = np.triu(np.random.default_rng(seed).random((n, n)) < share, 1)
    return upper | upper.T


def naive_size(graph: np.ndarray, among: list[int]) -> int:
    """The size of the largest clique among some vertices: with the first of them, or without it."""
    if not among:
        return 0
    first, *rest = among
    tied = [i for i in rest if graph[first, i]]
    return max(naive_size(graph, rest), 1 + naive_size(graph, tied))


def is_clique(graph: np.ndarray, members: np.ndarray) -> bool:
    return all(graph[i, j] for i, j in combinations(members, 2))


@st.composite
def graphs(draw, most: int = 9) -> np.ndarray:
    n = draw(st.integers(0, most))
    edges = list(combinations(range(n), 2))
    graph = np.zeros((n, n), dtype=bool)
    for (i, j), tied in zip(
        edges, draw(st.lists(st.booleans(), min_size=len(edges), max_size=len(edges))), strict=True
    ):
        graph[i, j] = graph[j, i] = tied
    return graph


# where the first, greedy guess is often too small
LARGER = st.builds(random_graph, st.integers(15, 20), st.floats(0.4, 0.7), st.integers(0, 10**6))


@given(graphs() | LARGER)
def test_the_clique_is_as_large_as_any_found_by_trying_every_subset(graph):
    found = search_clique(graph)
    assert len(found.members) == naive_size(graph, list(range(len(graph))))
    assert is_clique(graph, found.members)
    assert list(found.members) == sorted(set(found.members))
    assert found.exact


@given(st.integers(0, 10**6), st.integers(10, 40), st.floats(0.2, 0.9), st.integers(0, 20))
def test_a_search_that_is_cut_short_still_gives_a_clique_and_an_upper_bound(seed, n, share, nodes):
    graph = random_graph(n, share, seed)
    exact = len(search_clique(graph).members)
    short = search_clique(graph, max_nodes=nodes)
    assert is_clique(graph, short.members)
    assert len(short.members) <= exact <= short.bound


@given(graphs(12), st.integers(0, 5))
def test_the_k_core_is_the_largest_set_in_which_everyone_has_k_neighbours(graph, k):
    core = k_core(graph, k)
    assert (graph[core][:, core].sum(axis=1) >= k).all()
    # peeled by hand: whoever is left of any such set is never peeled
    left = set(range(len(graph)))
    while weak := {i for i in left if sum(graph[i, j] for j in left) < k}:
        left -= weak
    assert set(np.flatnonzero(core)) == left


def test_a_planted_clique_is_found_among_500_images():
    graph = random_graph(500, 0.05, 1)
    planted = np.random.default_rng(2).choice(500, 12, replace=False)
    graph[np.ix_(planted, planted)] = True
    assert list(search_clique(graph).members) == sorted(planted)


@pytest.mark.slow
def test_images_that_are_all_alike_are_one_clique_at_once():
    assert len(search_clique(np.ones((1200, 1200), dtype=bool)).members) == 1200


def test_the_diagonal_does_not_matter_and_the_answer_is_always_the_same_one():
    graph = random_graph(30, 0.4, 3)
    with_diagonal = graph | np.eye(30, dtype=bool)
    first = search_clique(graph).members
    assert all(
        np.array_equal(search_clique(g).members, first)
        for g in (graph, with_diagonal, graph.copy())
    )


def test_the_limit_of_a_search_is_in_branches_and_one_that_is_cut_says_so():
    graph = random_graph(80, 0.7, 4)
    assert not search_clique(graph, max_nodes=3).exact
    assert search_clique(graph, max_nodes=10**6).exact


def test_a_graph_that_is_not_symmetric_is_refused():
    graph = np.zeros((3, 3), dtype=bool)
    graph[0, 1] = True
    with pytest.raises(ValueError, match="symmetric"):
        search_clique(graph)


def test_the_clique_distance_is_the_mean_over_its_pairs():
    distances = np.random.default_rng(5).random((6, 6))
    members = np.array([0, 2, 5])
    expected = np.mean([distances[i, j] for i, j in combinations(members, 2)])
    assert clique_distance(distances, members) == pytest.approx(expected)
    assert math.isnan(clique_distance(distances, members[:1]))
