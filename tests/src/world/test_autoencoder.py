"""The VAE of the latent models: trained from a seed, its latents of unit variance."""

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL

from verbatim.world.autoencoder import (
    checkpoint_parts,
    encode,
    reconstruction_rmse,
    to_model,
    train_autoencoder,
)
from verbatim.world.training import TrainingRun

SETTINGS = {
    "steps": 2,
    "batch": 4,
    "learning_rate": 1e-3,
    "channels": [8, 16],
    "latent_channels": 4,
    "crop": 8,
    "whole_steps": 2,
    "whole_learning_rate": 1e-3,
}


def test_bytes_become_minus_1_to_1_with_channels_first():
    images = np.zeros((1, 2, 3, 3), np.uint8)
    images[0, 1, 2] = [255, 0, 51]
    x = to_model(images)
    assert x.shape == (1, 3, 2, 3)
    torch.testing.assert_close(x[0, :, 1, 2], torch.tensor([1.0, -1.0, -0.6]))


def test_latents_have_unit_variance_after_scaling_and_survive_saving(tiny_vae, made_images):
    vae = AutoencoderKL.from_pretrained(tiny_vae, use_safetensors=True).eval()
    latents = encode(vae, made_images) * vae.config.scaling_factor
    assert latents.shape == (10, 4, 8, 8)
    assert float(latents.std()) == pytest.approx(1, abs=1e-4)


def test_a_batch_changes_no_latent(tiny_vae, made_images):
    vae = AutoencoderKL.from_pretrained(tiny_vae, use_safetensors=True).eval()
    torch.testing.assert_close(encode(vae, made_images, 3), encode(vae, made_images, 10))


def test_the_error_is_that_of_a_loop_over_images(tiny_vae, made_images):
    vae = AutoencoderKL.from_pretrained(tiny_vae, use_safetensors=True).eval()
    expected = []
    for image in made_images:
        with torch.no_grad():
            y = vae.decode(encode(vae, image[None])).sample[0].clamp(-1, 1)
        drawn = (y.permute(1, 2, 0).numpy() + 1) / 2
        expected.append(np.sqrt(np.mean((drawn - image / 255) ** 2)))
    np.testing.assert_allclose(reconstruction_rmse(vae, made_images, 4), expected, rtol=1e-4)


@pytest.mark.slow
def test_training_lowers_the_error_and_a_seed_decides_the_weights(made_images):
    smooth = (np.linspace(0, 255, 16)[None, :, None, None] * np.ones((10, 1, 16, 3))).astype(
        np.uint8
    )
    short = [train_autoencoder(smooth, SETTINGS, TrainingRun(seed)) for seed in (1, 1, 2)]
    trained = train_autoencoder(smooth, SETTINGS | {"steps": 60}, TrainingRun(1))
    before = reconstruction_rmse(short[0], smooth).mean()
    assert reconstruction_rmse(trained, smooth).mean() < before / 2
    first, same, other = (one.state_dict()["encoder.conv_in.weight"] for one in short)
    assert torch.equal(first, same)
    assert not torch.equal(first, other)


def test_steps_are_told_on_over_both_parts(made_images):
    told = []
    train_autoencoder(
        made_images, SETTINGS, TrainingRun(1, tell=lambda step, *_: told.append(step))
    )
    assert told == [0, 1, 2, 3]


@pytest.mark.slow
@pytest.mark.parametrize("killed_at", [1, 3])
def test_a_training_that_was_killed_in_either_part_ends_in_the_same_weights(
    tmp_path, made_images, killed_at
):
    class Killed(Exception):
        pass

    def kill(step, *_):
        if step == killed_at:
            raise Killed

    checkpoint = tmp_path / "vae.safetensors"
    whole = train_autoencoder(made_images, SETTINGS, TrainingRun(1))
    with pytest.raises(Killed):
        train_autoencoder(made_images, SETTINGS, TrainingRun(1, "cpu", checkpoint, 1, kill))
    assert any(path.exists() for path in checkpoint_parts(checkpoint))
    told = []
    resumed = train_autoencoder(
        made_images,
        SETTINGS,
        TrainingRun(1, "cpu", checkpoint, 1, lambda step, *_: told.append(step)),
    )
    assert min(told, default=4) > 0
    for name, weight in whole.state_dict().items():
        assert torch.equal(weight, resumed.state_dict()[name]), name


@pytest.mark.slow
def test_crops_train_a_network_that_whole_images_are_given_back_by(made_images):
    ramp = np.linspace(0, 255, 16)[None, :, None, None] * np.ones((10, 1, 16, 3))
    crops = SETTINGS | {"steps": 80, "whole_steps": 0}
    before = reconstruction_rmse(
        train_autoencoder(ramp.astype(np.uint8), SETTINGS, TrainingRun(1)), ramp.astype(np.uint8)
    )
    after = reconstruction_rmse(
        train_autoencoder(ramp.astype(np.uint8), crops, TrainingRun(1)), ramp.astype(np.uint8)
    )
    assert after.mean() < before.mean() / 2
