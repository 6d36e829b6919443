"""The convention x = x0 + sigma eps, for every kind of prediction and both families."""

import json

import numpy as np
import pytest
import torch
from exact_denoiser import GaussianDenoiser

from tiny_models import with_prediction
from verbatim.models.denoiser import Condition, NetworkError, check_broken
from verbatim.models.load import load_denoiser
from verbatim.models.noise import noise_of_seeds, unit_noise


def test_sigma_max_of_stable_diffusion_1_is_the_one_webster_used():
    assert GaussianDenoiser().sigma_max == pytest.approx(14.6146, abs=1e-4)
    assert GaussianDenoiser().sigma_min == pytest.approx(0.0292, abs=1e-4)


def test_every_trained_level_maps_to_its_own_timestep_and_back():
    d = GaussianDenoiser()
    t = d.sigma_to_t(d.sigmas)
    torch.testing.assert_close(t, torch.arange(1000.0, dtype=torch.float64), rtol=0, atol=1e-9)
    last = torch.tensor([d.sigma_max], dtype=torch.float64)
    assert d.sigma_to_t(last).item() == 999.0
    torch.testing.assert_close(d.t_to_sigma(t), d.sigmas)


def test_levels_between_timesteps_are_interpolated_in_log_sigma_and_clamped():
    d = GaussianDenoiser()
    levels = torch.tensor([1e-4, 0.03, 0.7, 3.3, 14.0, 99.0], dtype=torch.float64)
    expected = np.interp(np.log(levels), np.log(d.sigmas), np.arange(1000))
    np.testing.assert_allclose(d.sigma_to_t(levels), expected, rtol=1e-9)


def test_a_schedule_that_ends_in_pure_noise_has_a_finite_sigma_max():
    betas = torch.linspace(0.0001, 0.5, 1000, dtype=torch.float64)
    betas[-1] = 1.0
    assert GaussianDenoiser(betas=betas).sigma_max == pytest.approx(4096, rel=1e-3)


def test_an_unknown_kind_of_prediction_is_refused():
    with pytest.raises(NetworkError, match="flow"):
        GaussianDenoiser("flow")


@pytest.mark.parametrize("sigma", [0.03, 1.0, 14.6])
def test_the_three_kinds_of_prediction_agree(sigma):
    x = noise_of_seeds([0, 1], (1, 2, 3)) * sigma
    cond = Condition(torch.zeros(2, 1, 1))
    found = [
        GaussianDenoiser(kind).predict(x, sigma, cond)
        for kind in ("epsilon", "v_prediction", "sample")
    ]
    expected = x * sigma / (0.25 + sigma**2)
    for eps in found:
        torch.testing.assert_close(eps, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("family", ["sd", "if"])
def test_predictions_convert_as_diffusers_own_scheduler_converts_them(
    family, prediction_type, tiny_sd, tiny_if, tmp_path
):
    from diffusers import DDIMScheduler

    folder = with_prediction({"sd": tiny_sd, "if": tiny_if}[family], tmp_path, prediction_type)
    d = load_denoiser(folder, family, "cpu")
    config = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())
    keys = ("beta_start", "beta_end", "beta_schedule", "prediction_type")
    scheduler = DDIMScheduler(
        **{k: config[k] for k in keys}, clip_sample=False, set_alpha_to_one=False
    )
    scheduler.set_timesteps(1000)
    cond = d.encode(["red heart", "black cat face"])
    for t in (1, 500, 900):
        sigma = float(d.sigmas[t])
        x = noise_of_seeds([3, 4], d.shape) * sigma
        scaled = x / (sigma**2 + 1) ** 0.5
        with torch.no_grad():
            out = d.unet(scaled, t, encoder_hidden_states=cond.states).sample[:, : d.shape[0]]
        x0 = scheduler.step(out, t, scaled).pred_original_sample
        torch.testing.assert_close(x - sigma * d.predict(x, sigma, cond), x0, rtol=1e-3, atol=1e-4)


