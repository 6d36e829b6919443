"""Stage II of DeepFloyd IF: as diffusers' own pipeline, whatever the batch, and counted beside stage I."""

import json
import shutil

import numpy as np
import pytest
import torch

from tiny_models import CAPTIONS, make_if_upscaler
from verbatim.models import sampling
from verbatim.models.files import digest
from verbatim.models.hub import ModelFolderError
from verbatim.models.load import load_denoiser
from verbatim.models.load_upscaler import (
    check_upscaler,
    check_upscaler_digests,
    list_upscaler_files,
    load_upscaler,
    upscaler_state,
)
from verbatim.models.noise import noise_of_seeds, unit_noise
from verbatim.models.sampling import Sampling, generate, generate_one_step
from verbatim.models.stacks import Meter, generate_stack
from verbatim.models.upscaling import AUGMENTATION, START, UpscalerSettings

SEEDS = [0, 5]
HOW = UpscalerSettings(steps=3)
IMAGES = (
    3 / 255
)  # IF starts from so much noise that the last bits of two kernels show: workflow/docs/scale.md


def both_stages(first, second, how=HOW, memory="full"):
    denoiser = load_denoiser(first, "if", "cpu", memory=memory)
    load_upscaler(denoiser, second, how, memory=memory)
    return denoiser


@pytest.fixture
def cascade(tiny_if, tiny_upscaler):
    return both_stages(tiny_if, tiny_upscaler)


def made_by(denoiser, captions=CAPTIONS[:3], seeds=SEEDS, batch=4):
    made = generate(denoiser, captions, seeds, Sampling(2, 3.0), batch)
    return {(captions[i], seed): image for i, seed, image in made}


@pytest.mark.slow
@pytest.mark.parametrize("guidance", [4.0, 1.0])
@pytest.mark.parametrize("noise_level", [250, 0, 999])
def test_stage_two_equals_the_pipeline_of_diffusers_given_the_same_noise(
    tiny_if, tiny_upscaler, monkeypatch, guidance, noise_level
):
    """Its own pipeline with a first-order DPM-Solver++ (DDIM in the estimate of x0), steps and noise as ours."""
    from diffusers import DPMSolverMultistepScheduler, IFSuperResolutionPipeline
    from diffusers.pipelines.deepfloyd_if import pipeline_if_superresolution

    timesteps = [980, 700, 430, 210, 30]
    how = UpscalerSettings("ddim", len(timesteps), guidance, noise_level)
    ours = both_stages(tiny_if, tiny_upscaler, how)
    upscaler = ours.upscaler
    monkeypatch.setattr(
        sampling,
        "noise_levels",
        lambda denoiser, *_: torch.cat([denoiser.sigmas[timesteps], torch.zeros(1).double()]),
    )
    cond = ours.encode(CAPTIONS[:2])
    x0 = torch.rand((2, 3, 16, 16), generator=torch.Generator().manual_seed(1)) * 2 - 1
    found = upscaler.generate(x0, cond, SEEDS)

    start, augmentation = (noise_of_seeds(SEEDS, upscaler.shape, s) for s in (START, AUGMENTATION))
    # a signal is left at the first timestep: the pipeline starts from noise alone, ours from sigma times it
    sigma = upscaler.sigmas[timesteps[0]]
    drawn = iter([start * float(sigma / (sigma**2 + 1).sqrt()), augmentation])
    monkeypatch.setattr(
        pipeline_if_superresolution, "randn_tensor", lambda *_, **__: next(drawn).clone()
    )
    pipeline = IFSuperResolutionPipeline.from_pretrained(tiny_upscaler)
    pipeline.scheduler = DPMSolverMultistepScheduler.from_config(
        pipeline.scheduler.config, solver_order=1, algorithm_type="dpmsolver++",
        final_sigmas_type="zero", lower_order_final=True, euler_at_final=False,
    )  # fmt: skip
    pipeline.set_progress_bar_config(disable=True)
    theirs = pipeline(
        image=x0, prompt_embeds=cond.states,
        negative_prompt_embeds=ours.encode([""]).states.expand_as(cond.states),
        timesteps=timesteps, guidance_scale=guidance, noise_level=noise_level, output_type="pt",
    ).images  # fmt: skip
    theirs = (theirs / 2 + 0.5).clamp(0, 1).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(found, theirs, atol=1e-4)
    assert found.std() > 0.05, "an image of one grey agrees with anything"


@pytest.mark.slow
def test_a_full_generation_is_stage_twos_and_a_function_of_caption_and_seed_alone(cascade):
    whole = made_by(cascade)
    assert {image.shape for image in whole.values()} == {(32, 32, 3)}
    assert cascade.full_size == 32
    for (caption, seed), image in whole.items():
        alone = made_by(cascade, [caption], [seed], batch=1)[caption, seed]
        np.testing.assert_allclose(alone, image, atol=IMAGES)
    other_order = made_by(cascade, CAPTIONS[2::-1], SEEDS[::-1], batch=5)
    for key, image in whole.items():
        np.testing.assert_allclose(other_order[key], image, atol=IMAGES)
    one, *others = whole.values()
    assert min(abs(one - other).max() for other in others) > 0.01, "captions and seeds matter"


