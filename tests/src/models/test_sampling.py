"""Samplers against a loop without batches, over the bare networks; their cost; their independence."""

import copy
import math

import numpy as np
import pytest
import torch
from exact_denoiser import GaussianDenoiser

from tiny_models import overflow_at, with_prediction
from verbatim.models.denoiser import NetworkError
from verbatim.models.load import load_denoiser
from verbatim.models.noise import noise_of_seeds, unit_noise
from verbatim.models.sampling import (
    Sampling,
    decode_images,
    denoise,
    first_eps,
    generate,
    generate_one_step,
    guided_eps,
    karras_sigmas,
    noise_levels,
    one_step,
    sample,
    to_images,
)
from verbatim.models.stacks import generate_stack

CAPTIONS = ["red heart", "black cat face", "an unknown caption"]
# An eighth of a grey level (written tolerance: one). A prediction's last bits depend on the batch; guidance and
# dynamic thresholding enlarge that, on some processors to just above 1e-4
IMAGES = 5e-4
SEEDS = [0, 5]


@pytest.fixture(scope="module")
def sd(tiny_sd):
    """A denoiser that no test changes but for what it counts."""
    return load_denoiser(tiny_sd, "sd", "cpu")


def naive_x0(d, caption, x, sigma, guidance):
    """x - sigma eps by the bare network, one row a call."""
    t = float(np.interp(math.log(sigma), np.log(d.sigmas.numpy()), np.arange(1000)))
    results = []
    for text in ("", caption):
        with torch.no_grad():
            out = d.unet(
                x / math.sqrt(sigma**2 + 1), t, encoder_hidden_states=d.encode([text]).states
            ).sample[:, : d.shape[0]]
        if d.prediction_type == "epsilon":
            x0 = x - sigma * out
        else:
            x0 = x / (sigma**2 + 1) - sigma / math.sqrt(sigma**2 + 1) * out
        results.append(x0)
    x0 = results[0] + guidance * (results[1] - results[0])
    if not hasattr(d, "thresholding"):
        return x0
    s = np.clip(np.quantile(np.abs(x0.numpy()), d.thresholding.ratio), 1.0, d.thresholding.bound)
    return x0.clamp(-s, s) / s


def naive_heun(d, caption, seed, steps, guidance):
    """Karras et al. 2022, algorithm 1, as printed, for one image."""
    high, low = min(d.sigma_max, 80.0) ** (1 / 7), d.sigma_min ** (1 / 7)
    sigmas = [(high + i / (steps - 1) * (low - high)) ** 7 for i in range(steps)] + [0.0]
    x = torch.randn((1, *d.shape), generator=torch.Generator().manual_seed(seed)) * sigmas[0]
    for i in range(steps):
        slope = (x - naive_x0(d, caption, x, sigmas[i], guidance)) / sigmas[i]
        after = x + (sigmas[i + 1] - sigmas[i]) * slope
        if sigmas[i + 1] != 0:
            x0 = naive_x0(d, caption, after, sigmas[i + 1], guidance)
            second = (after - x0) / sigmas[i + 1]
            after = x + (sigmas[i + 1] - sigmas[i]) * (slope / 2 + second / 2)
        x = after
    return d.decode(x)[0].permute(1, 2, 0).numpy()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "prediction_type"), [("sd", "epsilon"), ("sd", "v_prediction"), ("if", "epsilon")]
)
def test_generation_equals_a_loop_over_single_images_in_any_batch_and_order(
    family, prediction_type, tiny_sd, tiny_if, tmp_path
):
    folder = with_prediction({"sd": tiny_sd, "if": tiny_if}[family], tmp_path, prediction_type)
    d = load_denoiser(folder, family, "cpu")
    expected = {
        (i, seed): naive_heun(d, caption, seed, 3, 3.0)
        for i, caption in enumerate(CAPTIONS)
        for seed in SEEDS
    }
    # else anything would agree
    assert abs(expected[0, 0] - expected[1, 0]).max() > 0.01
    assert abs(expected[0, 0] - expected[0, 5]).max() > 0.01
    for batch in (4, 100):
        found = {(i, s): p for i, s, p in generate(d, CAPTIONS, SEEDS, Sampling(3, 3.0), batch)}
        assert list(found) == list(expected)
        for key, image in found.items():
            assert image.shape == (d.size, d.size, 3)
            np.testing.assert_allclose(image, expected[key], atol=IMAGES)
    other = {(i, s): p for i, s, p in generate(d, CAPTIONS[::-1], [5], Sampling(3, 3.0), 2)}
    np.testing.assert_allclose(other[2, 5], expected[0, 5], atol=IMAGES)


