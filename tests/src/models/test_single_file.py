"""Single files of SD 1, SD 2 and SDXL: bit for bit what diffusers reads of them, and every doubt a refusal by name."""

import json
import shutil
import socket
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from single_files import keys_of, save_single
from tiny_pipelines import make_sd_pipeline, make_sdxl

from tiny_models import CAPTIONS
from verbatim.models.checkpoint import (
    Checkpoint,
    check_checkpoint,
    check_digests,
    checkpoint_state,
    files_of,
    find_checkpoint,
    load_checkpoint,
)
from verbatim.models.files import digest
from verbatim.models.hub import ModelFolderError
from verbatim.models.load import load_denoiser
from verbatim.models.sampling import Sampling, generate, generate_one_step
from verbatim.models.single_file import RESOURCES, open_single_file
from verbatim.models.single_file_kinds import FIRST
from verbatim.models.vocabulary import clip_tokenizer
from verbatim.whitebox.dcs import score_captions

pytestmark = pytest.mark.slow  # diffusers' whole pipelines are loaded, and made

FAMILY = {"sd1": "sd", "sd2": "sd", "sd2 v": "sd", "sdxl": "sdxl"}
MAKERS = {
    "sd1": lambda folder, root: make_sd_pipeline(folder, root),
    "sd2": lambda folder, root: make_sd_pipeline(folder, root, 23),
    "sd2 v": lambda folder, root: make_sd_pipeline(folder, root, 23, "v_prediction"),
    "sdxl": lambda folder, root: make_sdxl(folder, root, timestep_spacing="trailing"),
}


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Kind -> (folder that diffusers saved, its pipeline, the same as a single file), each made once."""
    made = {}

    def get(kind):
        if kind not in made:
            root = tmp_path_factory.mktemp("single")
            pipeline = MAKERS[kind](root / "model", root)
            file = save_single(root / "model.safetensors", keys_of(pipeline))
            made[kind] = root / "model", pipeline, file
        return made[kind]

    return get


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*args, **options):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)


def named(kind, folder, file, **more):
    said = {"sd2": "epsilon", "sd2 v": "v_prediction"}.get(kind, "")
    return Checkpoint(FAMILY[kind], file, prediction=said, configs=folder, **more)


@pytest.mark.parametrize("kind", MAKERS)
def test_the_networks_are_bit_for_bit_those_of_the_folder_and_of_diffusers_own_reader(
    models, kind, no_network
):
    folder, pipeline, file = models(kind)
    check_checkpoint(named(kind, folder, file))
    single = load_checkpoint(named(kind, folder, file), "cpu")
    whole = load_denoiser(folder, FAMILY[kind], "cpu")
    theirs = type(pipeline).from_single_file(
        str(file), config=str(folder), local_files_only=True,
        **({} if kind == "sdxl" else {"safety_checker": None, "feature_extractor": None}),
    )  # fmt: skip
    for part in ("unet", "vae", "text_encoder", *(["text_encoder_2"] if kind == "sdxl" else [])):
        ours, read = (getattr(x, part).state_dict() for x in (single, theirs))
        assert ours.keys() == read.keys()
        assert all(torch.equal(ours[key], read[key]) for key in ours), part
    one, two = (list(score_captions(d, CAPTIONS[:3], [0], 5.0, 3)) for d in (single, whole))
    for name, values in one[0].scores.items():
        # where weights lie in memory decides which kernel a processor takes, and so the last bits
        assert values == pytest.approx(two[0].scores[name], rel=1e-4, abs=1e-5), name
    images = [
        [i for _, _, i in generate_one_step(d, CAPTIONS[:1], [0], 5.0, 1)]
        + [i for _, _, i in generate(d, CAPTIONS[:1], [0], Sampling(2, 5.0), 1)]
        for d in (single, whole)
    ]
    assert all(abs(a - b).max() <= 1 / 255 for a, b in zip(*images, strict=True))


def test_half_precision_stays_and_memory_may_be_short(models, tmp_path):
    folder, pipeline, _ = models("sd1")
    keys = {key: weight.half() for key, weight in keys_of(pipeline).items()}
    file = save_single(tmp_path / "half.safetensors", keys)
    half = load_checkpoint(named("sd1", folder, file), "cpu", "float16", "offload")
    assert {p.dtype for network in half.networks for p in network.parameters()} == {torch.float16}
    plain = load_checkpoint(named("sd1", folder, file), "cpu", "float32", "offload")
    key = "model.diffusion_model.input_blocks.0.0.weight"
    assert torch.equal(plain.unet.conv_in.weight, keys[key].float())
    assert len(list(score_captions(plain, CAPTIONS[:2], [0], 5.0, 2))) == 1


def test_what_published_files_carry_besides_is_left_alone(models, tmp_path):
    folder, pipeline, _ = models("sd1")
    abar = torch.cumprod(1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000).double() ** 2, 0)
    keys = keys_of(pipeline)
    more = {
        "model_ema.decay": torch.tensor(0.9), "alphas_cumprod": abar.half(), "betas": 1 - abar,
        "model_ema.diffusion_modelinput_blocks00weight": torch.zeros(1),
        "cond_stage_model.transformer.text_model.embeddings.position_ids": torch.arange(77)[None],
        "cond_stage_model.logit_scale": torch.ones(1), "first_stage_model.loss.logvar": torch.zeros(1),
    }  # fmt: skip
    plain = load_checkpoint(named("sd1", folder, models("sd1")[2]), "cpu")
    loaded = load_checkpoint(
        named("sd1", folder, save_single(tmp_path / "more.safetensors", keys | more)), "cpu"
    )
    for ours, theirs in zip(loaded.networks, plain.networks, strict=True):
        assert all(torch.equal(w, theirs.state_dict()[k]) for k, w in ours.state_dict().items())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("cond_stage_model.transformer.text_model.", "cond_stage_model.transformer."),
        ("first_stage_model.", "vae."),
    ],
)
def test_older_names_are_understood(models, tmp_path, old, new):
    folder, pipeline, file = models("sd1")
    keys = {
        new + key.removeprefix(old) if key.startswith(old) else key: weight
        for key, weight in keys_of(pipeline).items()
    }
    other = load_checkpoint(
        named("sd1", folder, save_single(tmp_path / "old.safetensors", keys)), "cpu"
    )
    plain = load_checkpoint(named("sd1", folder, file), "cpu")
    assert torch.equal(other.encode(CAPTIONS[:2]).states, plain.encode(CAPTIONS[:2]).states)
    assert torch.equal(other.vae.decoder.conv_in.weight, plain.vae.decoder.conv_in.weight)


def changed(keys, drop=(), **more):
    return {k: w for k, w in keys.items() if not k.startswith(tuple(drop) or ("\0",))} | more


UNET = "model.diffusion_model."
REFUSED = {
    "a missing weight of the UNet": (
        lambda k: changed(k, [UNET + "out.2.weight"]), r"unet/ lacks 1 weights, conv_out\.weight first",
    ),
    "a missing weight of the text encoder": (
        lambda k: changed(k, ["cond_stage_model.transformer.text_model.final_layer_norm.bias"]),
        r"text_encoder/ lacks 1 weights, .*final_layer_norm\.bias first",
    ),
    "an unknown weight of the UNet": (
        lambda k: changed(k, **{UNET + "extra.weight": torch.zeros(2)}),
        r"1 weights of its unet are unknown, model\.diffusion_model\.extra\.weight first",
    ),
    "an unknown weight of the VAE": (
        lambda k: changed(k, **{"first_stage_model.adapter.weight": torch.zeros(2)}),
        r"weights of its vae are unknown, first_stage_model\.adapter\.weight first",
    ),
    "an unknown key": (
        lambda k: changed(k, **{"embeddings.mine": torch.zeros(2)}),
        r"1 keys are of no part of Stable Diffusion 1, embeddings\.mine first",
    ),
    "a weight of another shape": (
        lambda k: changed(k, **{UNET + "time_embed.0.weight": torch.zeros(32, 9)}),
        r"1 weights are of another shape .* time_embedding\.linear_1\.weight first: \[32, 9\] instead of \[32, 8\]",
    ),
    "a quantized weight": (
        lambda k: changed(k, **{UNET + "out.2.weight": torch.zeros(4, 8, 3, 3, dtype=torch.int8)}),
        r"out\.2\.weight is of type I8, a quantized one",
    ),
    "an inpainting model": (
        lambda k: changed(k, **{UNET + "input_blocks.0.0.weight": torch.zeros(8, 9, 3, 3)}),
        "is an inpainting model: its UNet takes 9 channels",
    ),
    "another noise schedule": (
        lambda k: changed(k, alphas_cumprod=torch.linspace(0.99, 0.01, 1000)),
        r"its own noise schedule \(alphas_cumprod\) is another",
    ),
    "no VAE": (lambda k: changed(k, ["first_stage_model."]), "of Stable Diffusion 1 it lacks vae"),
    "a LoRA": (
        lambda k: {"lora_unet_down_blocks_0.lora_down.weight": torch.zeros(2, 2)},
        "is a LoRA; name it in the column lora",
    ),
    "SD 3": (
        lambda k: {UNET + "joint_blocks.0.x.weight": torch.zeros(2)}, "is Stable Diffusion 3; name its diffusers folder",
    ),
    "FLUX": (lambda k: {"double_blocks.0.img_attn.qkv.weight": torch.zeros(2)}, "is FLUX; name its"),
    "a ControlNet": (lambda k: changed(k, **{"control_model.x": torch.zeros(2)}), "is a ControlNet"),
    "EDM": (lambda k: changed(k, edm_mean=torch.zeros(2)), "is a model of another noise schedule"),
    "one network of a folder": (
        lambda k: {"down_blocks.0.resnets.0.conv1.weight": torch.zeros(2)},
        "is one network of a diffusers folder; name the folder",
    ),
    "something else": (lambda k: {"layers.0.weight": torch.zeros(2)}, r"none of its 1 keys \(layers"),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_would_be_dropped_or_fail_later_is_refused_by_name(models, tmp_path, case):
    change, words = REFUSED[case]
    folder, pipeline, _ = models("sd1")
    file = save_single(tmp_path / "bad.safetensors", change(keys_of(pipeline)))
    with pytest.raises(ModelFolderError, match=words) as refused:
        check_checkpoint(named("sd1", folder, file))
    assert str(file) in str(refused.value)


def test_what_a_network_of_sd2_predicts_is_said_by_the_file_or_the_sheet(models, tmp_path):
    _, pipeline, file = models("sd2 v")
    with pytest.raises(ModelFolderError, match=r"write epsilon .* or v_prediction .* prediction"):
        open_single_file(file, "sd")
    assert open_single_file(file, "sd", "v_prediction").configs == RESOURCES / "sd2_v"
    assert open_single_file(file, "sd", "epsilon").configs == RESOURCES / "sd2_base"
    spoken = save_single(
        tmp_path / "spoken.safetensors", keys_of(pipeline), **{"modelspec.prediction_type": "v"}
    )
    assert open_single_file(spoken, "sd").kind.prediction == "v_prediction"
    with pytest.raises(ModelFolderError, match=r"metadata .* says v_prediction, the column"):
        open_single_file(spoken, "sd", "epsilon")


def test_the_marks_of_v_prediction_and_zero_snr_are_obeyed(models, tmp_path):
    folder, pipeline, _ = models("sdxl")
    keys = keys_of(pipeline) | {"v_pred": torch.zeros(0), "ztsnr": torch.zeros(0)}
    file = save_single(tmp_path / "noob.safetensors", keys)
    d = load_checkpoint(Checkpoint("sdxl", file, configs=folder), "cpu")
    assert d.prediction_type == "v_prediction"
    assert d.sigma_max > 1000
    with pytest.raises(ModelFolderError, match="its key v_pred says v_prediction"):
        open_single_file(file, "sdxl", "epsilon")


def test_another_family_is_named(models):
    with pytest.raises(ModelFolderError, match=r"is Stable Diffusion XL.* set family to 'sdxl'"):
        open_single_file(models("sdxl")[2], "sd")


@pytest.mark.parametrize(
    ("channels", "words"),
    [
        (9, "an inpainting model"),
        (8, "an instruct-pix2pix model"),
        (5, "a depth model"),
        (6, "of no known kind"),
    ],
)
def test_a_network_of_other_inputs_is_named(models, tmp_path, channels, words):
    keys = keys_of(models("sdxl")[1]) | {FIRST: torch.zeros(8, channels, 3, 3)}
    with pytest.raises(ModelFolderError, match=f"{words}: its UNet takes {channels} channels"):
        open_single_file(save_single(tmp_path / "other.safetensors", keys), "sdxl")


def test_the_refiner_of_sdxl_is_named(models, tmp_path):
    keys = {
        key.replace("embedders.1.model", "embedders.0.model"): weight
        for key, weight in keys_of(models("sdxl")[1]).items()
        if not key.startswith("conditioner.embedders.0.")
    }
    with pytest.raises(ModelFolderError, match="is the refiner of Stable Diffusion XL"):
        open_single_file(save_single(tmp_path / "refiner.safetensors", keys), "sdxl")


def test_a_broken_file_a_pickle_and_a_missing_file_are_refused_with_the_cure(models, tmp_path):
    cut = tmp_path / "cut.safetensors"
    cut.write_bytes(models("sd1")[2].read_bytes()[:5000])
    with pytest.raises(ModelFolderError, match=r"cut\.safetensors is broken"):
        open_single_file(cut, "sd")
    for name in ("model.ckpt", "model.pt"):
        (tmp_path / name).write_bytes(b"")
        with pytest.raises(ModelFolderError, match=r"a pickle, which can run code .* convert it"):
            find_checkpoint({"family": "sd", "source": str(tmp_path / name)})
    with pytest.raises(ModelFolderError, match="no such file; correct the column source"):
        find_checkpoint({"family": "sd", "source": "models/nowhere.safetensors"})


def test_an_exchanged_file_changes_the_state_and_ends_a_job(models, tmp_path):
    folder, pipeline, _ = models("sd1")
    file = save_single(tmp_path / "model.safetensors", keys_of(pipeline))
    row = {"family": "sd", "source": str(file), "configs": str(folder), "revision": ""}
    checkpoint = find_checkpoint(row)
    digests = {name: digest(path) for name, path in files_of(checkpoint).items()}
    assert "model.safetensors" in digests
    assert "configs/unet/config.json" in digests
    check_digests(checkpoint, digests)
    before = checkpoint_state(row)
    assert checkpoint_state(row) == before
    save_single(file, keys_of(pipeline) | {"betas": torch.zeros(3)})
    assert checkpoint_state(row) != before
    with pytest.raises(ModelFolderError, match=r"model\.safetensors is not the file .* checked"):
        check_digests(checkpoint, digests)


@pytest.mark.parametrize(
    ("configs", "part", "pad"),
    [("sd1", "tokenizer", 49407), ("sd2_v", "tokenizer", 0), ("sdxl", "tokenizer_2", 0)],
)
def test_the_vocabulary_is_clips_own(configs, part, pad, no_network):
    """open_clip has a tokenizer of its own, written apart from transformers'."""
    import open_clip

    tokenizer = clip_tokenizer(RESOURCES / configs, part)
    assert len(tokenizer) == 49_408
    captions = ["a red heart", "", "Van Gogh's café — déjà vu, 100%", "the the  THE", "日本"]
    theirs = open_clip.SimpleTokenizer()(captions)
    ours = tokenizer(
        captions, padding="max_length", max_length=77, truncation=True, return_tensors="pt"
    ).input_ids
    for a, b in zip(ours.tolist(), theirs.tolist(), strict=True):
        end = b.index(49_407) + 1
        assert a[:end] == b[:end]
        assert set(a[end:]) <= {pad}