def test_stage_two_sees_what_stage_one_generated(cascade):
    cond = cascade.encode(CAPTIONS[:1])
    dark, light = (torch.full((1, 3, 16, 16), value) for value in (-0.8, 0.8))
    images = [cascade.upscaler.generate(x0, cond, [0]) for x0 in (dark, light)]
    assert abs(images[0] - images[1]).max() > 0.01


def test_the_noises_of_a_seed_do_not_agree():
    """One generator's first numbers are the same for every shape: each use has a stream of its own."""
    first = unit_noise(7, (3, 16, 16)).flatten()
    for stream in (START, AUGMENTATION):
        second = unit_noise(7, (3, 32, 32), stream).flatten()
        assert abs(float(np.corrcoef(first, second[: len(first)])[0, 1])) < 0.15
        assert torch.equal(second, unit_noise(7, (3, 32, 32), stream).flatten())
    assert not torch.equal(unit_noise(7, (8,), START), unit_noise(7, (8,), AUGMENTATION))


def test_one_step_generations_stay_stage_ones(cascade, tiny_if):
    plain = load_denoiser(tiny_if, "if", "cpu")
    made = [list(generate_one_step(d, CAPTIONS[:2], SEEDS, 7.5, 4)) for d in (cascade, plain)]
    for (_, _, one), (_, _, other) in zip(*made, strict=True):
        assert one.shape == (16, 16, 3)
        np.testing.assert_array_equal(one, other)
    assert cascade.upscaler.rows == 0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("sampler", "guidance", "rows"),
    [("ddim", 4.0, 3 * 2), ("ddim", 1.0, 3), ("heun", 4.0, (2 * 3 - 1) * 2)],
)
def test_rows_are_counted_a_stage_with_both_halves_of_guidance(
    tiny_if, tiny_upscaler, sampler, guidance, rows
):
    cascade = both_stages(tiny_if, tiny_upscaler, UpscalerSettings(sampler, 3, guidance))
    meter = Meter(cascade)
    stack, spent = generate_stack(cascade, CAPTIONS[:2], SEEDS, Sampling(2, 3.0, "euler"), 4)
    assert [image.shape for row in stack for image in row] == [(32, 32, 3)] * 4
    first, second = 4 * 2 * 2, 4 * rows
    assert spent == first + second == cascade.full_rows
    by_stage = meter.spent("labels")
    assert {stage: count for stage, (count, _) in by_stage.items()} == {
        "labels": first,
        "labels_upscaler": second,
    }
    assert all(seconds > 0 for _, seconds in by_stage.values())
    halved = meter.spent("postfilter", [spent / 4, spent * 3 / 4])
    assert halved["postfilter"][0] == pytest.approx([first / 4, first * 3 / 4])
    assert halved["postfilter_upscaler"][0] == pytest.approx([second / 4, second * 3 / 4])


def test_a_model_of_one_stage_spends_in_one(tiny_sd):
    denoiser = load_denoiser(tiny_sd, "sd", "cpu")
    meter = Meter(denoiser)
    _, rows = generate_stack(denoiser, CAPTIONS[:1], [0], Sampling(2, 3.0, "euler"), 4)
    assert [*meter.spent("labels")] == ["labels"]
    assert meter.spent("labels")["labels"][0] == rows == 4


@pytest.mark.slow
def test_with_offload_the_device_holds_one_network_of_either_stage_at_a_time(
    tiny_if, tiny_upscaler
):
    cascade = both_stages(tiny_if, tiny_upscaler, memory="offload")
    meant = [cascade.text_encoder, cascade.unet, cascade.upscaler.unet]
    assert cascade.networks == cascade.upscaler.networks == meant
    lean, full = made_by(cascade), made_by(both_stages(tiny_if, tiny_upscaler))
    for key, image in full.items():
        np.testing.assert_allclose(lean[key], image, atol=IMAGES)


@pytest.mark.slow
def test_an_image_of_stage_two_that_is_not_finite_is_left_out_and_the_others_stay(cascade):
    whole, plain = made_by(cascade), cascade.upscaler.network
    bad = cascade.encode(CAPTIONS[1:2]).states[0]

    def network(x, t, cond):
        hit = torch.isclose(cond.states, bad, atol=1e-4).flatten(1).all(1)
        return plain(x, t, cond).masked_fill(hit.view(-1, 1, 1, 1), float("nan"))

    cascade.upscaler.network = network
    found = made_by(cascade)
    assert set(found) == {key for key in whole if key[0] != CAPTIONS[1]}
    for key, image in found.items():
        np.testing.assert_allclose(image, whole[key], atol=IMAGES)


