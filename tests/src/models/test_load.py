"""What is refused, by name and with its cure, before a weight is read."""

import json
import shutil

import pytest

from verbatim.models.load import (
    ModelFolderError,
    check_folder,
    find_folder,
    list_files,
    load_denoiser,
)


@pytest.fixture
def sd(tiny_sd, tmp_path):
    return shutil.copytree(tiny_sd, tmp_path / "model")


def edit(file, **changes):
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


def same_weights(one, other):
    import torch

    pairs = zip(one.unet.state_dict().values(), other.unet.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


def test_good_folders_load_with_the_shapes_of_their_networks(tiny_sd, tiny_if):
    sd, pixel = load_denoiser(tiny_sd, "sd", "cpu"), load_denoiser(str(tiny_if), "if", "cpu")
    assert (sd.shape, sd.size) == ((4, 8, 8), 32)
    assert (pixel.shape, pixel.size) == ((3, 16, 16), 16)
    assert pixel.thresholding == ("dynamic", 0.95, 1.5)


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(ModelFolderError, match=r"nowhere.*no such folder.*models sheet"):
        load_denoiser(tmp_path / "nowhere", "sd", "cpu")


def test_a_hub_id_that_is_not_in_the_local_cache_says_how_to_fetch_it(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(ModelFolderError, match=r"hf download no-one/nothing --revision abc"):
        find_folder("no-one/nothing", "abc")


def test_a_folder_of_another_family_names_the_right_one(tiny_sd, tiny_if):
    with pytest.raises(ModelFolderError, match=r"IFPipeline.*set family to 'if'"):
        load_denoiser(tiny_if, "sd", "cpu")
    with pytest.raises(ModelFolderError, match=r"StableDiffusionPipeline.*set family to 'sd'"):
        load_denoiser(tiny_sd, "if", "cpu")
    with pytest.raises(ModelFolderError, match="family 'images'"):
        load_denoiser(tiny_sd, "images", "cpu")


@pytest.mark.parametrize(
    "part",
    [
        "model_index.json", "unet/config.json", "unet/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors",
        "scheduler/scheduler_config.json", "tokenizer/tokenizer_config.json",
    ],
)  # fmt: skip
def test_a_missing_file_is_named_with_its_folder(sd, part):
    (sd / part).unlink()
    with pytest.raises(ModelFolderError, match=part.replace(".", r"\.")) as caught:
        check_folder(sd, "sd")
    assert str(sd) in str(caught.value)


@pytest.mark.parametrize("part", ["unet", "vae", "text_encoder", "tokenizer", "scheduler"])
def test_a_missing_component_is_named(sd, part):
    shutil.rmtree(sd / part)
    with pytest.raises(ModelFolderError, match=f"{part}/ is missing"):
        check_folder(sd, "sd")


def test_a_tokenizer_without_its_vocabulary_is_refused(sd):
    (sd / "tokenizer/tokenizer.json").unlink()
    with pytest.raises(ModelFolderError, match="tokenizer/ has neither"):
        load_denoiser(sd, "sd", "cpu")


@pytest.mark.parametrize(
    "name",
    ["unet/diffusion_pytorch_model.bin", pytest.param("text_encoder/pytorch_model.bin", marks=pytest.mark.slow),
     pytest.param("vae/vae.ckpt", marks=pytest.mark.slow), pytest.param("unet/a.PT", marks=pytest.mark.slow)],
)  # fmt: skip
def test_pickles_beside_safetensors_are_ignored_and_never_opened(sd, name):
    before = load_denoiser(sd, "sd", "cpu")
    (sd / name).write_bytes(b"\x80\x04.")
    (sd / name).chmod(0)
    check_folder(sd, "sd")
    assert same_weights(load_denoiser(sd, "sd", "cpu"), before)
    assert name not in list_files(sd, "sd")


def test_pickled_weights_alone_are_never_opened(sd):
    weights = sd / "unet/diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(
        ModelFolderError, match=r"pickled weights alone.*diffusion_pytorch_model\.bin"
    ):
        load_denoiser(sd, "sd", "cpu")


@pytest.mark.parametrize(
    ("file", "changes"),
    [
        ("text_encoder/config.json", {"auto_map": {"AutoModel": "evil.Model"}}),
        ("unet/config.json", {"auto_map": {}}),
        ("model_index.json", {"_class_name": ["evil_pipeline", "EvilPipeline"]}),
    ],
)
def test_a_model_that_brings_code_is_refused(sd, file, changes):
    edit(sd / file, **changes)
    with pytest.raises(ModelFolderError, match=f"{file}.*code of its own"):
        load_denoiser(sd, "sd", "cpu")


def test_a_python_file_in_a_component_is_refused(sd):
    (sd / "unet/my_unet.py").write_text("raise SystemExit")
    with pytest.raises(ModelFolderError, match=r"unet/my_unet\.py is code"):
        load_denoiser(sd, "sd", "cpu")


@pytest.mark.parametrize("target", ["../other.safetensors", "weights.bin"])
def test_an_index_that_points_elsewhere_is_refused(sd, target):
    (sd / "unet/diffusion_pytorch_model.safetensors").unlink()
    index = sd / "unet/diffusion_pytorch_model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"conv_in.weight": target}}))
    with pytest.raises(ModelFolderError, match="only safetensors beside it"):
        check_folder(sd, "sd")


def test_a_missing_part_of_sharded_weights_is_named(sd):
    (sd / "unet/diffusion_pytorch_model.safetensors").unlink()
    name = "diffusion_pytorch_model-00001-of-00002.safetensors"
    index = sd / "unet/diffusion_pytorch_model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"conv_in.weight": name}}))
    with pytest.raises(ModelFolderError, match=f"{name} is missing"):
        check_folder(sd, "sd")


def test_a_cut_off_weights_file_is_refused(sd):
    file = sd / "unet/diffusion_pytorch_model.safetensors"
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(
        ModelFolderError, match=r"unet/diffusion_pytorch_model\.safetensors is broken"
    ):
        load_denoiser(sd, "sd", "cpu")


@pytest.mark.parametrize(
    ("part", "name"),
    [
        ("unet", "diffusion_pytorch_model"),
        ("vae", "diffusion_pytorch_model"),
        ("text_encoder", "model"),
    ],
)
def test_weights_that_are_not_there_are_refused_instead_of_random(sd, part, name):
    from safetensors.torch import load_file, save_file

    file = sd / part / f"{name}.safetensors"
    weights = load_file(file)
    dropped = sorted(weights)[0]
    weights.pop(dropped)
    save_file(weights, file, metadata={"format": "pt"})
    with pytest.raises(ModelFolderError, match=f"{part}/"):
        load_denoiser(sd, "sd", "cpu")


def test_broken_json_is_named(sd):
    (sd / "unet/config.json").write_text("{")
    with pytest.raises(ModelFolderError, match=r"unet/config\.json is broken"):
        check_folder(sd, "sd")


@pytest.mark.slow
def test_components_of_two_models_are_refused(sd):
    edit(sd / "unet/config.json", sample_size=None)
    with pytest.raises(ModelFolderError, match="sample_size"):
        load_denoiser(sd, "sd", "cpu")
    edit(sd / "unet/config.json", sample_size=8)
    from tiny_models import make_sd

    other = make_sd(sd.parent / "other", latent_channels=6)
    shutil.rmtree(sd / "vae")
    shutil.copytree(other / "vae", sd / "vae")
    with pytest.raises(ModelFolderError, match="latent_channels is 6"):
        load_denoiser(sd, "sd", "cpu")


def test_a_flow_matching_model_is_refused(sd):
    edit(sd / "scheduler/scheduler_config.json", _class_name="FlowMatchEulerDiscreteScheduler")
    with pytest.raises(ModelFolderError, match="flow-matching"):
        load_denoiser(sd, "sd", "cpu")


def test_an_unknown_noise_schedule_is_refused(sd):
    edit(sd / "scheduler/scheduler_config.json", beta_schedule="wavy")
    with pytest.raises(ModelFolderError, match="noise schedule"):
        load_denoiser(sd, "sd", "cpu")


def test_weights_in_the_fp16_variant_alone_are_found(sd):
    for part, stem in (("unet", "diffusion_pytorch_model"), ("text_encoder", "model")):
        (sd / part / f"{stem}.safetensors").rename(sd / part / f"{stem}.fp16.safetensors")
    assert load_denoiser(sd, "sd", "cpu").shape == (4, 8, 8)


def test_an_unknown_dtype_is_refused(tiny_sd):
    with pytest.raises(ModelFolderError, match="int8"):
        load_denoiser(tiny_sd, "sd", "cpu", "int8")
