"""The embedded world's pixel model: DeepFloyd IF's stage I in small, saved as `IFPipeline`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DDPMScheduler, IFPipeline, UNet2DConditionModel
from transformers import T5EncoderModel

from verbatim.world.autoencoder import to_model
from verbatim.world.training import TrainingRun, draw_noised, high_noise_weight


def make_scheduler(
    sample_max_value: float = 1.5, prediction_type: str = "epsilon"
) -> DDPMScheduler:
    """IF's noise: squared-cosine betas, learned range of variances, dynamic thresholding.

    sample_max_value : bound of dynamic thresholding; 1.5 in stage I and 1.0 in stage II (diffusers,
        scripts/convert_if.py).
    prediction_type : IF predicts epsilon in both stages.
    """
    return DDPMScheduler(
        num_train_timesteps=1000,
        beta_schedule="squaredcos_cap_v2",
        variance_type="learned_range",
        prediction_type=prediction_type,
        thresholding=True,
        dynamic_thresholding_ratio=0.95,
        sample_max_value=sample_max_value,
        clip_sample=True,
    )


def make_unet(
    settings: dict[str, Any], size: int, text_width: int, **others: Any
) -> UNet2DConditionModel:
    """A small UNet that attends to captions below its first level, six output channels, random weights.

    Attention at the first level would cost more than all the rest.

    Parameters
    ----------
    settings : channels, one entry a level, and width, of the projected captions.
    size : side of its images, pixels. text_width : of the encoder's states.
    others : of diffusers' config, e.g. in_channels.
    """
    channels = list(settings["channels"])
    n = len(channels)
    config = {
        "sample_size": size,
        "in_channels": 3,
        "out_channels": 6,
        "block_out_channels": channels,
        "layers_per_block": 1,
        "down_block_types": ["DownBlock2D", *["CrossAttnDownBlock2D"] * (n - 1)],
        "up_block_types": [*["CrossAttnUpBlock2D"] * (n - 1), "UpBlock2D"],
        "cross_attention_dim": settings["width"],
        "encoder_hid_dim": text_width,
        "encoder_hid_dim_type": "text_proj",
        "attention_head_dim": 4,
        "norm_num_groups": 8,
    }
    return UNet2DConditionModel(**config | others)


def reduce_images(images: np.ndarray, times: int) -> np.ndarray:
    """Images reduced `times` by the mean of each square: uint8 (n, h, w, 3) to (n, h/times, w/times, 3)."""
    n, height, width, channels = images.shape
    squares = images.reshape(n, height // times, times, width // times, times, channels)
    return np.rint(squares.mean(axis=(2, 4), dtype=np.float32)).astype(np.uint8)


class Variance:
    """The loss of a learned range of variances: Nichol and Dhariwal 2021, eq. 15 and 16."""

    def __init__(self, scheduler: DDPMScheduler, device: str):
        abar, betas = scheduler.alphas_cumprod, scheduler.betas
        before = torch.cat([torch.ones(1), abar[:-1]])
        # the two ends between which the variance is learned: the posterior's and beta
        low = torch.log(betas * (1 - before) / (1 - abar))
        low[0] = low[1]
        ends = (low, torch.log(betas), betas, 1 - abar, 1 - betas)
        self._ends = [end.view(-1, 1, 1, 1).to(device) for end in ends]

    def loss(self, t: torch.Tensor, error: torch.Tensor, fraction: torch.Tensor) -> torch.Tensor:
        """0.001 of the KL divergence of the two Gaussians, in which only the variance learns.

        Parameters
        ----------
        t : (n,). error : of epsilon, without a gradient. fraction : the network's last channels.
        """
        t = t.to(error.device)
        low, high, beta, rest, alpha = (end[t] for end in self._ends)
        share = (fraction + 1) / 2
        log_model = share * high + (1 - share) * low
        gap = beta.square() / (alpha * rest) * error.square()
        kl = 0.5 * (log_model - low - 1 + torch.exp(low - log_model) + gap * torch.exp(-log_model))
        return 0.001 * kl[t > 0].sum() / max(1, kl.numel())


def train_pixel(
    unet: UNet2DConditionModel,
    images: np.ndarray,
    states: torch.Tensor,
    settings: dict[str, Any],
    run: TrainingRun,
) -> None:
    """Train in place: epsilon with more weight at high noise, and the variance.

    Parameters
    ----------
    images : uint8 (rows, h, w, 3).
    states : (rows + 1, tokens, width), the frozen encoder's of each row's caption, the empty one's last.
    settings : steps, batch, learning_rate, ema, p_empty.
    """
    scheduler = make_scheduler()
    abar, variance = scheduler.alphas_cumprod, Variance(scheduler, run.device)
    weight = high_noise_weight(abar)
    x_all = to_model(images)
    unet.train()
    trainer = run.trainer({"unet": unet}, settings, [settings, images, states])

    def loss_of(step: int, generator: torch.Generator) -> torch.Tensor:
        drawn = draw_noised(x_all, abar, settings, generator)
        t, noise = drawn.t, drawn.noise.to(run.device)
        out = unet(
            drawn.noisy.to(run.device), t.to(run.device), states[drawn.captions].to(run.device)
        ).sample
        eps, fraction = out.chunk(2, dim=1)
        error = noise - eps
        w = weight[t].view(-1, 1, 1, 1).to(run.device)
        return (w * error.square()).mean() + variance.loss(t, error.detach(), fraction)

    for state in trainer.run(loss_of):
        run.tell(*state)
    trainer.finish()


def save_pixel(
    folder: Path, unet: UNet2DConditionModel, text: T5EncoderModel, tokenizer: Any
) -> None:
    """Write an `IFPipeline` folder, safetensors, as the public checkpoint is laid out."""
    IFPipeline(
        tokenizer=tokenizer,
        text_encoder=text,
        unet=unet,
        scheduler=make_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        watermarker=None,
        requires_safety_checker=False,
    ).save_pretrained(folder, safe_serialization=True)