@pytest.mark.parametrize(("sampler", "rows"), [("heun", 5), ("euler", 3), ("ddim", 3)])
def test_rows_are_counted_with_both_halves_of_guidance(sampler, rows, sd):
    for guidance, halves in ((3.0, 2), (1.0, 1)):
        before = sd.rows
        list(generate(sd, CAPTIONS, SEEDS, Sampling(3, guidance, sampler), 4))
        assert sd.rows - before == 6 * rows * halves


def test_karras_levels_fall_from_the_first_to_the_last_and_then_to_0():
    levels = karras_sigmas(5, 0.03, 14.6).numpy()
    high, low = 14.6 ** (1 / 7), 0.03 ** (1 / 7)
    expected = [(high + i / 4 * (low - high)) ** 7 for i in range(5)] + [0]
    np.testing.assert_allclose(levels, expected, rtol=1e-12)
    assert karras_sigmas(1, 0.03, 14.6).tolist() == [14.6, 0.0]
    with pytest.raises(ValueError, match="0 steps"):
        karras_sigmas(0, 0.03, 14.6)


def test_ddim_levels_are_those_of_evenly_spaced_timesteps():
    d = GaussianDenoiser()
    levels = noise_levels(d, 4, "ddim").numpy()
    np.testing.assert_allclose(levels, [*d.sigmas[[999, 666, 333, 0]], 0.0], rtol=1e-9)
    with pytest.raises(ValueError, match="plms"):
        noise_levels(d, 4, "plms")


def test_even_spacing_has_k_diffusions_levels_for_lms_with_any_sampler():
    """k-diffusion's get_sigmas: t = linspace(T - 1, 0, n), sigma between two trained ones in the logarithm, then 0."""
    d = GaussianDenoiser()
    t = np.linspace(999, 0, 16)
    logs = np.log(d.sigmas.numpy())
    expected = [*np.exp(np.interp(t, np.arange(1000), logs)), 0.0]
    for sampler in ("heun", "euler", "ddim"):
        np.testing.assert_allclose(noise_levels(d, 16, sampler, "even"), expected, rtol=1e-6)
    for sampler in ("heun", "euler"):
        assert noise_levels(d, 16, sampler, "karras")[1] != pytest.approx(expected[1], rel=0.01)
    assert noise_levels(d, 1, "heun", "even").tolist() == noise_levels(d, 1, "heun").tolist()
    with pytest.raises(ValueError, match="spacing 'lms' is unknown; known: karras, even"):
        noise_levels(d, 4, "heun", "lms")


def test_spacing_reaches_the_generations_and_costs_no_row(sd):
    found, rows = {}, {}
    for spacing in ("karras", "even"):
        before = sd.rows
        ((_, _, found[spacing]),) = generate(
            sd, CAPTIONS[:1], [0], Sampling(3, 3.0, spacing=spacing), 4
        )
        rows[spacing] = sd.rows - before
    assert rows["karras"] == rows["even"]
    assert not np.allclose(found["karras"], found["even"], atol=1e-3)


def test_a_cosine_schedule_is_sampled_from_80_but_scored_at_its_end(tiny_if):
    d = load_denoiser(tiny_if, "if", "cpu")
    assert d.sigma_max == pytest.approx(20291, rel=1e-3)
    assert noise_levels(d, 10, "heun")[0] == 80.0
    assert noise_levels(d, 10, "ddim")[0] == pytest.approx(80.0)
    assert noise_levels(d, 1, "heun")[0] == d.sigma_max


