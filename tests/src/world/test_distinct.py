"""Equal images stand once, and images that differ in one pixel are two."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from verbatim.world.distinct import first_of_equal


@given(st.lists(st.integers(0, 4), max_size=30), st.integers(0, 2**32 - 1))
def test_one_image_of_each_value_is_kept_and_it_is_the_first(which, seed):
    kinds = np.random.default_rng(seed).integers(0, 255, (5, 4, 4, 3), dtype=np.uint8)
    kinds[1] = kinds[0]
    kinds[1, 2, 3, 1] += 1  # a near-duplicate: one pixel is another
    kept = first_of_equal(kinds[which])
    assert kept.tolist() == [value not in which[:i] for i, value in enumerate(which)]
