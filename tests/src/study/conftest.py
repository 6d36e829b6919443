"""CLIPs for what needs one: with random weights, and of two steps."""

import json
from pathlib import Path

import made_study
import pytest

MODEL = {
    "embed_dim": 8,
    "vision_cfg": {"image_size": 16, "layers": 1, "width": 32, "head_width": 32, "patch_size": 8},
    "text_cfg": {"context_length": 12, "vocab_size": 600, "width": 32, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory) -> Path:
    import torch
    from open_clip import CLIP
    from safetensors.torch import save_file

    from tiny_models import CAPTIONS
    from verbatim.world.tokenizers import build_clip_tokenizer

    folder = tmp_path_factory.mktemp("clip")
    build_clip_tokenizer(CAPTIONS, folder, 12)
    torch.manual_seed(0)
    save_file(CLIP(**MODEL).state_dict(), folder / "open_clip_model.safetensors")
    config = {"model_cfg": MODEL, "preprocess_cfg": {"mean": [0.5] * 3, "std": [0.5] * 3}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="session")
def study_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a CLIP of two steps; not to be written to."""
    return made_study.make_clip(tmp_path_factory.mktemp("study") / "clip")
