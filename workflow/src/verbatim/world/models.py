"""Trains one model of the embedded world, whichever its family, and puts its folder into place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from verbatim.io.atomic import new_folder
from verbatim.io.seals import check_folder, seal_folder
from verbatim.world import latent, pixel
from verbatim.world.autoencoder import encode
from verbatim.world.contrast import text_encoder
from verbatim.world.tokenizers import build_t5_tokenizer


def train_model(
    family: str,
    pictures: np.ndarray,
    captions: list[str],
    settings: dict[str, Any],
    seed: int,
    folder: Path,
    clip: Path,
    vae: Path | None,
    init: Path | None,
    device: str,
    checkpoint: Path,
    every: int,
    tell: Callable[[int, float, float, float], None],
) -> None:
    """Train on (pictures, captions), row by row, and save a diffusers pipeline to `folder`.

    Parameters
    ----------
    family : "sd" (latent, needs `vae`) or "if" (pixels)
    pictures : uint8 (rows, h, w, 3); captions of the same rows
    clip : the world's CLIP; a latent model's text encoder starts as its text tower
    init : a trained model of the same family to go on from (fine-tuning)
    """
    torch.manual_seed(seed)
    for trained in filter(None, (clip, vae, init)):
        check_folder(trained)
    with new_folder(folder) as part:
        common = (captions, settings, seed, device, checkpoint, every, tell)
        if family == "sd":
            assert vae is not None
            autoencoder = AutoencoderKL.from_pretrained(vae, use_safetensors=True).eval()
            latents = encode(autoencoder, pictures) * autoencoder.config.scaling_factor
            tokenizer = CLIPTokenizer.from_pretrained(clip, local_files_only=True)
            if init is None:
                text = text_encoder(clip)
                unet = latent.make_unet(
                    settings, latents.shape[1], latents.shape[2], text.config.hidden_size
                )
            else:
                text = CLIPTextModel.from_pretrained(init / "text_encoder", use_safetensors=True)
                unet = UNet2DConditionModel.from_pretrained(init / "unet", use_safetensors=True)
            latent.train_latent(unet, text, tokenizer, latents, *common)
            latent.save_latent(part, unet, text, tokenizer, autoencoder)
        elif family == "if":
            known = CLIPTokenizer.from_pretrained(clip, local_files_only=True)
            words = {w for w in (t.removesuffix("</w>") for t in known.get_vocab()) if w.isascii()}
            tokenizer = build_t5_tokenizer(
                sorted({*(c.lower().strip() for c in captions), *words}), part / "tokenizer", 16
            )
            unet, text = pixel.make_networks(tokenizer, settings, pictures.shape[1])
            pixel.train_pixel(unet, text, tokenizer, pictures, *common)
            pixel.save_pixel(part, unet, text, tokenizer)
        else:
            raise ValueError(f"family {family!r} cannot be trained here; only 'sd' and 'if'")
        seal_folder(part)