def test_rows_may_have_levels_of_their_own_and_share_one_caption(tiny_sd):
    d = load_denoiser(tiny_sd, "sd", "cpu")
    cond = d.encode(["red heart"])
    x = noise_of_seeds([0, 1], d.shape)
    together = d.predict(x, torch.tensor([14.0, 0.5]), cond)
    for i, sigma in enumerate((14.0, 0.5)):
        alone = d.predict(x[i : i + 1], sigma, cond)
        torch.testing.assert_close(together[i : i + 1], alone, rtol=1e-4, atol=1e-5)
    assert d.rows == 4


def test_conditions_and_rows_that_do_not_fit_are_refused(tiny_sd):
    d = load_denoiser(tiny_sd, "sd", "cpu")
    with pytest.raises(ValueError, match="3 conditions"):
        d.predict(unit_noise(0, d.shape).repeat(2, 1, 1, 1), 1.0, d.encode(["a", "b", "c"]))


def test_a_caption_is_encoded_the_same_whatever_stands_beside_it(tiny_sd, tiny_if):
    captions = ["red heart", "", "Zebra 日本 " * 40]
    for folder, family in ((tiny_sd, "sd"), (tiny_if, "if")):
        d = load_denoiser(folder, family, "cpu")
        together = d.encode(captions, batch=2)
        assert len(together) == 3
        for i, caption in enumerate(captions):
            alone = d.encode([caption])
            torch.testing.assert_close(together[i].states, alone.states, rtol=1e-4, atol=1e-5)


def test_deepfloyd_reads_captions_in_lower_case(tiny_if):
    d = load_denoiser(tiny_if, "if", "cpu")
    same = d.encode(["Red HEART ", "red heart"]).states
    assert torch.equal(same[0], same[1])


def test_noise_depends_on_the_seed_alone():
    torch.manual_seed(5)
    first = unit_noise(3, (4, 8, 8))
    torch.randn(7)
    assert torch.equal(first, unit_noise(3, (4, 8, 8)))
    assert first.shape == (1, 4, 8, 8)
    assert not torch.equal(first, unit_noise(4, (4, 8, 8)))
    assert torch.equal(noise_of_seeds([4, 3, 4], (4, 8, 8))[1:2], first)


@pytest.mark.slow
def test_bfloat16_weights_give_float32_predictions_near_the_float32_ones(tiny_sd):
    exact, half = (load_denoiser(tiny_sd, "sd", "cpu", dtype) for dtype in ("float32", "bfloat16"))
    x = unit_noise(0, exact.shape) * exact.sigma_max
    found = half.predict(x, half.sigma_max, half.encode(["red heart"]))
    expected = exact.predict(x, exact.sigma_max, exact.encode(["red heart"]))
    assert found.dtype == torch.float32
    assert (found - expected).square().mean().sqrt() < 0.1 * expected.square().mean().sqrt()


def test_dynamic_thresholding_is_the_one_of_the_scheduler(tiny_if):
    from diffusers import DDPMScheduler

    d = load_denoiser(tiny_if, "if", "cpu")
    scheduler = DDPMScheduler.from_pretrained(tiny_if / "scheduler")
    x0 = torch.cat([noise_of_seeds([0, 1], d.shape) * 3, unit_noise(2, d.shape) * 0.1])
    torch.testing.assert_close(d.threshold(x0), scheduler._threshold_sample(x0))


def test_images_of_a_latent_model_are_its_autoencoders_between_0_and_1(tiny_sd):
    d = load_denoiser(tiny_sd, "sd", "cpu")
    z = unit_noise(0, d.shape) * 2
    with torch.no_grad():
        expected = (d.vae.decode(z / d.vae.config.scaling_factor).sample + 1) / 2
    found = d.decode(z)
    assert found.shape == (1, 3, d.size, d.size)
    torch.testing.assert_close(found, expected.clamp(0, 1))
    assert d.decode(z * 100).max() <= 1
    assert d.decode(z * 100).min() >= 0


def test_few_captions_without_a_finite_number_are_let_pass_and_many_are_a_broken_network():
    for broken, captions in ((0, 0), (1, 1), (1, 60), (500, 50_000)):
        check_broken(broken, captions, torch.float16)
    with pytest.raises(
        NetworkError, match=r"501 of 50,000 captions .* 1%.* in float16; set .*dtype to float32"
    ):
        check_broken(501, 50_000, torch.float16)
    with pytest.raises(NetworkError, match=r"2 of 60 captions .* in float32: the weights"):
        check_broken(2, 60, "float32")