def sparse_file(file: Path, shapes: dict[str, tuple[int, ...]]) -> Path:
    """A safetensors file of half precision zeros that takes no room on the disk: a header and a hole."""
    header, end = {}, 0
    for key, shape in shapes.items():
        size = 2 * int(torch.Size(shape).numel())
        header[key] = {"dtype": "F16", "shape": list(shape), "data_offsets": [end, end + size]}
        end += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with file.open("wb") as out:
        out.write(len(text).to_bytes(8, "little") + text)
        out.truncate(8 + len(text) + end)
    return file


@pytest.mark.parametrize(
    ("kind", "size"), [("sd1", 512), ("sd2_base", 512), ("sd2_v", 768), ("sdxl", 1024)]
)
def test_the_shipped_configs_fit_files_of_the_published_sizes(kind, size, tmp_path):
    """Sizes of the published models, by their counts of weights; no weight has a number here."""
    from types import SimpleNamespace

    from verbatim.models.weights import load_class

    sd = load_class("diffusers.UNet2DConditionModel")
    folder, parts = RESOURCES / kind, {}
    classes = {"unet": sd, "vae": load_class("diffusers.AutoencoderKL")}
    classes["text_encoder"] = load_class("transformers.CLIPTextModel")
    if kind == "sdxl":
        classes["text_encoder_2"] = load_class("transformers.CLIPTextModelWithProjection")
    for part, model in classes.items():
        config = json.loads((folder / part / "config.json").read_text())
        with torch.device("meta"):
            if part.startswith("text"):
                parts[part] = model(model.config_class.from_dict(config))
            else:
                parts[part] = model.from_config(config)
    counted = sum(p.numel() for p in parts["unet"].parameters())
    assert counted == {"sd1": 859_520_964, "sdxl": 2_567_463_684}.get(kind, 865_910_724)
    shapes = {key: tuple(w.shape) for key, w in keys_of(SimpleNamespace(**parts)).items()}
    file = sparse_file(tmp_path / "model.safetensors", shapes)
    said = {"sd2_base": "epsilon", "sd2_v": "v_prediction"}.get(kind, "")
    checkpoint = Checkpoint("sdxl" if kind == "sdxl" else "sd", file, prediction=said)
    check_checkpoint(checkpoint)
    from verbatim.models.checkpoint import _assemble

    denoiser, _ = _assemble(checkpoint, None, "meta")
    assert denoiser.size == size
    assert denoiser.prediction_type == ("v_prediction" if kind == "sd2_v" else "epsilon")
    assert denoiser.sigma_max == pytest.approx(14.6146, abs=1e-4)


def test_configs_are_for_a_single_file_alone(models):
    folder, _, file = models("sd1")
    row = {"family": "sd", "source": str(folder), "configs": str(folder)}
    with pytest.raises(ModelFolderError, match="a folder has its own; empty it"):
        find_checkpoint(row)
    assert load_file(file)


def test_a_folder_of_configs_that_lacks_a_part_is_named(models, tmp_path):
    folder, _, file = models("sd1")
    other = shutil.copytree(folder, tmp_path / "configs")
    (other / "vae/config.json").unlink()
    with pytest.raises(ModelFolderError, match=r"vae/config\.json is missing"):
        check_checkpoint(named("sd1", other, file))