@pytest.mark.parametrize("prediction_type", ["epsilon", "v_prediction", "sample"])
def test_samplers_find_the_known_end_of_a_gaussians_path(prediction_type):
    d = GaussianDenoiser(prediction_type)
    noise = noise_of_seeds([0, 1, 2], d.shape)
    cond = d.encode(["a"])
    # dx/dsigma = x sigma / (s^2 + sigma^2): x goes as sqrt(s^2 + sigma^2)
    end = noise * d.sigma_max * 0.5 / math.sqrt(0.25 + d.sigma_max**2)
    found = {n: sample(d, cond, None, noise, Sampling(n, 1.0, "heun")) for n in (10, 20, 40)}
    errors = {n: float((x - end).abs().max()) for n, x in found.items()}
    assert errors[40] < 2e-3
    assert errors[20] < errors[10] / 2.5
    assert errors[40] < errors[20] / 2.5
    for sampler in ("euler", "ddim"):
        x = sample(d, cond, None, noise, Sampling(200, 1.0, sampler))
        assert float((x - end).abs().max()) < 0.02


def test_guidance_goes_from_the_unconditional_to_the_conditional_and_beyond(sd):
    before = sd.rows
    cond, uncond = sd.encode(["red heart"]), sd.encode([""])
    x = unit_noise(0, sd.shape) * 5.0
    u, c = (sd.predict(x, 5.0, one) for one in (uncond, cond))
    assert sd.rows - before == 2
    for g, expected, rows in ((0.0, u, 1), (1.0, c, 1), (4.0, u + 4 * (c - u), 2)):
        before = sd.rows
        found = guided_eps(sd, x, 5.0, cond, uncond, g)
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
        assert sd.rows - before == rows
    with pytest.raises(ValueError, match="unconditional"):
        guided_eps(sd, x, 5.0, cond, None, 2.0)


@pytest.mark.parametrize("family", ["sd", "if"])
def test_one_step_images_share_the_seeds_unconditional_row(family, tiny_sd, tiny_if):
    d = load_denoiser({"sd": tiny_sd, "if": tiny_if}[family], family, "cpu")
    found = {(i, s): p for i, s, p in generate_one_step(d, CAPTIONS, SEEDS, 7.5, batch=2)}
    assert d.rows == len(CAPTIONS) * len(SEEDS) + len(SEEDS)
    slow = {(i, s): p for i, s, p in generate(d, CAPTIONS, SEEDS, Sampling(1, 7.5), 1)}
    assert found.keys() == slow.keys()
    for key in found:
        if family == "if":
            # at sigma 20,000 rounding alone, times sigma, decides which way a pixel is clipped
            assert (abs(found[key] - slow[key]) < 0.05).mean() > 0.95
        else:
            np.testing.assert_allclose(found[key], slow[key], atol=2e-4)


def test_one_step_takes_a_ready_unconditional_prediction_and_spends_no_row_on_it(sd):
    cond, uncond = sd.encode(CAPTIONS), sd.encode([""])
    eps_u = first_eps(sd, uncond, unit_noise(7, sd.shape))
    before = sd.rows
    ready = one_step(sd, cond, eps_u, 7, 3.0)
    assert sd.rows - before == 3
    torch.testing.assert_close(ready, one_step(sd, cond, uncond, 7, 3.0), rtol=1e-4, atol=1e-4)
    x = unit_noise(7, sd.shape).repeat(3, 1, 1, 1) * sd.sigma_max
    plain = denoise(sd, x, sd.sigma_max, cond, uncond, 3.0)
    torch.testing.assert_close(ready, plain, rtol=1e-4, atol=1e-3)
    with pytest.raises(ValueError, match="uncond"):
        one_step(sd, cond, None, 7, 3.0)


def test_thresholding_can_be_left_away(tiny_if):
    d = load_denoiser(tiny_if, "if", "cpu")
    cond = d.encode(["red heart"])
    raw = one_step(d, cond, None, 0, 1.0, threshold=False)
    assert raw.abs().max() > 2
    torch.testing.assert_close(one_step(d, cond, None, 0, 1.0), d.threshold(raw))


