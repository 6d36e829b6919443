"""Rectified flow: SD 3 and FLUX beside diffusers' own pipelines, on tiny checkpoints that diffusers saved."""

import json
import shutil

import numpy as np
import pytest
import torch
from tiny_pipelines import make_flux, make_sd3

from tiny_models import CAPTIONS
from verbatim.models.flux import pack, unpack
from verbatim.models.hub import ModelFolderError
from verbatim.models.load import check_folder, load_denoiser
from verbatim.models.noise import unit_noise
from verbatim.models.sampling import Sampling, first_eps, generate, generate_one_step, noise_levels
from verbatim.whitebox.dcs import score_captions

pytestmark = pytest.mark.slow  # diffusers' whole pipelines are loaded, and made

MAKERS = {
    "sd3": lambda folder, root: make_sd3(folder, root),
    "sd3 without T5": lambda folder, root: make_sd3(folder, root, t5=False),
    "flux dev": lambda folder, root: make_flux(folder, root),
    "flux schnell": lambda folder, root: make_flux(folder, root, dev=False),
}


@pytest.fixture(scope="module", params=MAKERS)
def made(request, tmp_path_factory):
    root = tmp_path_factory.mktemp("flow")
    return root / "model", MAKERS[request.param](root / "model", root)


@pytest.fixture(scope="module")
def denoiser(made):
    return load_denoiser(made[0], "flow", "cpu")


def pipeline_image(pipeline, caption, seed, steps, guidance):
    noise = unit_noise(seed, (4, 8, 8))
    options = {"num_inference_steps": steps, "output_type": "np"}
    if type(pipeline).__name__ == "FluxPipeline":
        packed = pipeline._pack_latents(noise, 1, 4, 8, 8)
        return pipeline(
            caption, negative_prompt="", true_cfg_scale=guidance, height=64, width=64,
            latents=packed, **options,
        ).images[0]  # fmt: skip
    return pipeline(caption, guidance_scale=guidance, latents=noise, **options).images[0]


def test_the_folder_is_checked_and_noise_ends_at_one(made, denoiser):
    check_folder(made[0], "flow")
    assert (denoiser.size, denoiser.shape, denoiser.sigma_max) == (64, (4, 8, 8), 1.0)


@pytest.mark.parametrize("caption", CAPTIONS[:2])
def test_a_one_step_generation_is_the_pipelines(made, denoiser, caption):
    theirs = pipeline_image(made[1], caption, 3, 1, 5.0)
    ((_, _, ours),) = generate_one_step(denoiser, [caption], [3], 5.0, 1)
    assert abs(ours - theirs).max() < 1e-4


@pytest.mark.parametrize("steps", [2, 5])
def test_a_full_generation_is_the_pipelines_whatever_the_spacing(made, denoiser, steps):
    theirs = pipeline_image(made[1], CAPTIONS[1], 1, steps, 3.0)
    levels = made[1].scheduler.sigmas.numpy()
    for spacing in ("karras", "even"):
        ours = noise_levels(denoiser, steps, "euler", spacing).numpy()
        assert ours == pytest.approx(levels, abs=1e-6)
        ((_, _, image),) = generate(
            denoiser, [CAPTIONS[1]], [1], Sampling(steps, 3.0, "euler", spacing), 1
        )
        assert abs(image - theirs).max() < 1e-4


def test_scores_are_those_of_the_velocity_and_differ_between_captions(made, denoiser):
    noise = unit_noise(0, denoiser.shape)
    (scored,) = score_captions(denoiser, CAPTIONS[:3], [0], 5.0, 3)
    empty, told = (
        first_eps(denoiser, denoiser.encode(captions), noise).double().numpy()
        for captions in ([""], CAPTIONS[:3])
    )
    guided = empty + 5.0 * (told - empty)
    assert scored.scores["dcs_reference"] == pytest.approx((guided**2).mean((1, 2, 3)), rel=1e-4)
    change = np.sqrt(((told - empty) ** 2).sum((1, 2, 3)))
    assert scored.scores["wen_first_step"] == pytest.approx(change, rel=1e-4)
    assert len({round(float(score), 6) for score in scored.scores["dcs_reference"]}) == 3


def test_an_estimate_of_the_image_is_the_sample_without_its_velocity(made, denoiser):
    """x = (1 - s) x0 + s n and v = n - x0, at any level: what the network gives is v itself."""
    x, cond = unit_noise(7, denoiser.shape), denoiser.encode(CAPTIONS[:1])
    v = denoiser.predict(x, 0.6, cond)
    told = denoiser.network(x, torch.tensor([0.6 * denoiser.timesteps]), cond)
    assert torch.equal(v, told)


def test_memory_may_be_short(made, denoiser):
    short = load_denoiser(made[0], "flow", "cpu", memory="offload")
    (found,), (expected,) = (
        list(score_captions(d, CAPTIONS[:2], [0], 5.0, 2)) for d in (short, denoiser)
    )
    for name, values in expected.scores.items():
        assert found.scores[name] == pytest.approx(values, rel=1e-4)


def test_tokens_are_packed_as_in_diffusers():
    from diffusers import FluxPipeline

    x = torch.randn(2, 4, 8, 6)
    tokens = FluxPipeline._pack_latents(x, 2, 4, 8, 6)
    assert torch.equal(pack(x), tokens)
    assert torch.equal(unpack(tokens, 8), x)


@pytest.fixture(scope="module")
def sd3(tmp_path_factory):
    root = tmp_path_factory.mktemp("sd3")
    make_sd3(root / "model", root)
    return root / "model"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"use_karras_sigmas": True}, "use_karras_sigmas True, noise levels that are not computed"),
        ({"shift": None}, "states no shift"),
        ({"_class_name": "EulerDiscreteScheduler"}, "needs a FlowMatchEulerDiscreteScheduler"),
    ],
)
def test_a_scheduler_of_other_levels_is_refused_by_key(sd3, tmp_path, changes, words):
    folder = shutil.copytree(sd3, tmp_path / "model")
    file = folder / "scheduler/scheduler_config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
    with pytest.raises(ModelFolderError, match=words):
        check_folder(folder, "flow")


def test_another_family_is_named(sd3):
    with pytest.raises(ModelFolderError, match="set family to 'flow' in the models sheet"):
        check_folder(sd3, "sd")
