"""A user's own CLIP folder: what cannot be read of it is named by file and key."""

import json
import shutil
from pathlib import Path

import pytest
from safetensors.torch import save_file

from tiny_models import CAPTIONS
from verbatim.models.clip import ClipEmbedder, ClipError, check_clip, clip_files

MODEL = {
    "embed_dim": 8,
    "vision_cfg": {"image_size": 16, "layers": 1, "width": 32, "head_width": 32, "patch_size": 8},
    "text_cfg": {"context_length": 12, "vocab_size": 600, "width": 32, "heads": 2, "layers": 1},
}
CONFIG = {"model_cfg": MODEL, "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3}}


@pytest.fixture(scope="module")
def sound(tmp_path_factory) -> Path:
    """A folder with random weights that can be loaded."""
    from open_clip import CLIP

    from verbatim.world.tokenizers import build_clip_tokenizer

    folder = tmp_path_factory.mktemp("clip")
    build_clip_tokenizer(CAPTIONS, folder, 12)
    save_file(CLIP(**MODEL).state_dict(), folder / "open_clip_model.safetensors")
    (folder / "open_clip_config.json").write_text(json.dumps(CONFIG))
    return folder


@pytest.fixture
def folder(sound, tmp_path) -> Path:
    return shutil.copytree(sound, tmp_path / "clip")


def write(folder: Path, key: str, value: object) -> None:
    """Change one key of the folder's config; None takes it away."""
    config = json.loads(json.dumps(CONFIG))
    *path, last = key.split(".")
    block = config
    for part in path:
        block = block[part]
    if value is None:
        del block[last]
    else:
        block[last] = value
    (folder / "open_clip_config.json").write_text(json.dumps(config))


def test_a_sound_folder_is_loaded(folder):
    assert ClipEmbedder(folder).embed_texts(CAPTIONS[:2]).shape == (2, 8)


def test_what_is_loaded_is_listed_and_nothing_beside_it_is_opened(folder):
    (folder / "open_clip_pytorch_model.bin").write_bytes(b"\x80\x04.")
    (folder / "tokenizer.py").write_text("raise SystemExit")
    check_clip(folder)
    assert clip_files(folder) == [
        "open_clip_config.json", "open_clip_model.safetensors", "tokenizer.json", "tokenizer_config.json",
    ]  # fmt: skip


@pytest.mark.parametrize("text", ["", "{", "\udcff", "[]", "null"])
def test_a_config_that_is_no_json_object_is_named(folder, text):
    path = folder / "open_clip_config.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(ClipError, match=f"{path}: (not JSON|'model_cfg.embed_dim' is missing)"):
        check_clip(folder)
    with pytest.raises(ClipError):
        ClipEmbedder(folder)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("model_cfg", None, "'model_cfg.embed_dim' is missing"),
        ("preprocess_cfg", None, "'preprocess_cfg.mean' is missing"),
        ("preprocess_cfg.std", [1, 2], "'preprocess_cfg.std' is .1, 2., not three numbers"),
        ("model_cfg.vision_cfg.image_size", [16, 8], "image_size' is .16, 8., not a whole number"),
        ("model_cfg.text_cfg", "CLIP", "'model_cfg.text_cfg.context_length' is missing"),
        (
            "model_cfg.text_cfg.hf_tokenizer_name",
            "a/b",
            "text_cfg.hf_tokenizer_name' is 'a/b', which",
        ),
        ("model_cfg.text_cfg.hf_model_name", "a/b", "text_cfg.hf_model_name' is 'a/b', which"),
        ("model_cfg.vision_cfg.timm_model_name", "a", "vision_cfg.timm_model_name' is 'a', which"),
        ("model_cfg.custom_text", True, "'model_cfg.custom_text' is True, which"),
        ("model_cfg.text_cfg.colour", 1, "cannot build `model_cfg` .*'colour'"),
        ("model_cfg.colour", 1, "cannot build `model_cfg` .*'colour'"),
    ],
)
def test_a_config_that_is_not_for_us_is_named_with_its_key_and_a_cure(folder, key, value, words):
    write(folder, key, value)
    path = folder / "open_clip_config.json"
    with pytest.raises(ClipError, match=f"{path}: .*{words}.*; inputs.clip must be"):
        check_clip(folder)
    with pytest.raises(ClipError):
        ClipEmbedder(folder)


def test_weights_of_another_model_and_broken_ones_are_named(folder):
    weights = folder / "open_clip_model.safetensors"
    write(folder, "model_cfg.embed_dim", 16)
    with pytest.raises(ClipError, match=f"{weights}: not the weights of `model_cfg`"):
        check_clip(folder)
    with pytest.raises(ClipError):
        ClipEmbedder(folder)
    write(folder, "model_cfg.embed_dim", 8)
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ClipError, match=f"{weights}: broken"):
        check_clip(folder)
    with pytest.raises(ClipError):
        ClipEmbedder(folder)


def test_a_missing_and_a_broken_tokenizer_are_named(folder):
    others = [path for path in folder.iterdir() if not path.name.startswith("open_clip")]
    for path in others:
        path.write_text("{}"[: path.stat().st_size // 2])
    with pytest.raises(ClipError, match=f"{folder}: its tokenizer cannot be read"):
        check_clip(folder)
    with pytest.raises(ClipError):
        ClipEmbedder(folder)
    for path in others:
        path.unlink()
    with pytest.raises(ClipError, match=f"{folder}: no tokenizer, neither tokenizer.json nor"):
        check_clip(folder)
    with pytest.raises(ClipError):
        ClipEmbedder(folder)
