"""Stage II of the world's pixel model: trained on crops, saved as published, told by stage I's image."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tiny_models import CAPTIONS
from verbatim.world import pixel_training, upscaler
from verbatim.world.training import TrainingRun, high_noise_weight

SETTINGS = {
    "steps": 2, "batch": 4, "learning_rate": 1e-3, "channels": [8, 16], "width": 16, "ema": 0.9,
    "p_empty": 0.1, "crop": 8, "levels": 300,
}  # fmt: skip
STATES = torch.randn(len(CAPTIONS) + 1, 6, 24, generator=torch.Generator().manual_seed(0))


def train(images, steps=2, seen=None, **settings):
    torch.manual_seed(1)
    settings = SETTINGS | settings | {"steps": steps}
    unet = upscaler.make_upscaler(settings, 16, 24)
    if seen is not None:
        unet.register_forward_pre_hook(
            lambda module, args, kwargs: seen.append((args, kwargs)), with_kwargs=True
        )
    pairs = (images, pixel_training.reduce_images(images, 2))
    upscaler.train_upscaler(unet, pairs, STATES, settings, TrainingRun(seed=3))
    return unet


def test_it_is_trained_on_crops_of_images_and_of_their_enlarged_reductions(made_images):
    seen = []
    train(made_images, seen=seen, levels=1)
    (x, _, states), others = seen[0]
    assert x.shape == (4, 6, 8, 8)
    assert states.shape == (4, 6, 24)
    assert (others["class_labels"] == 0).all()
    # hardly any noise at level 0: the last channels are a crop of an enlarged reduction
    small = (
        torch.from_numpy(pixel_training.reduce_images(made_images, 2)).permute(0, 3, 1, 2) / 127.5
        - 1
    )
    large = upscaler.enlarge(small, 16)
    crops = large.unfold(2, 8, 1).unfold(3, 8, 1).permute(0, 2, 3, 1, 4, 5).reshape(-1, 3 * 64)
    nearest = torch.cdist(x[:, 3:].reshape(4, -1), crops).min(dim=1).values
    assert float(nearest.max()) < 0.02 * 192**0.5


def test_an_image_smaller_than_a_crop_is_taken_whole(made_images):
    seen = []
    train(made_images, seen=seen, crop=64)
    assert seen[0][0][0].shape[-2:] == (16, 16)


def test_a_training_is_the_same_twice_and_another_row_changes_it(made_images):
    one, two = train(made_images), train(made_images)
    other = train(made_images[::-1].copy())
    weights = [dict(model.named_parameters()) for model in (one, two, other)]
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
    assert any(not torch.equal(weights[0][name], weights[2][name]) for name in weights[0])


@pytest.mark.slow
def test_it_learns_to_enlarge(made_images):
    """Two colours an image: what stage II must put back are the edges."""
    rng = np.random.default_rng(0)
    images = np.empty((len(CAPTIONS), 16, 16, 3), np.uint8)
    for image in images:
        a, b = rng.integers(0, 256, (2, 3))
        image[:] = a
        image[:, rng.integers(3, 12) :] = b
    losses = []
    torch.manual_seed(1)
    settings = SETTINGS | {"steps": 200, "learning_rate": 5e-3, "batch": 8}
    unet = upscaler.make_upscaler(settings, 16, 24)
    run = TrainingRun(seed=3, tell=lambda step, loss, *_: losses.append(loss))
    pairs = (images, pixel_training.reduce_images(images, 2))
    upscaler.train_upscaler(unet, pairs, STATES, settings, run)
    assert sum(losses[-20:]) < 0.5 * sum(losses[:20])


@pytest.mark.slow
def test_its_folder_is_diffusers_own_and_has_no_text_encoder(made_images, tmp_path):
    from diffusers import IFSuperResolutionPipeline

    unet = train(made_images)
    upscaler.save_upscaler(tmp_path / "second", unet)
    saved = load_file(tmp_path / "second/unet/diffusion_pytorch_model.safetensors")
    assert all(torch.equal(saved[name], value) for name, value in unet.state_dict().items())
    loaded = IFSuperResolutionPipeline.from_pretrained(tmp_path / "second")
    assert loaded.text_encoder is None
    assert loaded.tokenizer is None
    assert loaded.scheduler.config.beta_schedule == "squaredcos_cap_v2"
    assert loaded.scheduler.config.sample_max_value == 1.0
    assert loaded.scheduler.config.prediction_type == "v_prediction"
    assert loaded.image_noising_scheduler.config.beta_schedule == "squaredcos_cap_v2"
    assert loaded.unet.config.in_channels == 6


def test_reduction_is_the_mean_of_squares_and_enlargement_the_pipelines():
    images = np.zeros((1, 4, 4, 3), np.uint8)
    images[0, :2, :2] = [[[0, 8, 4], [4, 8, 4]], [[8, 8, 4], [12, 8, 4]]]
    small = pixel_training.reduce_images(images, 2)
    assert small.shape == (1, 2, 2, 3)
    assert small[0, 0, 0].tolist() == [6, 8, 4]
    assert small[0, 1, 1].tolist() == [0, 0, 0]
    corners = torch.tensor([[[[0.0, 1.0], [2.0, 3.0]]]])
    large = upscaler.enlarge(corners, 4)
    assert large[0, 0, 0, 0] == 0
    assert large[0, 0, -1, -1] == 3  # corners stay corners
    assert float(large[0, 0, 0, 1]) == pytest.approx(1 / 3)


def test_high_noise_counts_more_within_bounds():
    abar = torch.tensor([0.999, 0.5, 0.1, 1e-6])
    weight = high_noise_weight(abar)
    assert weight.tolist() == pytest.approx([1.0, 1.0, 3.0, 5.0])
