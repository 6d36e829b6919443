"""Which files of a folder are loaded: the same for checking, loading, digests and the state that rules see."""

import json
import os
import shutil

import pytest
import torch
from public_models import save_shards
from safetensors.torch import load_file, save_file

from verbatim.io.result_cache import fingerprint
from verbatim.models.files import digest, listing_state, read_json, walk_files
from verbatim.models.load import (
    ModelFolderError,
    check_digests,
    check_folder,
    list_files,
    load_denoiser,
    model_state,
)

UNET = "diffusion_pytorch_model"


@pytest.fixture
def sd(tiny_sd, tmp_path):
    return shutil.copytree(tiny_sd, tmp_path / "model")


def first_weight(folder):
    return load_denoiser(folder, "sd", "cpu").unet.conv_in.weight.clone()


def changed(file, to, dtype=torch.float32):
    """Another model's weights of the same names and shapes."""
    weights = {key: (value + 1).to(dtype) for key, value in load_file(file).items()}
    save_file(weights, to, metadata={"format": "pt"})
    return weights


def test_an_index_beside_a_whole_file_and_what_it_names_are_never_opened(sd):
    before, state = first_weight(sd), model_state(str(sd), "sd")
    index = {"weight_map": dict.fromkeys(load_file(sd / f"unet/{UNET}.safetensors"), "weights.dat")}
    (sd / f"unet/{UNET}.safetensors.index.json").write_text(json.dumps(index))
    torch.save({"conv_in.weight": torch.zeros(1)}, sd / "unet/weights.dat")
    assert torch.equal(first_weight(sd), before)
    assert model_state(str(sd), "sd") == state
    assert f"unet/{UNET}.safetensors" in list_files(sd, "sd")
    assert not [name for name in list_files(sd, "sd") if ".index." in name or name.endswith(".dat")]


@pytest.mark.parametrize("target", ["model.PT", "../unet.safetensors", "weights.bin"])
def test_an_index_alone_that_names_a_pickle_is_refused(sd, target):
    weights = sd / f"unet/{UNET}.safetensors"
    index = {"weight_map": dict.fromkeys(load_file(weights), target)}
    weights.unlink()
    (sd / f"unet/{UNET}.safetensors.index.json").write_text(json.dumps(index))
    torch.save({}, sd / "unet/model.PT")
    for call in (check_folder, lambda f, family: load_denoiser(f, family, "cpu")):
        with pytest.raises(ModelFolderError, match="only safetensors beside it"):
            call(sd, "sd")


@pytest.mark.parametrize(
    "variant",
    ["fp16", *(pytest.param(one, marks=pytest.mark.slow) for one in ("bf16", "non_ema", "mine"))],
)
@pytest.mark.parametrize("sharded", [False, True], ids=["whole", "sharded"])
def test_a_variant_is_loaded_where_no_plain_file_is(sd, variant, sharded):
    plain = sd / f"unet/{UNET}.safetensors"
    weights = changed(plain, plain, torch.bfloat16 if variant == "bf16" else torch.float16)
    plain.unlink()
    if sharded:
        save_shards(sd / "unet", UNET, weights, variant)
    else:
        save_file(weights, sd / f"unet/{UNET}.{variant}.safetensors", metadata={"format": "pt"})
    check_folder(sd, "sd")
    assert torch.equal(first_weight(sd), weights["conv_in.weight"].float())
    assert len([n for n in list_files(sd, "sd") if n.startswith(f"unet/{UNET}")]) == 1 + 2 * sharded


def test_the_plain_file_comes_before_every_variant_and_half_precision_before_unaveraged_weights(sd):
    plain, expected = sd / f"unet/{UNET}.safetensors", first_weight(sd)
    for variant in ("fp16", "non_ema"):
        changed(plain, sd / f"unet/{UNET}.{variant}.safetensors")
    assert torch.equal(first_weight(sd), expected)
    plain.unlink()
    assert f"unet/{UNET}.fp16.safetensors" in list_files(sd, "sd")


@pytest.mark.slow
def test_exchanged_weights_behind_a_link_change_state_and_fingerprint(sd, tmp_path):
    shared = {name: tmp_path / name for name in ("one", "other")}
    for number, folder in enumerate(shared.values()):
        shutil.copytree(sd / "unet", folder)
        if number:
            changed(folder / f"{UNET}.safetensors", folder / f"{UNET}.safetensors")
            for file in folder.iterdir():  # as an archive unpacks it: older than everything here
                os.utime(file, (1, 1))
    shutil.rmtree(sd / "unet")
    said = []
    for folder in shared.values():
        (sd / "unet").unlink(missing_ok=True)
        (sd / "unet").symlink_to(folder)
        check_folder(sd, "sd")
        said.append((model_state(str(sd), "sd"), fingerprint([sd]), first_weight(sd).sum().item()))
    assert len(set(said[0]) & set(said[1])) == 0
    whole = tmp_path / "whole"
    whole.symlink_to(sd)
    assert list_files(whole, "sd") == list_files(sd, "sd")
    assert model_state(str(whole), "sd") == said[1][0]


def test_files_that_were_exchanged_after_the_check_are_not_loaded(sd):
    digests = {name: digest(sd / name) for name in list_files(sd, "sd")}
    check_digests(sd, "sd", digests)
    check_digests(sd, "sd", {})
    scheduler = sd / "scheduler/scheduler_config.json"
    text = scheduler.read_text()
    scheduler.write_text(text.replace("0.012", "0.013"))
    with pytest.raises(ModelFolderError, match=r"scheduler_config\.json is not the file"):
        check_digests(sd, "sd", digests)
    scheduler.write_text(text)
    plain = sd / f"vae/{UNET}.safetensors"
    plain.rename(sd / f"vae/{UNET}.fp16.safetensors")
    with pytest.raises(ModelFolderError, match="is not the file that was there"):
        check_digests(sd, "sd", digests)


def test_links_in_a_circle_end(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a/file").write_text("1")
    (tmp_path / "a/round").symlink_to(tmp_path)
    (tmp_path / "nowhere").symlink_to(tmp_path / "gone")
    assert "a/file" in walk_files(tmp_path)
    before = listing_state(tmp_path)
    (tmp_path / "a/file").write_text("22")
    assert listing_state(tmp_path) != before


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[" * 100_000 + "]" * 100_000, "nested too deeply"), ("[]", "not a JSON object"),
        ("{", "is broken"), ('{"a": "\udcff"}', "is broken"),
    ],
    ids=["deep", "list", "cut", "bytes"],
)  # fmt: skip
def test_a_config_that_is_no_json_object_is_named(tmp_path, text, words):
    (tmp_path / "config.json").write_text(text, errors="surrogateescape")
    with pytest.raises(ModelFolderError, match=rf"config\.json .*{words}"):
        read_json(tmp_path, "config.json", "")


def test_a_pipe_in_place_of_a_config_and_one_that_is_far_too_large_are_named(tmp_path):
    os.mkfifo(tmp_path / "config.json")
    with pytest.raises(ModelFolderError, match=r"config\.json is no file"):
        read_json(tmp_path, "config.json", "")
    with open(tmp_path / "large.json", "wb") as large:
        large.truncate(200_000_000)
    with pytest.raises(ModelFolderError, match="200000000 bytes, more than"):
        read_json(tmp_path, "large.json", "")
