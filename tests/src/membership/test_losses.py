"""Losses at one timestep and completions of half an image, against naive versions."""

import numpy as np
import pytest
import torch

from verbatim.membership.inpainting import (
    Completions,
    half_errors,
    hide_half,
    inpaint,
    inpainting_errors,
)
from verbatim.membership.losses import LossSettings, diffusion_losses, encode_images, member_losses
from verbatim.models.load import load_denoiser
from verbatim.models.noise import unit_noise

CAPTIONS = ["red heart", "man cook", "open book"]


@pytest.fixture(scope="module")
def model(tiny_sd):
    return load_denoiser(tiny_sd, "sd", "cpu")


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)


def naive_loss(model, image, caption, t, seed):
    """Ho et al. 2020, eq. 14, with the bare networks."""
    x = torch.from_numpy(image.astype(np.float32)).permute(2, 0, 1)[None] / 127.5 - 1
    with torch.no_grad():
        z = (model.vae.encode(x).latent_dist.mean - model.shift) * model.scale
        abar = 1 / (1 + model.sigmas[t] ** 2)
        eps = unit_noise(seed, model.shape)
        noisy = (abar.sqrt() * z + (1 - abar).sqrt() * eps).float()
        states = model.encode([caption]).states
        out = model.unet(noisy, torch.tensor([t]), encoder_hidden_states=states).sample
    return float(((out - eps) ** 2).mean())


def test_the_loss_is_that_of_training_at_the_timestep_averaged_over_noises_and_flips(model, images):
    found = member_losses(model, images, CAPTIONS, LossSettings(100, [0, 7], 2), True)
    for i, caption in enumerate(CAPTIONS):
        views = (images[i], np.ascontiguousarray(images[i][:, ::-1]))
        naive = [naive_loss(model, view, caption, 100, seed) for view in views for seed in (0, 7)]
        assert found[i] == pytest.approx(np.mean(naive), rel=1e-4)


def test_the_loss_of_a_image_does_not_depend_on_the_batch(model, images):
    latents, cond = encode_images(model, images, 8), model.encode(CAPTIONS)
    one, eight = (
        diffusion_losses(model, latents, cond, LossSettings(100, [0], batch)) for batch in (1, 8)
    )
    np.testing.assert_allclose(eight, one, rtol=1e-4)


def test_the_code_of_the_known_half_does_not_see_the_hidden_half(model, images):
    other = images.copy()
    other[:, :, 16:] = 0
    torch.testing.assert_close(
        encode_images(model, hide_half(images), 8), encode_images(model, hide_half(other), 8)
    )


def test_a_completion_keeps_the_known_half(model, images):
    known = encode_images(model, hide_half(images), 8)
    keep = torch.zeros(model.shape[1:], dtype=torch.bool)
    keep[:, : model.shape[2] // 2] = True
    x0 = inpaint(model, known, keep, model.encode(CAPTIONS), 0, 3)
    torch.testing.assert_close(x0[..., keep], known[..., keep])
    assert not torch.allclose(x0[..., ~keep], known[..., ~keep])


def test_a_completion_of_one_step_is_the_models_estimate_from_noise_beside_the_known_half(
    model, images
):
    known, cond = encode_images(model, hide_half(images), 8), model.encode(CAPTIONS)
    keep = torch.zeros(model.shape[1:], dtype=torch.bool)
    keep[:, : model.shape[2] // 2] = True
    noise, sigma = unit_noise(5, model.shape), model.sigma_max
    x = torch.where(keep, known + sigma * noise, sigma * noise)
    naive = x - sigma * model.predict(x, sigma, cond)
    x0 = inpaint(model, known, keep, cond, 5, 1)
    torch.testing.assert_close(x0[..., ~keep], naive[..., ~keep], rtol=1e-4, atol=1e-3)


def test_the_error_is_of_the_hidden_half_alone():
    truth = np.zeros((2, 4, 4, 3))
    made = truth.copy()
    made[:, :, :2] = 1.0
    made[1, :, 2:] = 0.5
    np.testing.assert_allclose(half_errors(made, truth), [0.0, 0.5])


@pytest.mark.slow
def test_fewer_completions_are_looked_at_than_made(model, images):
    every = inpainting_errors(model, images, CAPTIONS, Completions([0, 1, 2], 3, 2), 100, 2)
    alone = [
        inpainting_errors(model, images, CAPTIONS, Completions([s], 1, 2), 100, 3)
        for s in (0, 1, 2)
    ]
    np.testing.assert_allclose(every, np.mean(alone, axis=0), rtol=1e-4)
    best = inpainting_errors(model, images, CAPTIONS, Completions([0, 1, 2], 1, 2), 100, 2)
    assert all(np.isclose(best[i], np.array(alone)[:, i], rtol=1e-4).any() for i in range(3))
