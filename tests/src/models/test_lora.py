"""LoRA in the layouts of kohya and diffusers: merged by the formula, every key used or refused by name."""

import json
import re
import shutil

import pytest
import torch
from loras import ALPHA, RANK, layers_of, pair, save
from safetensors.torch import load_file
from tiny_pipelines import make_flux, make_sd3, make_sd_pipeline, make_sdxl

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
from verbatim.models.ldm_names import unet_names
from verbatim.models.lora import merge_lora, plan_lora, read_lora
from verbatim.whitebox.dcs import score_captions

pytestmark = pytest.mark.slow  # diffusers' whole pipelines are loaded, and made

FAMILY = {"sd": "sd", "sdxl": "sdxl", "sd3": "flow", "flux": "flow"}
MAKERS = {"sd": make_sd_pipeline, "sdxl": make_sdxl, "sd3": make_sd3, "flux": make_flux}
LINEAR, ONE, THREE = (
    ("attn1.to_q", "attn2.to_out.0", "ff.net.0.proj"),
    ("proj_in", "conv_shortcut"),
    ("conv1",),
)
TEXT = ("q_proj", "fc1")


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    made = {}

    def get(kind):
        if kind not in made:
            root = tmp_path_factory.mktemp("lora")
            made[kind] = root / "model", MAKERS[kind](root / "model", root)
        return made[kind]

    return get


def networks_of(pipeline):
    parts = ("unet", "transformer", "text_encoder", "text_encoder_2", "text_encoder_3")
    return {part: getattr(pipeline, part) for part in parts if getattr(pipeline, part, None)}


def chosen_layers(pipeline):
    """(part, module) -> layer: some of each sort."""
    networks, found = networks_of(pipeline), {}
    for part, network in networks.items():
        ends = TEXT if part.startswith("text") else (*LINEAR, *ONE, *THREE)
        if part != "text_encoder_3":
            found |= {(part, name): layer for name, layer in layers_of(network, *ends).items()}
    return found


def text_name(module):
    return module if module.startswith("text_model.") else f"text_model.{module}"


def peft_keys(pairs):
    keys = {}
    for (part, module), (down, up) in pairs.items():
        name = f"{part}.{text_name(module) if part.startswith('text') else module}"
        keys |= {f"{name}.lora_A.weight": down, f"{name}.lora_B.weight": up}
    return keys


def kohya_keys(pairs, pipeline, original):
    """kohya's names; original : the UNet's in the layout of the original code, as for SDXL."""
    begins = {"unet": "lora_unet_", "text_encoder": "lora_te_"}
    if hasattr(pipeline, "text_encoder_2"):
        begins |= {"text_encoder": "lora_te1_", "text_encoder_2": "lora_te2_"}
    names, keys = unet_names(pipeline.unet), {}
    for (part, module), (down, up) in pairs.items():
        name = text_name(module) if part.startswith("text") else module
        name = names[module] if original and part == "unet" else name
        begin = begins[part] + name.replace(".", "_")
        keys |= {f"{begin}.lora_down.weight": down, f"{begin}.lora_up.weight": up}
        keys[f"{begin}.alpha"] = torch.tensor(ALPHA)
    return keys


@pytest.fixture
def drawn(models):
    def get(kind):
        pipeline = models(kind)[1]
        layers = chosen_layers(pipeline)
        return (
            pipeline,
            layers,
            {place: pair(layer, i) for i, (place, layer) in enumerate(layers.items())},
        )

    return get


