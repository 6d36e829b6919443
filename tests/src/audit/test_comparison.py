"""What a comparison of an audit keeps in memory."""

from __future__ import annotations

import pytest

from verbatim.audit.comparison import CACHED, kept_squares
from verbatim.metrics.rmse import fit_square


@pytest.mark.parametrize("size", [64, 256, 768])
def test_squares_in_memory_have_a_bound_in_bytes_whatever_their_size(size):
    import numpy as np

    squares = fit_square(np.zeros((30, 40, 3), np.float32), size)
    of_image = sum(square.nbytes for square in squares.values())
    assert CACHED / 2 < kept_squares(size) * of_image <= CACHED


def test_of_squares_that_are_larger_than_the_bound_one_stays():
    assert kept_squares(20_000) == 1
