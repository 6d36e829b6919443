"""Whatever loading refuses of a folder is refused by the check, in the same words, before any weight is read."""

import json
import shutil

import pytest
import torch
from public_models import make_public_if, make_public_sd
from safetensors.torch import load_file, save_file

from tiny_models import CAPTIONS
from verbatim.models.load import ModelFolderError, check_folder, load_denoiser
from verbatim.models.schedule import read_betas, read_prediction_type, read_thresholding

UNET, TEXT = "unet/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors"
SCHEDULER = "scheduler/scheduler_config.json"


@pytest.fixture
def sd(tiny_sd, tmp_path):
    return shutil.copytree(tiny_sd, tmp_path / "model")


def edit(file, **changes):
    """Change keys of a JSON file; ... takes one away."""
    data = json.loads(file.read_text()) | changes
    file.write_text(json.dumps({k: v for k, v in data.items() if v is not ...}))


def reweigh(file, change):
    weights = load_file(file)
    change(weights)
    save_file(weights, file, metadata={"format": "pt"})


def refused(folder, words, family="sd"):
    """Both the check and loading refuse the folder in these words."""
    said = []
    for call in (check_folder, lambda f, kind: load_denoiser(f, kind, "cpu")):
        with pytest.raises(ModelFolderError, match=words) as err:
            call(folder, family)
        said.append(str(err.value))
    assert said[0] == said[1]


CONFIGS = [
    (SCHEDULER, {"_class_name": "FlowMatchEulerDiscreteScheduler"}, "flow-matching"),
    (SCHEDULER, {"prediction_type": "flow_prediction"}, "prediction_type 'flow_prediction'"),
    (SCHEDULER, {"prediction_type": ...}, "states no prediction_type"),
    (SCHEDULER, {"beta_schedule": "exp"}, "no noise schedule known here"),
    (SCHEDULER, {"beta_schedule": ...}, "states no beta_schedule"),
    (SCHEDULER, {"beta_start": ...}, "states no beta_start"),
    (SCHEDULER, {"beta_end": None}, "states no beta_end"),
    (SCHEDULER, {"num_train_timesteps": ...}, "states no num_train_timesteps"),
    (SCHEDULER, {"num_train_timesteps": 10**12}, "num_train_timesteps 1000000000000"),
    (SCHEDULER, {"trained_betas": [0.1, 2.0]}, "not all in"),
    ("unet/config.json", {"sample_size": None}, "no sample_size"),
    ("unet/config.json", {"sample_size": 10**9}, "sample_size 1000000000"),
    ("unet/config.json", {"in_channels": 9}, "conv_in.weight first"),
    ("unet/config.json", {"cross_attention_dim": 24}, "of another shape"),
    ("unet/config.json", {"layers_per_block": 10**9}, "more layers than there are weights"),
    ("unet/config.json", {"norm_num_groups": 0}, "cannot be built as UNet2DConditionModel"),
    ("unet/config.json", {"block_out_channels": "wide"}, "cannot be built as UNet2DConditionModel"),
    ("unet/config.json", {"_class_name": "UNet3DConditionModel"}, "is of a 'UNet3DConditionModel'"),
    ("unet/config.json", {"class_embed_type": "identity"}, "do not run on what they are given"),
    ("vae/config.json", {"scaling_factor": None}, "states no scaling_factor"),
    ("text_encoder/config.json", {"num_hidden_layers": 10**9}, "more layers than there are"),
    ("text_encoder/config.json", {"num_hidden_layers": 2}, "lacks 16 weights"),
    ("text_encoder/config.json", {"attn_implementation": "someone/kernel"}, "code of its own"),
    ("text_encoder/config.json", {"quantization_config": {"bits": 4}}, "quantization_config"),
    ("tokenizer/added_tokens.json", {"<x>": 9999}, "the folder mixes two models"),
]  # fmt: skip


@pytest.mark.parametrize(("file", "changes", "words"), CONFIGS)
def test_a_config_that_does_not_fit_is_refused_by_the_check(sd, file, changes, words):
    if not (sd / file).exists():
        (sd / file).write_text("{}")
    edit(sd / file, **changes)
    if changes.get("class_embed_type"):  # loads, and fails at its first prediction
        with pytest.raises(ModelFolderError, match=words):
            check_folder(sd, "sd")
    else:
        refused(sd, words)


@pytest.mark.slow
@pytest.mark.parametrize("file", [UNET, TEXT, "vae/diffusion_pytorch_model.safetensors"])
def test_weights_that_are_missing_unknown_or_of_another_shape_are_refused_by_name(
    sd, tiny_sd, file
):
    part = file.split("/")[0]
    key = sorted(load_file(sd / file))[0]
    reweigh(sd / file, lambda weights: weights.pop(key))
    refused(sd, f"{part}/ lacks 1 weights, {key.removeprefix('text_model.')} first")
    shutil.copy(tiny_sd / file, sd / file)
    reweigh(sd / file, lambda weights: weights.update({key: torch.zeros(3, 5)}))
    refused(sd, rf"{part}/: 1 weights are of another shape .*\[3, 5\]")
    shutil.copy(tiny_sd / file, sd / file)
    reweigh(sd / file, lambda weights: weights.update({"model_ema.decay": torch.zeros(1)}))
    refused(sd, f"{part}/ has 1 weights that .* does not know, model_ema.decay first")


