"""What is generated instead, and what it costs."""

import numpy as np
import pytest
from exact_denoiser import GaussianDenoiser

from verbatim.guard.regeneration import Defence, regenerate
from verbatim.models.sampling import Sampling

HOW = Sampling(steps=4, guidance=3.0, sampler="euler")


def test_every_caption_is_generated_with_every_seed_in_order_whatever_the_batch():
    stacks = [
        regenerate(
            GaussianDenoiser(), Defence("rt", {"passes": 2}, 0), ["a b", "c"], [0, 5], HOW, n
        )
        for n in (3, 1)
    ]
    for one, other in zip(*stacks, strict=True):
        assert len(one) == len(other) == 2
        np.testing.assert_array_equal(np.stack(one), np.stack(other))
        assert not np.array_equal(one[0], one[1])


def test_a_generation_costs_the_rows_of_its_sampler():
    denoiser = GaussianDenoiser()
    regenerate(denoiser, Defence("rt", {"passes": 2}, 0), ["a", "b"], [0, 1], HOW, 3)
    assert denoiser.rows == 2 * 2 * 4 * 2


def test_an_unknown_defence_is_refused():
    with pytest.raises(ValueError, match="defence 'sleep' is unknown"):
        regenerate(GaussianDenoiser(), Defence("sleep", {}, 0), ["a"], [0], HOW, 3)