def test_a_image_of_numbers_that_are_not_finite_is_none_and_spoils_no_neighbour():
    d = GaussianDenoiser()
    x0 = torch.rand((3, *d.shape)).expand(3, *d.shape).clone()
    x0[1, 0, 0, 0] = float("inf")
    images, sound = decode_images(d, x0)
    assert sound.tolist() == [True, False, True]
    assert np.isnan(images[1]).all()
    np.testing.assert_array_equal(images, to_images(d, x0))
    np.testing.assert_array_equal(images[[0, 2]], to_images(d, x0[[0, 2]]))


@pytest.mark.slow
def test_a_image_that_half_precision_cannot_hold_is_decoded_again_in_float32(tiny_sd):
    half, whole = (load_denoiser(tiny_sd, "sd", "cpu", dtype) for dtype in ("float16", "float32"))
    x0 = torch.cat([unit_noise(seed, half.shape) for seed in range(12)])
    plain, gain = torch.ones(12, dtype=torch.bool), half.vae.decoder.conv_in

    def raise_gain(factor):
        with torch.no_grad():
            gain.weight *= factor
            gain.bias *= factor
        return half.decode(x0).isfinite().flatten(1).all(1)

    while plain.all():  # until images overflow in float16
        plain = raise_gain(2)
    while not plain.any():  # and some of them no more
        plain = raise_gain(0.95)
    assert not plain.all()
    whole.vae.load_state_dict({k: v.float() for k, v in half.vae.state_dict().items()})
    images, sound = decode_images(half, x0)
    assert sound.all()
    assert half.vae.dtype == torch.float16
    again = half.decode(x0)
    np.testing.assert_array_equal(
        again.isfinite().flatten(1).all(1), plain
    )  # and nothing is left changed
    want = to_images(whole, x0)
    np.testing.assert_allclose(images[~plain.numpy()], want[~plain.numpy()], atol=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize("batch", [1, 2, 6])
def test_a_full_generation_that_overflows_is_left_out_and_the_others_stay_what_they_are(sd, batch):
    captions, d = CAPTIONS[:3], copy.copy(sd)
    whole = {(i, s): p for i, s, p in generate(d, captions, [0, 1], Sampling(2, 3.0), 6)}
    overflow_at(d, captions[1])
    found = {(i, s): p for i, s, p in generate(d, captions, [0, 1], Sampling(2, 3.0), batch)}
    assert sorted(found) == [(0, 0), (0, 1), (2, 0), (2, 1)]
    for key, image in found.items():
        np.testing.assert_allclose(image, whole[key], atol=1e-3)
    stack, _ = generate_stack(d, captions, [0, 1], Sampling(2, 3.0), batch)
    assert [[image is None for image in of_one] for of_one in stack] == [
        [False] * 2, [True] * 2, [False] * 2,
    ]  # fmt: skip


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_a_one_step_image_that_overflows_is_left_out_and_spoils_no_neighbour(sd, batch):
    captions, d = CAPTIONS[:3], copy.copy(sd)
    whole = {(i, s): p for i, s, p in generate_one_step(d, captions, [0, 1], 7.5, 3)}
    overflow_at(d, captions[1])
    found = {(i, s): p for i, s, p in generate_one_step(d, captions, [0, 1], 7.5, batch)}
    assert sorted(found) == [(0, 0), (0, 1), (2, 0), (2, 1)]
    for key, image in found.items():
        np.testing.assert_allclose(image, whole[key], atol=1e-3)
    with pytest.raises(NetworkError, match="without a caption"):
        list(generate_one_step(overflow_at(d, ""), captions, [0], 7.5, batch))


def test_a_batch_of_nothing_is_refused():
    for make in (
        lambda d: generate(d, ["a"], [0], Sampling(2, 1.0), 0),
        lambda d: generate_one_step(d, ["a"], [0], 1.0, 0),
    ):
        with pytest.raises(ValueError, match="batch of 0"):
            list(make(GaussianDenoiser()))