@pytest.mark.parametrize(
    "key",
    [
        "down_blocks.0.attentions.0.transformer_blocks.0.attn1.processor.to_q_lora.down.weight",
        "down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.lora_A.default.weight",
    ],
    ids=["diffusers", "peft"],
)
def test_a_lora_that_was_never_merged_is_refused_instead_of_dropped(sd, key):
    reweigh(sd / UNET, lambda weights: weights.update({key: torch.zeros(4, 8)}))
    refused(sd, "a LoRA that is not merged would have no effect: merge it")


def test_quantized_weights_are_refused(sd):
    key = "conv_in.weight"
    reweigh(sd / UNET, lambda weights: weights.update({key: weights[key].to(torch.int8)}))
    refused(sd, "conv_in.weight is of type I8, a quantized one")


@pytest.mark.slow
def test_a_vocabulary_without_its_merges_is_refused(tmp_path):
    folder = make_public_sd(tmp_path / "sd")
    check_folder(folder, "sd")
    (folder / "tokenizer/merges.txt").unlink()
    refused(folder, r"tokenizer/merges\.txt is missing")


@pytest.mark.slow
def test_what_a_published_folder_carries_beside_its_weights_is_no_reason_to_refuse_it(tmp_path):
    """position_ids, a projection, an old VAE's names of attention, a whole T5's decoder."""
    folder = make_public_sd(tmp_path / "sd")
    extra = {"text_projection.weight": torch.zeros(2, 2), "logit_scale": torch.zeros(1)}
    reweigh(folder / TEXT, lambda weights: weights.update(extra))
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}

    def rename(weights):
        for key in [k for k in weights if ".attentions.0.to_" in k]:
            name = next(new for new in old if f".{new}." in key)
            weights[key.replace(name, old[name])] = weights.pop(key)

    vae = folder / "vae/diffusion_pytorch_model.safetensors"
    expected = load_denoiser(folder, "sd", "cpu").vae.state_dict()
    reweigh(vae, rename)
    assert any(".query.weight" in key for key in load_file(vae))
    check_folder(folder, "sd")
    found = load_denoiser(folder, "sd", "cpu").vae.state_dict()
    assert all(torch.equal(found[key], value) for key, value in expected.items())
    other = make_public_if(tmp_path / "if")
    for file in (other / "text_encoder").glob("*00002-of-00002.safetensors"):
        reweigh(file, lambda weights: weights.update({"lm_head.weight": torch.zeros(2, 2)}))
    check_folder(other, "if")
    assert len(load_denoiser(other, "if", "cpu").encode(CAPTIONS[:2])) == 2


PNDM = {
    "_class_name": "PNDMScheduler", "_diffusers_version": "0.6.0", "beta_start": 0.00085,
    "beta_end": 0.012, "beta_schedule": "scaled_linear", "num_train_timesteps": 1000,
}  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, "epsilon"),  # Stable Diffusion 1.5 as published
        ({"_diffusers_version": "0.9.0"}, "epsilon"),  # PNDM had no v before 0.10
        ({"_diffusers_version": "0.10.0.dev0"}, "epsilon"),
        ({"predict_epsilon": False}, "sample"),  # DDPM before 0.9
        ({"prediction_type": "v_prediction", "_diffusers_version": "0.8.0"}, "v_prediction"),
        ({"_diffusers_version": "0.10.0"}, None),
        ({"_diffusers_version": "0.9.0", "_class_name": "DDIMScheduler"}, None),
        ({"_diffusers_version": "0.42.1"}, None),
        ({"_diffusers_version": None}, None),
    ],
)
def test_an_unstated_prediction_type_means_noise_only_before_the_key_existed(
    tmp_path, changes, kind
):
    config = PNDM | changes
    if kind:
        assert read_prediction_type(tmp_path, config) == kind
    else:
        with pytest.raises(ModelFolderError, match="states no prediction_type"):
            read_prediction_type(tmp_path, config)


def test_every_scheduler_that_the_locked_library_saves_states_what_is_asked_for(tmp_path):
    import diffusers

    for name in ("DDIMScheduler", "DDPMScheduler", "EulerDiscreteScheduler", "PNDMScheduler",
                 "EulerAncestralDiscreteScheduler", "DPMSolverMultistepScheduler", "LMSDiscreteScheduler"):  # fmt: skip
        scheduler = getattr(diffusers, name).from_config(PNDM)
        scheduler.save_config(tmp_path / name)
        config = json.loads((tmp_path / name / "scheduler_config.json").read_text())
        assert read_prediction_type(tmp_path, config) == "epsilon"
        betas = read_betas(tmp_path, config)
        assert betas.shape == (1000,)
        assert float(betas[-1]) == pytest.approx(0.012)


def test_a_pixel_models_thresholding_is_stated_or_refused(tmp_path):
    dynamic = {"thresholding": True, "dynamic_thresholding_ratio": 0.95, "sample_max_value": 1.5}
    clip = {"thresholding": False, "clip_sample": True, "clip_sample_range": 1.0}
    assert read_thresholding(tmp_path, dynamic) == ("dynamic", 0.95, 1.5)
    assert read_thresholding(tmp_path, clip)[::2] == ("clip", 1.0)
    for config in (dynamic, clip):
        for key in config:
            with pytest.raises(ModelFolderError, match=f"states no {key}"):
                read_thresholding(tmp_path, {k: v for k, v in config.items() if k != key})
    with pytest.raises(ModelFolderError, match="dynamic_thresholding_ratio 2"):
        read_thresholding(tmp_path, dynamic | {"dynamic_thresholding_ratio": 2})
