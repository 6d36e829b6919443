"""Search results as a table."""

from __future__ import annotations

import numpy as np
import pytest

from verbatim.labels.neighbours import neighbour_table


def test_each_neighbour_is_a_row_in_the_order_found_and_absent_ones_are_left_out():
    rows = np.array([[7, 3, -1], [2, 9, 4]])
    similarities = np.array([[0.9, 0.8, -np.inf], [0.7, 0.6, 0.5]], dtype=np.float32)
    table = neighbour_table([(11, 0), (11, 1)], rows, similarities)
    assert table["row"].tolist() == [7, 3, 2, 9, 4]
    assert table["seed"].tolist() == [0, 0, 1, 1, 1]
    assert table["order"].tolist() == [0, 1, 0, 1, 2]
    assert set(table["prompt_id"]) == {11}
    assert np.isfinite(table["similarity"]).all()


def test_keys_of_63_bits_survive():
    key = 2**63 - 1
    table = neighbour_table([(key, 0)], np.array([[1]]), np.array([[0.5]]))
    assert table["prompt_id"].tolist() == [key]


def test_no_query_gives_an_empty_table():
    table = neighbour_table([], np.zeros((0, 3), np.int64), np.zeros((0, 3), np.float32))
    assert table.empty


def test_results_that_do_not_belong_to_the_queries_are_refused():
    with pytest.raises(ValueError, match="2 queries"):
        neighbour_table([(1, 0), (1, 1)], np.zeros((1, 3)), np.zeros((1, 3)))
