"""A CLIP of two steps, on disk: what the latent and the pixel model start from."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from tiny_models import CAPTIONS

SIZE = 16


@pytest.fixture(scope="session")
def made_images() -> np.ndarray:
    """As many images as captions: uint8 (10, 16, 16, 3)."""
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (len(CAPTIONS), SIZE, SIZE, 3), dtype=np.uint8)


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory: pytest.TempPathFactory, made_images) -> SimpleNamespace:
    """`folder` of a trained CLIP, and the `model`, `config` and `tokenizer` that it was saved from."""
    from verbatim.world.contrast import save_clip, train_clip
    from verbatim.world.tokenizers import build_clip_tokenizer
    from verbatim.world.training import TrainingRun

    folder: Path = tmp_path_factory.mktemp("world") / "clip"
    tokenizer = build_clip_tokenizer(CAPTIONS, folder, 12)
    settings = {"steps": 2, "batch": 8, "learning_rate": 1e-3, "width": 32, "embed_dim": 16}
    model, config = train_clip(made_images, CAPTIONS, tokenizer, settings, TrainingRun(3))
    save_clip(folder, model, config, folder)
    return SimpleNamespace(folder=folder, model=model, config=config, tokenizer=tokenizer)


@pytest.fixture(scope="session")
def tiny_vae(tmp_path_factory: pytest.TempPathFactory, made_images) -> Path:
    """The folder of an autoencoder that was trained for two steps."""
    from verbatim.world.autoencoder import train_autoencoder
    from verbatim.world.training import TrainingRun

    folder: Path = tmp_path_factory.mktemp("world") / "vae"
    train_autoencoder(made_images, VAE, TrainingRun(1)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def tiny_t5(tmp_path_factory: pytest.TempPathFactory, tiny_clip) -> Path:
    """A folder with a text encoder of two steps and its tokenizer, as the world has it."""
    from verbatim.world.contrast import text_encoder
    from verbatim.world.text_distillation import distil_text_encoder, make_text_encoder
    from verbatim.world.tokenizers import build_t5_tokenizer
    from verbatim.world.training import TrainingRun

    folder: Path = tmp_path_factory.mktemp("world") / "t5"
    tokenizer = build_t5_tokenizer(CAPTIONS, folder / "tokenizer", 12)
    text = make_text_encoder(tokenizer, 32)
    tower = (text_encoder(tiny_clip.folder), tiny_clip.tokenizer)
    settings = {"steps": 2, "batch": 8, "learning_rate": 1e-3, "ema": 0.9}
    distil_text_encoder(text, tokenizer, tower, CAPTIONS, settings, TrainingRun(4))
    text.save_pretrained(folder / "text_encoder")
    return folder


VAE = {
    "steps": 2, "batch": 4, "learning_rate": 1e-3, "channels": [8, 16], "latent_channels": 4,
    "crop": 8, "whole_steps": 1, "whole_learning_rate": 1e-3,
}  # fmt: skip
