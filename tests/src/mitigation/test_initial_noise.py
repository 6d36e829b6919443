"""Noise that is moved until a prompt says little."""

import pytest
import torch

from verbatim.mitigation.descent import Descent, descend, first_change
from verbatim.mitigation.initial_noise import flat_noise, quiet_noise
from verbatim.models.load import load_denoiser
from verbatim.models.noise import noise_of_seeds


@pytest.fixture(scope="module")
def denoiser(tiny_sd):
    return load_denoiser(tiny_sd, "sd", "cpu")


def norms(denoiser, noise, cond, empty):
    with torch.no_grad():
        return first_change(denoiser, noise, cond, empty).flatten(1).norm(dim=1)


def test_each_line_stops_for_itself_where_it_first_reaches_the_target():
    start = torch.tensor([[3.0], [0.5], [9.0]])
    found = descend(lambda x: x.abs().sum(1), start, Descent(steps=40, rate=0.1, target=1.0))
    assert found[1].item() == 0.5  # it was there
    assert 0.8 < found[0].item() <= 1.0
    assert 4.5 < found[2].item() < 5.5  # forty steps of about 0.1


def test_lines_move_as_if_each_was_alone():
    start = torch.tensor([[3.0, 1.0], [0.2, 5.0]])
    how = Descent(steps=7, rate=0.2, target=0.0)
    together = descend(lambda x: x.square().sum(1), start, how)
    alone = torch.cat([descend(lambda x: x.square().sum(1), one[None], how) for one in start])
    torch.testing.assert_close(together, alone)


def test_the_change_is_that_of_two_predictions_at_the_highest_level(denoiser):
    cond, empty = denoiser.encode(["red heart", "black cat face"]), denoiser.encode([""])
    noise = noise_of_seeds([3, 4], denoiser.shape)
    x = noise * denoiser.sigma_max
    expected = denoiser.predict(x, denoiser.sigma_max, cond)
    expected = expected - denoiser.predict(x, denoiser.sigma_max, empty.repeat(2))
    torch.testing.assert_close(
        first_change(denoiser, noise, cond, empty), expected, atol=1e-5, rtol=1e-4
    )


@pytest.mark.slow
def test_noise_is_moved_until_the_prompt_changes_less_and_no_further(denoiser):
    cond, empty = denoiser.encode(["red heart", "black cat face"]), denoiser.encode([""])
    noise = noise_of_seeds([3, 4], denoiser.shape)
    before = norms(denoiser, noise, cond, empty)
    target = 0.9 * float(before.min())
    moved = quiet_noise(denoiser, noise, cond, empty, Descent(200, 0.02, target))
    after = norms(denoiser, moved, cond, empty)
    assert (after <= target).all()
    assert (after > 0.8 * target).all()
    above = Descent(200, 0.02, 2 * float(before.max()))
    assert torch.equal(quiet_noise(denoiser, noise, cond, empty, above), noise)


@pytest.mark.slow
def test_a_flatter_start_weighs_the_noises_own_norm(denoiser):
    cond, empty = denoiser.encode(["red heart"]), denoiser.encode([""])
    noise = noise_of_seeds([3], denoiser.shape)
    how = Descent(30, 0.05, -100.0)
    light = flat_noise(denoiser, noise, cond, empty, how, 0.0)
    heavy = flat_noise(denoiser, noise, cond, empty, how, 10.0)
    assert heavy.norm() < light.norm()
    assert heavy.norm() < noise.norm()
