"""Stable Diffusion XL beside diffusers' own pipeline, on a tiny checkpoint that diffusers saved."""

import json
import shutil

import pytest
import torch
from tiny_pipelines import make_sdxl

from tiny_models import CAPTIONS
from verbatim.models.hub import ModelFolderError
from verbatim.models.load import check_folder, load_denoiser
from verbatim.models.noise import unit_noise
from verbatim.models.sampling import Sampling, generate, generate_one_step
from verbatim.whitebox.dcs import score_captions

pytestmark = pytest.mark.slow  # diffusers' whole pipelines are loaded, and made

STEPS = 4  # linspace(0, 999, 4) are whole timesteps, where both schedules agree


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("sdxl")
    return root / "model", make_sdxl(root / "model", root)


@pytest.fixture(scope="module")
def denoiser(made):
    return load_denoiser(made[0], "sdxl", "cpu")


def pipeline_image(pipeline, caption, seed, steps, spacing, guidance):
    from diffusers import EulerDiscreteScheduler

    pipeline.scheduler = EulerDiscreteScheduler.from_config(
        pipeline.scheduler.config, timestep_spacing=spacing
    )
    return pipeline(
        caption, num_inference_steps=steps, guidance_scale=guidance, output_type="np",
        latents=unit_noise(seed, (4, 8, 8)),
    ).images[0]  # fmt: skip


def test_the_folder_is_checked_and_its_numbers_are_those_of_the_pipeline(made, denoiser):
    check_folder(made[0], "sdxl")
    assert (denoiser.size, denoiser.shape, denoiser.tokens) == (64, (4, 8, 8), 77)
    assert denoiser.sigma_max == pytest.approx(14.6146, abs=1e-4)


@pytest.mark.parametrize("caption", CAPTIONS[:2])
def test_a_one_step_generation_is_the_pipelines_with_trailing_timesteps(made, denoiser, caption):
    theirs = pipeline_image(made[1], caption, 3, 1, "trailing", 5.0)
    ((_, _, ours),) = generate_one_step(denoiser, [caption], [3], 5.0, 1)
    assert abs(ours - theirs).max() < 1e-4


def test_a_full_generation_is_the_pipelines(made, denoiser):
    theirs = pipeline_image(made[1], CAPTIONS[1], 1, STEPS, "linspace", 5.0)
    ((_, _, ours),) = generate(
        denoiser, [CAPTIONS[1]], [1], Sampling(STEPS, 5.0, "euler", "even"), 1
    )
    assert abs(ours - theirs).max() < 1e-4


def test_the_unconditional_half_is_zeros_where_the_index_says_so(made, denoiser, tmp_path):
    empty = denoiser.encode(["", CAPTIONS[0]])
    assert not empty.states[0].any()
    assert not empty.extra["pooled"][0].any()
    assert empty.states[1].any()
    folder = shutil.copytree(made[0], tmp_path / "model")
    index = json.loads((folder / "model_index.json").read_text())
    (folder / "model_index.json").write_text(
        json.dumps(index | {"force_zeros_for_empty_prompt": False})
    )
    states, _, pooled, _ = made[1].encode_prompt("")
    other = load_denoiser(folder, "sdxl", "cpu").encode([""])
    # the same weights at other places in memory: a processor's kernels may differ in the last bits
    assert torch.allclose(other.states, states, atol=1e-5)
    assert torch.allclose(other.extra["pooled"], pooled, atol=1e-5)


def test_scores_need_one_row_a_caption_and_do_not_depend_on_the_batch(denoiser):
    before = denoiser.rows
    whole = list(score_captions(denoiser, CAPTIONS[:4], [0], 5.0, 4))
    assert denoiser.rows - before == 5
    parts = list(score_captions(denoiser, CAPTIONS[:4], [0], 5.0, 3))
    for name, values in whole[0].scores.items():
        split = [value for part in parts for value in part.scores[name]]
        assert values == pytest.approx(split, rel=1e-4)
    assert len(set(whole[0].scores["dcs_reference"])) == 4


@pytest.mark.parametrize("memory", ["slicing", "offload"])
def test_memory_may_be_short(made, denoiser, memory):
    short = load_denoiser(made[0], "sdxl", "cpu", memory=memory)
    (found,), (expected,) = (
        list(score_captions(d, CAPTIONS[:2], [0], 5.0, 2)) for d in (short, denoiser)
    )
    for name, values in expected.scores.items():
        assert found.scores[name] == pytest.approx(values, rel=1e-4, abs=1e-5)


def test_half_precision_decodes_in_float32_where_the_vae_says_so(made):
    half = load_denoiser(made[0], "sdxl", "cpu", dtype="bfloat16")
    asked = []
    half.dtype = torch.float16  # the type that overflows; CPUs run the networks in bfloat16
    half.decode_in_float32 = lambda x0: asked.append(len(x0)) or x0
    half.decode(torch.zeros(2, *half.shape))
    assert asked == [2]
    half.upcast = False
    half.dtype = torch.bfloat16
    assert half.decode(torch.zeros(1, *half.shape)).shape == (1, 3, 64, 64)


@pytest.mark.parametrize(
    ("part", "key", "value", "words"),
    [
        ("unet", "addition_time_embed_dim", 16, "the pooled code and the sizes are 120"),
        (
            "text_encoder_2",
            "projection_dim",
            20,
            r"text_encoder_2/: 1 weights are of another shape",
        ),
    ],
)
def test_a_folder_that_mixes_two_models_is_refused_by_key(made, tmp_path, part, key, value, words):
    folder = shutil.copytree(made[0], tmp_path / "model")
    file = folder / part / "config.json"
    config = json.loads(file.read_text()) | {key: value}
    file.write_text(json.dumps(config))
    with pytest.raises(ModelFolderError, match=words):
        check_folder(folder, "sdxl")
    with pytest.raises(ModelFolderError, match="set family to 'sdxl' in the models sheet"):
        check_folder(made[0], "sd")
