"""What is generated instead, and what it costs."""

import numpy as np
import pytest
import torch
from exact_denoiser import GaussianDenoiser

from verbatim.guard.regeneration import Defence, regenerate
from verbatim.models.row_counter import RowCounter
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


def test_rows_are_those_that_the_denoiser_counts_and_those_that_pass_it_by():
    denoiser = GaussianDenoiser()
    counter = RowCounter().watch(denoiser)
    regenerate(denoiser, Defence("rt", {"passes": 2}, 0), ["a", "b"], [0, 1], HOW, 3)
    assert counter.rows == denoiser.rows == 2 * 2 * 4 * 2
    assert counter.with_gradient == 0
    with torch.enable_grad():
        denoiser.network(torch.zeros(3, *denoiser.shape), torch.ones(3), denoiser.encode(["x"] * 3))
    assert (counter.rows, counter.with_gradient, denoiser.rows) == (35, 3, 32)


def test_an_unknown_defence_is_refused():
    with pytest.raises(ValueError, match="defence 'sleep' is unknown"):
        regenerate(GaussianDenoiser(), Defence("sleep", {}, 0), ["a"], [0], HOW, 3)
