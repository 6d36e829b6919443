"""Batches that do not fit into the memory: real networks of tiny size that refuse more than a few rows."""

import logging

import pytest
import torch

from verbatim.models.fitting import Fitting
from verbatim.models.load import load_denoiser
from verbatim.models.noise import noise_of_seeds
from verbatim.models.sampling import Sampling, generate

CAPTIONS = ["red heart", "a cat", "two dogs", "", "a plate"]


def refuse_above(module: torch.nn.Module, most: int, met: list[int]) -> None:
    """Make a network run out of memory above `most` rows, as torch does on a card; `met` takes the rows of each call."""
    whole = module.forward

    def forward(x: torch.Tensor, *args: object, **more: object) -> object:
        met.append(len(x))
        if len(x) > most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return whole(x, *args, **more)

    module.forward = forward


def test_predictions_of_halved_batches_are_those_of_whole_ones_and_later_ones_start_small(
    tiny_sd, caplog
):
    plain, small = (load_denoiser(tiny_sd, "sd", "cpu") for _ in range(2))
    x = noise_of_seeds(range(5), plain.shape)
    want = plain.predict(x, plain.sigma_max, plain.encode(CAPTIONS))
    met: list[int] = []
    refuse_above(small.unet, 2, met)
    with caplog.at_level(logging.WARNING):
        found = small.predict(x, small.sigma_max, small.encode(CAPTIONS))
    torch.testing.assert_close(found, want, rtol=1e-4, atol=1e-5)
    assert met == [5, 3, 2, 2, 1]
    assert small.rows == 5  # a batch that failed was not spent
    assert "denoiser: 3 rows do not fit" in caplog.text
    met.clear()
    small.predict(x, 1.0, small.encode(CAPTIONS))
    assert met == [2, 2, 1]


@pytest.mark.slow
@pytest.mark.parametrize("family", ["sd", "if"])
def test_generations_do_not_depend_on_the_memory(family, tiny_sd, tiny_if):
    folder, how = {"sd": tiny_sd, "if": tiny_if}[family], Sampling(steps=2, guidance=3.0)
    plain, small = (load_denoiser(folder, family, "cpu") for _ in range(2))
    met: list[int] = []
    refuse_above(small.unet, 3, met)
    if family == "sd":
        refuse_above(small.vae.decoder, 1, met)
    made = [list(generate(d, CAPTIONS, [0, 1], how, batch=8)) for d in (plain, small)]
    assert max(met) > 3
    for one, other in zip(*made, strict=True):
        assert one[:2] == other[:2]
        assert abs(one[2] - other[2]).max() < 1 / 255


def test_one_row_that_does_not_fit_is_an_error(tiny_sd):
    d = load_denoiser(tiny_sd, "sd", "cpu")
    refuse_above(d.unet, 0, [])
    with pytest.raises(torch.OutOfMemoryError):
        d.predict(noise_of_seeds([0, 1], d.shape), 1.0, d.encode(CAPTIONS[:2]))


def test_a_batch_that_is_differentiated_is_not_split(tiny_sd):
    d = load_denoiser(tiny_sd, "sd", "cpu")
    met: list[int] = []
    refuse_above(d.unet, 1, met)
    x = noise_of_seeds([0, 1], d.shape).requires_grad_()
    with pytest.raises(torch.OutOfMemoryError):
        d.predict_with_gradient(x, 1.0, d.encode(CAPTIONS[:2]))
    assert met == [2]


def test_no_rows_are_one_call():
    fitting, met = Fitting("decoder"), []
    with torch.no_grad():
        found = fitting.run(lambda part: (met.append(part), torch.zeros(0, 3))[1], 0)
    assert found.shape == (0, 3)
    assert met == [slice(0, 0)]
