"""Trains one model of the embedded world, whichever its family, and puts its folder into place."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer, T5EncoderModel, T5Tokenizer

from verbatim.io.atomic import new_folder
from verbatim.io.seals import check_folder, seal_folder
from verbatim.world import latent_training, pixel_training, upscaler
from verbatim.world.autoencoder import encode
from verbatim.world.contrast import text_encoder
from verbatim.world.text_distillation import encode_captions
from verbatim.world.training import TrainingRun


@dataclass(frozen=True)
class Origins:
    """Trained folders that a model is made from.

    clip : the world's CLIP; a latent model's text encoder starts as its text tower.
    vae : of the latent models; a model of family "sd" needs it.
    init : a trained model of the same family to go on from (fine-tuning).
    text : the frozen text encoder and its tokenizer; a pixel model needs it.
    """

    clip: Path
    vae: Path | None = None
    init: Path | None = None
    text: Path | None = None

    def check(self) -> None:
        """Raise DamagedError if a folder is not what was written."""
        for folder in filter(None, (self.clip, self.vae, self.init, self.text)):
            check_folder(folder)


def train_model(
    family: str,
    data: tuple[np.ndarray, list[str]],
    settings: dict[str, Any],
    origins: Origins,
    folder: Path,
    run: TrainingRun,
) -> None:
    """Train on images and their captions, row by row, and save a diffusers pipeline to `folder`.

    Parameters
    ----------
    family : "sd" (latent) or "if" (pixels)
    data : images, uint8 (rows, h, w, 3), and the captions of the same rows
    """
    torch.manual_seed(run.seed)
    origins.check()
    images, captions = data
    clip, vae, init, text = origins.clip, origins.vae, origins.init, origins.text
    with new_folder(folder) as part:
        if family == "sd":
            assert vae is not None
            autoencoder = AutoencoderKL.from_pretrained(vae, use_safetensors=True).eval()
            latents = encode(autoencoder, images) * autoencoder.config.scaling_factor
            tokenizer = CLIPTokenizer.from_pretrained(clip, local_files_only=True)
            if init is None:
                tower = text_encoder(clip)
                unet = latent_training.make_unet(
                    settings, latents.shape[1], latents.shape[2], tower.config.hidden_size
                )
            else:
                tower = CLIPTextModel.from_pretrained(init / "text_encoder", use_safetensors=True)
                unet = UNet2DConditionModel.from_pretrained(init / "unet", use_safetensors=True)
            latent_training.train_latent(unet, tower, tokenizer, (latents, captions), settings, run)
            latent_training.save_latent(part, unet, tower, tokenizer, autoencoder)
        elif family == "if":
            assert text is not None
            t5, t5_tokenizer = load_text(text)
            small = pixel_training.reduce_images(images, settings["reduction"])
            unet = pixel_training.make_unet(settings, small.shape[1], t5.config.d_model)
            states = encode_captions(t5, t5_tokenizer, [*captions, ""])
            pixel_training.train_pixel(unet, small, states, settings, run)
            pixel_training.save_pixel(part, unet, t5, t5_tokenizer)
        else:
            raise ValueError(f"family {family!r} cannot be trained here; only 'sd' and 'if'")
        seal_folder(part)


def load_text(folder: Path) -> tuple[T5EncoderModel, T5Tokenizer]:
    """The frozen text encoder of the pixel models and its tokenizer, of a folder that holds both."""
    text = T5EncoderModel.from_pretrained(folder / "text_encoder", use_safetensors=True)
    tokenizer = T5Tokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
    return text.eval().requires_grad_(False), tokenizer


def train_second_stage(
    data: tuple[np.ndarray, list[str]],
    settings: dict[str, Any],
    reduction: int,
    text: Path,
    folder: Path,
    run: TrainingRun,
) -> None:
    """Train the second stage of a pixel model and save an `IFSuperResolutionPipeline` to `folder`.

    Parameters
    ----------
    data : images, uint8 (rows, h, w, 3), and the captions of the same rows: those of its first stage
    reduction : how many times smaller the first stage's images are
    text : as for `train_model`
    """
    torch.manual_seed(run.seed)
    images, captions = data
    t5, tokenizer = load_text(text)
    unet = upscaler.make_upscaler(settings, images.shape[1], t5.config.d_model)
    states = encode_captions(t5, tokenizer, [*captions, ""])
    pairs = (images, pixel_training.reduce_images(images, reduction))
    upscaler.train_upscaler(unet, pairs, states, settings, run)
    with new_folder(folder) as part:
        upscaler.save_upscaler(part, unet)
        seal_folder(part)