@pytest.fixture
def second(tiny_upscaler, tmp_path):
    return shutil.copytree(tiny_upscaler, tmp_path / "second")


def edit(file, **changes):
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


@pytest.mark.slow
def test_thresholding_is_what_its_own_scheduler_says(tiny_if, second):
    found = both_stages(tiny_if, second).upscaler
    assert found.thresholding == ("dynamic", 0.95, 1.0)
    edit(second / "scheduler/scheduler_config.json", thresholding=False, clip_sample=False)
    assert both_stages(tiny_if, second).upscaler.thresholding.how == "none"


def refused(tiny_if, folder, words, how=HOW):
    """The check before any work and the loading both refuse a folder, in the same words."""
    for attempt in (
        lambda: check_upscaler(folder, tiny_if, "if", how),
        lambda: both_stages(tiny_if, folder, how),
    ):
        with pytest.raises(ModelFolderError, match=words):
            attempt()


def test_a_good_stage_two_passes_the_check_without_its_weights_being_read(
    tiny_if, tiny_upscaler, monkeypatch
):
    from verbatim.models import weights

    monkeypatch.setattr(weights, "load_network", None)
    check_upscaler(tiny_upscaler, tiny_if, "if", HOW)


def test_stage_one_in_the_place_of_stage_two_is_named(tiny_if, tiny_sd):
    refused(tiny_if, tiny_if, "says IFPipeline, the upscaler of family 'if' is a IFSuperRes")
    with pytest.raises(ModelFolderError, match="family 'sd' has no second stage"):
        check_upscaler(tiny_sd, tiny_sd, "sd", HOW)


@pytest.mark.parametrize(
    "name",
    [
        "image_noising_scheduler/scheduler_config.json", "scheduler/scheduler_config.json",
        "unet/config.json", "unet/diffusion_pytorch_model.safetensors", "model_index.json",
    ],
)  # fmt: skip
def test_a_missing_file_is_named(tiny_if, second, name):
    (second / name).unlink()
    refused(tiny_if, second, name.replace(".", r"\."))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"in_channels": 3}, "in_channels is 3, expected 6"),
        ({"encoder_hid_dim": 24}, "captions 24 wide, stage I's text_encoder/ gives 16"),
        ({"class_embed_type": None}, "cannot be told the noise level"),
        ({"sample_size": 8}, "sample_size is 8, stage I's images are 16 pixels"),
    ],
)
def test_a_network_that_does_not_fit_stage_one_is_refused(tiny_if, second, changes, words):
    from diffusers import UNet2DConditionModel

    config = UNet2DConditionModel.load_config(second / "unet") | changes
    UNet2DConditionModel.from_config(config).save_pretrained(second / "unet")
    refused(tiny_if, second, words)


def test_a_noise_level_that_the_schedule_lacks_is_refused(tiny_if, tiny_upscaler):
    how = UpscalerSettings(noise_level=1000)
    refused(tiny_if, tiny_upscaler, r"noise level of 1000.*sampling\.upscaler", how)


def test_a_noise_schedule_that_is_not_stated_is_refused_by_its_own_file(tiny_if, second):
    file = second / "image_noising_scheduler/scheduler_config.json"
    edit(file, beta_schedule=None)
    refused(
        tiny_if, second, r"image_noising_scheduler/scheduler_config\.json states no beta_schedule"
    )


def test_exchanged_weights_are_noticed(tiny_if, second):
    names = list_upscaler_files(second, "if")
    assert "image_noising_scheduler/scheduler_config.json" in names
    assert not [name for name in names if name.startswith(("text_encoder", "tokenizer"))]
    before = upscaler_state(str(second), "if")
    digests = {name: digest(second / name) for name in names}
    check_upscaler_digests(second, "if", digests)
    other = make_if_upscaler(second.parent / "other", seed=9)
    weights = "unet/diffusion_pytorch_model.safetensors"
    shutil.copy(other / weights, second / weights)
    assert upscaler_state(str(second), "if") != before
    with pytest.raises(ModelFolderError, match=f"{weights} is not the file"):
        check_upscaler_digests(second, "if", digests)


def test_a_stage_two_that_is_not_in_the_hub_cache_says_how_to_fetch_all_that_it_needs(
    tiny_if, tmp_path, monkeypatch
):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    denoiser, commit = load_denoiser(tiny_if, "if", "cpu"), "0" * 40
    with pytest.raises(ModelFolderError) as err:
        load_upscaler(denoiser, "no-one/second", HOW, revision=commit)
    for word in [
        "hf download no-one/second", commit, "image_noising_scheduler/*.json", "unet/*.safetensors"
    ]:  # fmt: skip
        assert word in str(err.value)
    assert "text_encoder" not in str(err.value)
