"""The embedded world's pixel model: DeepFloyd IF's stage I in small, saved as `IFPipeline`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import DDPMScheduler, IFPipeline, UNet2DConditionModel
from transformers import T5Config, T5EncoderModel

from verbatim.world.autoencoder import to_model
from verbatim.world.training import Trainer, draw_noised

Tell = Callable[[int, float, float, float], None]


def make_scheduler() -> DDPMScheduler:
    """IF's noise: squared-cosine betas, epsilon prediction, learned range of variances, thresholding."""
    return DDPMScheduler(
        num_train_timesteps=1000,
        beta_schedule="squaredcos_cap_v2",
        variance_type="learned_range",
        prediction_type="epsilon",
        thresholding=True,
        dynamic_thresholding_ratio=0.95,
        sample_max_value=1.5,
        clip_sample=True,
    )


def make_networks(
    tokenizer: Any, settings: dict[str, Any], size: int
) -> tuple[UNet2DConditionModel, T5EncoderModel]:
    """IF's kind of UNet (simple cross attention, six output channels) and a two-layer T5 encoder."""
    width = settings["width"]
    text = T5EncoderModel(
        T5Config(
            vocab_size=len(tokenizer),
            d_model=width,
            d_kv=width // 4,
            d_ff=2 * width,
            num_layers=2,
            num_heads=4,
            dropout_rate=0.0,
            feed_forward_proj="gated-gelu",
            pad_token_id=tokenizer.pad_token_id,
        )
    )
    channels = list(settings["channels"])
    n = len(channels)
    unet = UNet2DConditionModel(
        sample_size=size,
        in_channels=3,
        out_channels=6,
        block_out_channels=channels,
        layers_per_block=1,
        # attention at the lower resolutions only: at the first it would cost more than all the rest
        down_block_types=["ResnetDownsampleBlock2D", *["SimpleCrossAttnDownBlock2D"] * (n - 1)],
        mid_block_type="UNetMidBlock2DSimpleCrossAttn",
        up_block_types=[*["SimpleCrossAttnUpBlock2D"] * (n - 1), "ResnetUpsampleBlock2D"],
        cross_attention_dim=width,
        encoder_hid_dim=width,
        encoder_hid_dim_type="text_proj",
        attention_head_dim=16,
        norm_num_groups=8,
        resnet_time_scale_shift="scale_shift",
        act_fn="gelu",
    )
    return unet, text


def tokenize(tokenizer: Any, captions: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and attention mask, (n, model_max_length) each; captions cleaned as IFPipeline does."""
    got = tokenizer(
        [caption.lower().strip() for caption in captions],
        padding="max_length",
        max_length=tokenizer.model_max_length,
        truncation=True,
        return_tensors="pt",
    )
    return got.input_ids, got.attention_mask


def train_pixel(
    unet: UNet2DConditionModel,
    text: T5EncoderModel,
    tokenizer: Any,
    pictures: np.ndarray,
    captions: list[str],
    settings: dict[str, Any],
    seed: int,
    device: str = "cpu",
    checkpoint: Path | None = None,
    every: int = 200,
    tell: Tell = lambda *_: None,
) -> None:
    """Train in place: epsilon, and the variance by Nichol and Dhariwal 2021, eq. 15 and 16.

    Parameters
    ----------
    pictures : uint8 (rows, h, w, 3); captions : of the same rows
    """
    scheduler = make_scheduler()
    abar = scheduler.alphas_cumprod
    before = torch.cat([torch.ones(1), abar[:-1]])
    betas = scheduler.betas
    # the two ends between which the variance is learned: the posterior's and beta
    low = torch.log(betas * (1 - before) / (1 - abar))
    low[0] = low[1]
    high = torch.log(betas)
    tokens, mask = tokenize(tokenizer, [*captions, ""])
    x_all = to_model(pictures)
    unet.train()
    text.train()
    trainer = Trainer(
        {"unet": unet, "text": text}, settings["steps"], settings["learning_rate"], seed,
        settings["ema"], device, checkpoint, every, [settings, pictures, tokens],
    )  # fmt: skip

    def loss_of(step: int, generator: torch.Generator) -> torch.Tensor:
        drawn = draw_noised(x_all, abar, settings, generator)
        t, noise, mine = drawn.t, drawn.noise.to(device), drawn.captions
        hidden = text(tokens[mine].to(device), attention_mask=mask[mine].to(device))
        # as IFPipeline calls it: without a mask
        out = unet(drawn.noisy.to(device), t.to(device), hidden.last_hidden_state).sample
        eps, fraction = out.chunk(2, dim=1)
        # KL of the two Gaussians, their means a function of epsilon; only the variance learns from it
        share = (fraction + 1) / 2
        at = [v[t].view(-1, 1, 1, 1).to(device) for v in (low, high, betas, 1 - abar, 1 - betas)]
        log_model = share * at[1] + (1 - share) * at[0]
        gap = at[2].square() / (at[4] * at[3]) * (noise - eps.detach()).square()
        kl = 0.5 * (
            log_model - at[0] - 1 + torch.exp(at[0] - log_model) + gap * torch.exp(-log_model)
        )
        # 0.001: Nichol and Dhariwal 2021, eq. 16
        return torch.nn.functional.mse_loss(eps, noise) + 0.001 * kl[t > 0].mean()

    for state in trainer.run(loss_of):
        tell(*state)
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
