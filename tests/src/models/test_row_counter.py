"""Rows of a network, counted whoever calls it."""

import torch
from exact_denoiser import GaussianDenoiser

from verbatim.models.row_counter import RowCounter


def test_rows_are_those_that_the_denoiser_counts_and_those_that_pass_it_by():
    denoiser = GaussianDenoiser()
    counter = RowCounter().watch(denoiser)
    x = torch.ones(4, *denoiser.shape)
    denoiser.predict(x, 5.0, denoiser.encode(["a"] * 4))
    assert (counter.rows, counter.with_gradient, denoiser.rows) == (4, 0, 4)
    with torch.enable_grad():
        denoiser.network(x[:3], torch.ones(3), denoiser.encode(["x"] * 3))
    assert (counter.rows, counter.with_gradient, denoiser.rows) == (7, 3, 4)
