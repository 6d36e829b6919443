"""Adversarial embeddings: what they minimise, and that each image moves by itself."""

import pytest
import torch

from verbatim.mitigation.adversarial_embeddings import Search, find_embeddings, random_states
from verbatim.models.denoiser import Condition
from verbatim.models.load import load_denoiser

HOW = Search(steps=6, rate=0.1, noises=3, seed=0)


@pytest.fixture(scope="module")
def denoiser(tiny_sd):
    return load_denoiser(tiny_sd, "sd", "cpu")


def loss(denoiser, latents, cond, n=64):
    """Mean squared error of the noise over n noises and timesteps that no search has met."""
    generator = torch.Generator().manual_seed(99)
    places = torch.randint(len(denoiser.sigmas), (n,), generator=generator)
    noise = torch.randn((n, *denoiser.shape), generator=generator)
    sigma = denoiser.sigmas[places]
    x = latents + sigma.float().view(-1, 1, 1, 1) * noise
    return float((denoiser.predict(x, sigma, cond) - noise).square().mean())


@pytest.mark.slow
def test_the_embedding_denoises_the_image_better_than_its_start(denoiser):
    latents = torch.randn(1, *denoiser.shape, generator=torch.Generator().manual_seed(5))
    start = denoiser.encode(["red heart"])
    found = find_embeddings(denoiser, latents, start, Search(40, 0.1, 8, 0))
    assert loss(denoiser, latents, found) < loss(denoiser, latents, start)
    assert not found.states.requires_grad


@pytest.mark.slow
def test_every_image_moves_as_if_it_was_alone(denoiser):
    latents = torch.randn(3, *denoiser.shape, generator=torch.Generator().manual_seed(5))
    start = denoiser.encode(["red heart", "open book", "man cook"])
    together = find_embeddings(denoiser, latents, start, HOW)
    alone = [find_embeddings(denoiser, latents[i : i + 1], start[i], HOW).states for i in range(3)]
    torch.testing.assert_close(together.states, torch.cat(alone), atol=2e-3, rtol=1e-3)
    assert len({float(one.sum()) for one in together.states}) == 3


@pytest.mark.slow
def test_the_seed_decides_the_noises_and_rows_are_counted(denoiser):
    latents = torch.zeros(2, *denoiser.shape)
    start = denoiser.encode(["red heart", "open book"])
    before = denoiser.rows
    first = find_embeddings(denoiser, latents, start, HOW).states
    assert denoiser.rows - before == 2 * HOW.steps * HOW.noises
    assert torch.equal(first, find_embeddings(denoiser, latents, start, HOW).states)
    other = find_embeddings(denoiser, latents, start, Search(6, 0.1, 3, 1)).states
    assert (first - other).abs().max() > 1e-3


def test_random_starts_are_of_unit_variance_and_of_their_seed_alone():
    like = Condition(torch.zeros(3, 20, 64))
    states = random_states([7, 8, 7], like).states
    assert states.shape == like.states.shape
    assert states.std() == pytest.approx(1, abs=0.05)
    assert torch.equal(states[0], states[2])
    assert not torch.equal(states[0], states[1])
