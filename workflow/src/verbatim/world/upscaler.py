"""The embedded world's upscaler: DeepFloyd IF's stage II in small, saved as `IFSuperResolutionPipeline`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DDPMScheduler, IFSuperResolutionPipeline, UNet2DConditionModel
from torch.nn import functional as F

from verbatim.world.autoencoder import to_model
from verbatim.world.pixel_training import Variance, make_scheduler, make_unet
from verbatim.world.training import TrainingRun

# ASSUME: stage II predicts v (Salimans and Ho 2022) where IF predicts epsilon. At high noise the error of the image
# is sigma times that of epsilon, more than a training of minutes can make good; on a trial the images of an epsilon
# model were worse than the enlarged ones that it is given
PREDICTION = "v_prediction"
SAMPLE_MAX_VALUE = 1.0  # diffusers, scripts/convert_if.py, stage II


def make_noising_scheduler() -> DDPMScheduler:
    """The noise of conditioning augmentation: squared-cosine betas over 1,000 levels."""
    return DDPMScheduler(num_train_timesteps=1000, beta_schedule="squaredcos_cap_v2")


def make_upscaler(settings: dict[str, Any], size: int, text_width: int) -> UNet2DConditionModel:
    """Stage II's kind of UNet: noisy image and upscaled stage I in, told the noise level of the latter.

    It attends to captions at its last level alone: what it adds are edges, not things.
    """
    n = len(settings["channels"])
    return make_unet(
        settings,
        size,
        text_width,
        in_channels=6,
        class_embed_type="timestep",
        down_block_types=[*["DownBlock2D"] * (n - 1), "CrossAttnDownBlock2D"],
        up_block_types=["CrossAttnUpBlock2D", *["UpBlock2D"] * (n - 1)],
    )


def enlarge(images: torch.Tensor, size: int) -> torch.Tensor:
    """Stage I's images (n, 3, h, w) at stage II's size, as `IFSuperResolutionPipeline` enlarges them."""
    return F.interpolate(images, (size, size), mode="bilinear", align_corners=True)


def train_upscaler(
    unet: UNet2DConditionModel,
    images: tuple[np.ndarray, np.ndarray],
    states: torch.Tensor,
    settings: dict[str, Any],
    run: TrainingRun,
) -> None:
    """Train in place on crops of images and of their enlarged reductions.

    Ho et al. 2022, Cascaded diffusion models, section 4.2 (conditioning augmentation, its level drawn
    anew for each row); the network has no attention at its first levels, so crops teach it whole images.

    Parameters
    ----------
    images : uint8 (rows, h, w, 3), and the same reduced as stage I gives them.
    states : (rows + 1, tokens, width), as for `pixel.train_pixel`.
    settings : steps, batch, learning_rate, ema, p_empty; crop, side of a crop in pixels; levels, noise
        levels of the augmentation are drawn below it, of 1,000.
    """
    scheduler, noising = make_scheduler(SAMPLE_MAX_VALUE, PREDICTION), make_noising_scheduler()
    abar, variance = scheduler.alphas_cumprod, Variance(scheduler, run.device)
    large, small = (to_model(one) for one in images)
    size, crop = large.shape[-1], min(settings["crop"], large.shape[-1])
    unet.train()
    trainer = run.trainer({"unet": unet}, settings, [settings, *images, states])

    def loss_of(step: int, generator: torch.Generator) -> torch.Tensor:
        n = settings["batch"]
        rows = torch.randint(len(large), (n,), generator=generator)
        y, x = torch.randint(0, size - crop + 1, (2,), generator=generator).tolist()
        cut = (..., slice(y, y + crop), slice(x, x + crop))
        clean, low = large[rows][cut], enlarge(small[rows], size)[cut]
        t = ((torch.rand(n, generator=generator) + torch.arange(n)) / n * len(abar)).long()
        level = torch.randint(0, settings["levels"], (n,), generator=generator)
        noise, blur = (torch.randn(clean.shape, generator=generator) for _ in range(2))
        empty = torch.rand(n, generator=generator) < settings["p_empty"]
        captions = torch.where(empty, len(large), rows)
        noisy = scheduler.add_noise(clean, noise, t)
        low = noising.add_noise(low, blur, level)
        out = unet(
            torch.cat([noisy, low], dim=1).to(run.device),
            t.to(run.device),
            states[captions].to(run.device),
            class_labels=level.to(run.device),
        ).sample
        v, fraction = out.chunk(2, dim=1)
        error = scheduler.get_velocity(clean, noise, t).to(run.device) - v
        # the error of epsilon, which the variance is learned from, is sqrt(abar) times that of v
        signal = abar[t].sqrt().view(-1, 1, 1, 1).to(run.device)
        return error.square().mean() + variance.loss(t, (signal * error).detach(), fraction)

    for state in trainer.run(loss_of):
        run.tell(*state)
    trainer.finish()


def save_upscaler(folder: Path, unet: UNet2DConditionModel) -> None:
    """Write an `IFSuperResolutionPipeline` folder without a text encoder: stage I's states are reused."""
    IFSuperResolutionPipeline(
        tokenizer=None,
        text_encoder=None,
        unet=unet,
        scheduler=make_scheduler(SAMPLE_MAX_VALUE, PREDICTION),
        image_noising_scheduler=make_noising_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        watermarker=None,
        requires_safety_checker=False,
    ).save_pretrained(folder, safe_serialization=True)