def check_merged(folder, kind, file, layers, pairs, factor, scale=1.0):
    """Every layer of the LoRA is W + factor (up down), to float rounding; every other weight is as it was."""
    checkpoint = Checkpoint(FAMILY[kind], folder, lora=file, lora_scale=scale)
    check_checkpoint(checkpoint)
    merged = load_checkpoint(checkpoint, "cpu")
    plain = load_checkpoint(Checkpoint(FAMILY[kind], folder), "cpu")
    changed = 0
    for ours, before in zip(merged.networks, plain.networks, strict=True):
        state = before.state_dict()
        for key, weight in ours.state_dict().items():
            place = next(
                (
                    (part, module)
                    for part, module in layers
                    if key == f"{module}.weight" and layers[part, module].weight.shape == weight.shape
                    and torch.equal(layers[part, module].weight, state[key])
                ),
                None,
            )  # fmt: skip
            if place is None:
                assert torch.equal(weight, state[key]), key
                continue
            down, up = pairs[place]
            change = (up.flatten(1) @ down.flatten(1)).view_as(weight)
            assert torch.allclose(
                weight, state[key] + scale * factor * change, atol=1e-6, rtol=1e-6
            )
            assert not torch.equal(weight, state[key])
            changed += 1
    assert changed == len(pairs)
    return merged, plain


@pytest.mark.parametrize("original", [False, True])
@pytest.mark.parametrize("kind", ["sd", "sdxl"])
def test_kohyas_keys_of_all_layers_and_encoders_are_merged(models, drawn, tmp_path, kind, original):
    pipeline, layers, pairs = drawn(kind)
    shapes = {tuple(layer.weight.shape[2:]) for layer in layers.values()}
    assert shapes == {(), (1, 1), (3, 3)}
    file = save(tmp_path / "mine.safetensors", kohya_keys(pairs, pipeline, original))
    merged, plain = check_merged(models(kind)[0], kind, file, layers, pairs, ALPHA / RANK, 0.5)
    scores = [
        next(iter(score_captions(d, CAPTIONS[:2], [0], 5.0, 2))).scores for d in (merged, plain)
    ]
    assert (scores[0]["dcs_reference"] != scores[1]["dcs_reference"]).all()


@pytest.mark.parametrize("kind", ["sd", "sdxl", "sd3", "flux"])
def test_the_keys_that_diffusers_writes_are_merged(models, drawn, tmp_path, kind):
    pipeline, layers, pairs = drawn(kind)
    networks = {part: {} for part, _ in pairs}
    for (part, module), (down, up) in pairs.items():
        networks[part] |= {f"{module}.lora_A.weight": down, f"{module}.lora_B.weight": up}
    main = "unet" if kind in ("sd", "sdxl") else "transformer"
    texts = {
        f"{part}_lora_layers": keys for part, keys in networks.items() if part.startswith("text")
    }
    type(pipeline).save_lora_weights(
        tmp_path, **{f"{main}_lora_layers": networks[main]}, **texts, safe_serialization=True
    )
    file = tmp_path / "pytorch_lora_weights.safetensors"
    assert len(load_file(file)) == 2 * len(pairs)
    check_merged(models(kind)[0], kind, file, layers, pairs, 1.0)


def test_rank_and_alpha_are_read_from_diffusers_metadata(models, drawn, tmp_path):
    pipeline, _layers, pairs = drawn("sd")
    pairs = {place: pair for place, pair in pairs.items() if place[0] == "unet"}
    module = next(module for _, module in pairs)
    said = {"unet.r": RANK, "unet.lora_alpha": 8, "unet.alpha_pattern": {module: 2}}
    file = save(
        tmp_path / "a.safetensors", peft_keys(pairs), lora_adapter_metadata=json.dumps(said)
    )
    updates = plan_lora(read_lora(file), networks_of(pipeline))
    factors = {update.module: update.factor for update in updates}
    assert factors.pop(module) == 2 / RANK
    assert set(factors.values()) == {8 / RANK}


def test_an_alpha_of_zero_means_the_rank_and_a_missing_one_too(drawn, tmp_path):
    pipeline, _, pairs = drawn("sd")
    keys = kohya_keys(pairs, pipeline, False)
    for change in ("zero", "missing"):
        some = {
            key: torch.tensor(0.0) if key.endswith(".alpha") else weight
            for key, weight in keys.items()
            if change == "zero" or not key.endswith(".alpha")
        }
        file = save(tmp_path / f"{change}.safetensors", some)
        updates = plan_lora(read_lora(file), networks_of(pipeline))
        assert {update.factor for update in updates} == {1.0}


