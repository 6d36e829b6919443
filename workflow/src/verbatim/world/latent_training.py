"""Latent diffusion models of the embedded world: trained here, saved as `StableDiffusionPipeline`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from diffusers import AutoencoderKL, DDPMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextModel, CLIPTokenizer

from verbatim.world.training import TrainingRun, draw_noised


def make_scheduler() -> DDPMScheduler:
    """Stable Diffusion 1's noise: 1,000 steps, scaled-linear betas, epsilon prediction."""
    return DDPMScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=False,
        steps_offset=1,
    )


def make_unet(
    settings: dict[str, Any], latent_channels: int, latent_size: int, text_width: int
) -> UNet2DConditionModel:
    """A small UNet with cross attention at every level but the first, random weights.

    At the first level attention would cost more than all the rest.
    """
    channels = list(settings["channels"])
    n = len(channels)
    return UNet2DConditionModel(
        sample_size=latent_size,
        in_channels=latent_channels,
        out_channels=latent_channels,
        block_out_channels=channels,
        layers_per_block=1,
        down_block_types=["DownBlock2D", *["CrossAttnDownBlock2D"] * (n - 1)],
        up_block_types=[*["CrossAttnUpBlock2D"] * (n - 1), "UpBlock2D"],
        cross_attention_dim=text_width,
        attention_head_dim=4,
        norm_num_groups=8,
    )


def tokenize(tokenizer: CLIPTokenizer, captions: list[str]) -> torch.Tensor:
    """Token ids (n, model_max_length), padded and cut."""
    return tokenizer(
        captions,
        padding="max_length",
        max_length=tokenizer.model_max_length,
        truncation=True,
        return_tensors="pt",
    ).input_ids


def train_latent(
    unet: UNet2DConditionModel,
    text: CLIPTextModel,
    tokenizer: CLIPTokenizer,
    data: tuple[torch.Tensor, list[str]],
    settings: dict[str, Any],
    run: TrainingRun,
) -> None:
    """Train `unet` and `text` in place on scaled latents, every row of the training set as often.

    Ho et al. 2020, eq. 14 (epsilon); Ho and Salimans 2022 (captions dropped, for guidance).

    Parameters
    ----------
    data : latents (rows, c, h, w), scaled to unit variance, and the captions of the same rows
    settings : steps, batch, learning_rate, ema, p_empty
    """
    latents, captions = data
    scheduler = make_scheduler()
    abar = scheduler.alphas_cumprod
    # An error of epsilon is sigma times as large in the image (14.6 at the end, where one-step images
    # come from), and a short training leaves it there: so weigh it by sigma above 1, half way to the
    # truncated weights of Salimans and Ho 2022, section 4, whose sigma^2 costs full generations
    weight = ((1 - abar) / abar).sqrt().clamp(min=1.0)
    tokens = tokenize(tokenizer, [*captions, ""])
    unet.train()
    text.train()
    trainer = run.trainer({"unet": unet, "text": text}, settings, [settings, latents, tokens])
    device = run.device

    def loss_of(step: int, generator: torch.Generator) -> torch.Tensor:
        drawn = draw_noised(latents, abar, settings, generator)
        ids = tokens[drawn.captions].to(device)
        states = text(ids).last_hidden_state
        out = unet(drawn.noisy.to(device), drawn.t.to(device), states).sample
        error = (out - drawn.noise.to(device)).square().mean(dim=(1, 2, 3))
        return (error * weight[drawn.t].to(device)).mean()

    for state in trainer.run(loss_of):
        run.tell(*state)
    trainer.finish()


def save_latent(
    folder: Path,
    unet: UNet2DConditionModel,
    text: CLIPTextModel,
    tokenizer: CLIPTokenizer,
    vae: AutoencoderKL,
) -> None:
    """Write a `StableDiffusionPipeline` folder, safetensors, as public checkpoints are laid out."""
    StableDiffusionPipeline(
        vae=vae,
        text_encoder=text,
        tokenizer=tokenizer,
        unet=unet,
        scheduler=make_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder, safe_serialization=True)
