"""The VAE of the latent models: trained from a seed, its latents of unit variance."""

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL

from verbatim.world.autoencoder import encode, reconstruction_rmse, to_model, train_autoencoder

SETTINGS = {
    "steps": 2,
    "batch": 4,
    "learning_rate": 1e-3,
    "channels": [8, 16],
    "latent_channels": 4,
}


def test_bytes_become_minus_1_to_1_with_channels_first():
    pictures = np.zeros((1, 2, 3, 3), np.uint8)
    pictures[0, 1, 2] = [255, 0, 51]
    x = to_model(pictures)
    assert x.shape == (1, 3, 2, 3)
    torch.testing.assert_close(x[0, :, 1, 2], torch.tensor([1.0, -1.0, -0.6]))


def test_latents_have_unit_variance_after_scaling_and_survive_saving(tiny_vae, made_pictures):
    vae = AutoencoderKL.from_pretrained(tiny_vae, use_safetensors=True).eval()
    latents = encode(vae, made_pictures) * vae.config.scaling_factor
    assert latents.shape == (10, 4, 8, 8)
    assert float(latents.std()) == pytest.approx(1, abs=1e-4)


def test_a_batch_changes_no_latent(tiny_vae, made_pictures):
    vae = AutoencoderKL.from_pretrained(tiny_vae, use_safetensors=True).eval()
    torch.testing.assert_close(encode(vae, made_pictures, 3), encode(vae, made_pictures, 10))


def test_the_error_is_that_of_a_loop_over_pictures(tiny_vae, made_pictures):
    vae = AutoencoderKL.from_pretrained(tiny_vae, use_safetensors=True).eval()
    expected = []
    for picture in made_pictures:
        with torch.no_grad():
            y = vae.decode(encode(vae, picture[None])).sample[0].clamp(-1, 1)
        drawn = (y.permute(1, 2, 0).numpy() + 1) / 2
        expected.append(np.sqrt(np.mean((drawn - picture / 255) ** 2)))
    np.testing.assert_allclose(reconstruction_rmse(vae, made_pictures, 4), expected, rtol=1e-4)


def test_training_lowers_the_error_and_a_seed_decides_the_weights(made_pictures):
    smooth = (np.linspace(0, 255, 16)[None, :, None, None] * np.ones((10, 1, 16, 3))).astype(
        np.uint8
    )
    before = reconstruction_rmse(train_autoencoder(smooth, SETTINGS, 1), smooth).mean()
    trained = [train_autoencoder(smooth, SETTINGS | {"steps": 60}, seed) for seed in (1, 1, 2)]
    assert reconstruction_rmse(trained[0], smooth).mean() < before / 2
    first, same, other = (one.state_dict()["encoder.conv_in.weight"] for one in trained)
    assert torch.equal(first, same)
    assert not torch.equal(first, other)