def test_a_middle_weight_gives_what_the_three_convolutions_give_one_after_the_other(
    drawn, tmp_path
):
    pipeline, layers, _ = drawn("sd")
    place, layer = next(
        (place, layer) for place, layer in layers.items() if layer.weight.shape[2:] == (3, 3)
    )
    out, into = layer.weight.shape[:2]
    down, mid, up = (
        torch.randn(RANK, into, 1, 1),
        torch.randn(RANK, RANK, 3, 3),
        torch.randn(out, RANK, 1, 1),
    )
    begin = "lora_unet_" + place[1].replace(".", "_")
    keys = {f"{begin}.lora_{n}.weight": w for n, w in (("down", down), ("mid", mid), ("up", up))}
    lora = read_lora(save(tmp_path / "cp.safetensors", keys))
    networks = networks_of(pipeline)
    before = layer.weight.detach().clone()
    merge_lora(lora, plan_lora(lora, networks), networks, 2.0)
    change = layer.weight.detach() - before
    with torch.no_grad():
        layer.weight.copy_(before)
    x = torch.randn(1, into, 6, 6)
    conv = torch.nn.functional.conv2d
    step = conv(conv(conv(x, down), mid, padding=1), up)
    assert torch.allclose(conv(x, change, padding=1), 2.0 * step, atol=1e-3, rtol=1e-3)


def test_kohyas_names_of_sdxl_lead_to_the_modules_that_diffusers_finds(models, drawn, tmp_path):
    """diffusers' own reader renames the keys of the original layout; it needs peft only to use them."""
    pipeline, _, pairs = drawn("sdxl")
    file = save(tmp_path / "xl.safetensors", kohya_keys(pairs, pipeline, True))
    theirs, _ = type(pipeline).lora_state_dict(str(file), unet_config=pipeline.unet.config)
    found = {
        re.sub(
            r"\.processor\.(\w+?)_lora$", r".\1", key.removeprefix("unet.").removesuffix(".lora")
        )
        for key in (
            key.removesuffix(".down.weight") for key in theirs if key.endswith(".down.weight")
        )
        if key.startswith("unet.")
    }
    found = {re.sub(r"\.to_out$", ".to_out.0", name) for name in found}
    ours = {u.module for u in plan_lora(read_lora(file), networks_of(pipeline)) if u.part == "unet"}
    assert found == ours


def kohya(**keys):
    return {
        f"lora_unet_mid_block_attentions_0_proj_in.{k.replace('__', '.')}": w
        for k, w in keys.items()
    }


