"""Models that are trained here load through the code that loads public checkpoints, and draw."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from tiny_models import CAPTIONS
from verbatim.models.load import load_denoiser
from verbatim.models.load_upscaler import load_upscaler
from verbatim.models.sampling import Sampling, generate
from verbatim.models.upscaling import UpscalerSettings
from verbatim.world import latent_training, pixel_training
from verbatim.world.models import Origins, train_model, train_second_stage
from verbatim.world.training import TrainingRun

SD = {
    "steps": 2,
    "batch": 4,
    "learning_rate": 1e-3,
    "channels": [16, 32],
    "ema": 0.9,
    "p_empty": 0.1,
}
IF = SD | {"channels": [16, 32], "width": 32, "reduction": 2}
SIZES = {"sd": 16, "if": 8}


@pytest.fixture
def train(tmp_path, tiny_clip, tiny_vae, tiny_t5, made_images):
    """Train a model for some steps; its folder."""

    def run(name, family="sd", settings=None, init=None, vae=tiny_vae, tell=lambda *_: None):
        train_model(
            family, (made_images, list(CAPTIONS)), settings or SD,
            Origins(tiny_clip.folder, vae, init, tiny_t5), tmp_path / name,
            TrainingRun(5, "cpu", tmp_path / f"{name}.safetensors", 10, tell),
        )  # fmt: skip
        return tmp_path / name

    return run


def weights(folder):
    return load_file(folder / "unet" / "diffusion_pytorch_model.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize(("family", "settings"), [("sd", SD), ("if", IF)])
def test_a_trained_model_loads_as_a_public_checkpoint_and_draws(train, family, settings):
    steps = []
    folder = train("model", family, settings, tell=lambda step, *_: steps.append(step))
    assert steps == [0, 1]
    assert not list(folder.rglob("*.bin"))
    assert not list(folder.parent.glob(".model~*"))
    denoiser = load_denoiser(str(folder), family, "cpu")
    size = SIZES[family]
    assert denoiser.size == size
    ((_, _, image),) = generate(denoiser, CAPTIONS[:1], [0], Sampling(2, 3.0), 4)
    assert image.shape == (size, size, 3)
    assert np.isfinite(image).all()
    assert 0 <= image.min() <= image.max() <= 1


def test_the_saved_network_predicts_as_the_trained_one_and_on_captions_in_any_case(train):
    """IFPipeline reads captions in small letters: a model must be trained on what it is asked."""
    denoiser = load_denoiser(str(train("model", "if", IF)), "if", "cpu")
    x = torch.randn(2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    small, large = (
        denoiser.predict(x, 1.0, denoiser.encode([text, "man cook"]))
        for text in ("red heart ", "Red HEART")
    )
    torch.testing.assert_close(small, large)


def test_the_text_encoder_of_a_pixel_model_is_the_frozen_one(train, tiny_t5):
    saved = [
        load_file(folder / "text_encoder" / "model.safetensors")
        for folder in (train("model", "if", IF | {"learning_rate": 0.5}), tiny_t5)
    ]
    assert saved[0].keys() == saved[1].keys()
    assert all(torch.equal(saved[0][name], saved[1][name]) for name in saved[0])


@pytest.mark.slow
def test_both_stages_draw_together_at_the_size_of_the_training_images(
    train, tiny_t5, made_images, tmp_path
):
    first, second = train("first", "if", IF), tmp_path / "second"
    settings = IF | {"crop": 8, "levels": 300}
    data = (made_images, list(CAPTIONS))
    train_second_stage(data, settings, 2, tiny_t5, second, TrainingRun(6))
    assert not (tmp_path / "second.part").exists()
    denoiser = load_denoiser(first, "if", "cpu")
    load_upscaler(denoiser, second, UpscalerSettings(steps=2))
    ((_, _, image),) = generate(denoiser, CAPTIONS[:1], [0], Sampling(2, 3.0), 4)
    assert image.shape == made_images.shape[1:]
    assert np.isfinite(image).all()


@pytest.mark.slow
def test_a_training_is_the_same_twice(train):
    one, two = weights(train("one")), weights(train("two"))
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.slow
def test_a_fine_tuned_model_starts_from_its_models_weights(train):
    base = train("base", settings=SD | {"learning_rate": 0.5})
    tuned = weights(train("tuned", settings=SD | {"learning_rate": 1e-9}, init=base))
    fresh = weights(train("fresh", settings=SD | {"learning_rate": 1e-9}))
    name = "conv_in.weight"
    torch.testing.assert_close(tuned[name], weights(base)[name], rtol=0, atol=1e-6)
    assert not torch.allclose(fresh[name], weights(base)[name], atol=1e-4)


def test_a_folder_that_was_there_is_replaced_as_a_whole(train, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "stale.txt").touch()
    assert not (train("model") / "stale.txt").exists()


def test_a_training_that_fails_leaves_no_folder(train, tmp_path):
    with pytest.raises(RuntimeError, match="the loss is"):
        train("model", settings=SD | {"learning_rate": float("inf")})
    assert not (tmp_path / "model").exists()


def test_a_family_that_cannot_be_trained_is_named(train):
    with pytest.raises(ValueError, match=r"'images'.*'sd' and 'if'"):
        train("model", "images")


def test_the_schedules_are_those_of_stable_diffusion_1_and_of_deepfloyd():
    sd, floyd = latent_training.make_scheduler().config, pixel_training.make_scheduler().config
    assert (sd.beta_start, sd.beta_end, sd.beta_schedule) == (0.00085, 0.012, "scaled_linear")
    assert sd.prediction_type == floyd.prediction_type == "epsilon"
    assert floyd.beta_schedule == "squaredcos_cap_v2"
    assert floyd.variance_type == "learned_range"
    abar = float(latent_training.make_scheduler().alphas_cumprod[-1])
    assert (1 / abar - 1) ** 0.5 == pytest.approx(14.6146, abs=1e-3)