PLAIN = {"lora_down__weight": torch.zeros(2, 16, 1, 1), "lora_up__weight": torch.zeros(16, 2, 1, 1)}
REFUSED = {
    "LoHa": (kohya(hada_w1_a=torch.zeros(2, 2)), "is LoHa .*hada_w1_a"),
    "LoKr": (kohya(lokr_w1=torch.zeros(2, 2)), "is LoKr"),
    "DoRA": (kohya(**PLAIN, dora_scale=torch.zeros(16, 1)), "is DoRA .*dora_scale"),
    "OFT": (kohya(oft_blocks=torch.zeros(2, 2, 2)), "is OFT"),
    "a difference": (kohya(diff=torch.zeros(16, 16, 1, 1)), "is a full difference of weights"),
    "an embedding": ({"bundle_emb.cat.string_to_param.*": torch.zeros(1, 16)}, "embeddings in a bundle"),
    "another suffix": (kohya(**PLAIN, extra=torch.zeros(1)), r"the key .*\.extra is of no LoRA"),
    "no up": (kohya(lora_down__weight=torch.zeros(2, 16, 1, 1)), "stands without its up weight"),
    "no down": (kohya(lora_up__weight=torch.zeros(16, 2, 1, 1)), "stands without its down weight"),
    "another width": (
        kohya(lora_down__weight=torch.zeros(2, 24, 1, 1), lora_up__weight=torch.zeros(16, 2, 1, 1)),
        r"do not fit unet mid_block\.attentions\.0\.proj_in \[16, 16, 1, 1\], so the LoRA is of another base model",
    ),
    "unequal ranks": (
        kohya(lora_down__weight=torch.zeros(2, 16, 1, 1), lora_up__weight=torch.zeros(16, 3, 1, 1)),
        "do not fit unet",
    ),
    "an unknown module": (
        {"lora_unet_mid_block_attentions_9_proj_in.lora_down.weight": torch.zeros(2, 16)},
        "the model has no module for lora_unet_mid_block_attentions_9",
    ),
    "a rank of nothing": (
        kohya(lora_down__weight=torch.zeros(0, 16, 1, 1), lora_up__weight=torch.zeros(16, 0, 1, 1)),
        "do not fit",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_what_would_be_dropped_is_refused_by_name(models, tmp_path, case):
    keys, words = REFUSED[case]
    file = save(tmp_path / "bad.safetensors", keys)
    with pytest.raises(ModelFolderError, match=words) as refused:
        check_checkpoint(Checkpoint("sd", models("sd")[0], lora=file))
    assert str(file) in str(refused.value)


def test_a_lora_of_another_base_is_refused_by_its_first_module_and_says_what_its_file_says(
    models, drawn, tmp_path
):
    pipeline, _, pairs = drawn("sdxl")
    file = save(
        tmp_path / "xl.safetensors", kohya_keys(pairs, pipeline, True),
        ss_base_model_version="sdxl_base_v1-0",
    )  # fmt: skip
    with pytest.raises(
        ModelFolderError, match=r"no module for lora_te1_|do not fit .*sdxl_base_v1-0"
    ):
        check_checkpoint(Checkpoint("sd", models("sd")[0], lora=file))


def test_dora_in_the_metadata_is_refused(models, drawn, tmp_path):
    pairs = drawn("sd")[2]
    file = save(
        tmp_path / "dora.safetensors", peft_keys(pairs),
        lora_adapter_metadata=json.dumps({"unet.use_dora": True}),
    )  # fmt: skip
    with pytest.raises(ModelFolderError, match="is DoRA"):
        check_checkpoint(Checkpoint("sd", models("sd")[0], lora=file))


def test_half_precision_stays_and_an_exchanged_lora_is_noticed(models, drawn, tmp_path):
    pipeline, layers, pairs = drawn("sd")
    folder = models("sd")[0]
    file = save(tmp_path / "mine.safetensors", kohya_keys(pairs, pipeline, False))
    row = {
        "family": "sd",
        "source": str(folder),
        "lora": str(file),
        "lora_scale": "0.7",
        "revision": "",
    }
    checkpoint = find_checkpoint(row)
    assert checkpoint.lora_scale == 0.7
    half = load_checkpoint(checkpoint, "cpu", "float16", "offload")
    assert {p.dtype for network in half.networks for p in network.parameters()} == {torch.float16}
    full = load_checkpoint(checkpoint, "cpu")
    (part, module), _layer = next(iter(layers.items()))
    assert part == "unet"
    weights = [d.unet.get_submodule(module).weight.float() for d in (half, full)]
    assert torch.allclose(*weights, atol=1e-3)
    digests = {name: digest(path) for name, path in files_of(checkpoint).items()}
    assert "lora/mine.safetensors" in digests
    check_digests(checkpoint, digests)
    before = checkpoint_state(row)
    save(file, {key: 2 * weight for key, weight in kohya_keys(pairs, pipeline, False).items()})
    assert checkpoint_state(row) != before
    with pytest.raises(ModelFolderError, match=r"lora/mine\.safetensors is not the file"):
        check_digests(checkpoint, digests)
    shutil.copy(file, tmp_path / "mine.pt")
    with pytest.raises(ModelFolderError, match="the column lora names a pickle"):
        find_checkpoint(row | {"lora": str(tmp_path / "mine.pt")})
