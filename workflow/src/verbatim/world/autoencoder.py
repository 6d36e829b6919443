"""The VAE that the embedded world's latent models share: diffusers' `AutoencoderKL`, trained here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL

from verbatim.world.training import Trainer


def make_autoencoder(settings: dict[str, Any]) -> AutoencoderKL:
    """`AutoencoderKL` with one layer a level; `channels` has one entry a level, each halves the size."""
    channels = list(settings["channels"])
    n = len(channels)
    vae = AutoencoderKL(
        down_block_types=["DownEncoderBlock2D"] * n,
        up_block_types=["UpDecoderBlock2D"] * n,
        block_out_channels=channels,
        layers_per_block=1,
        latent_channels=settings["latent_channels"],
        norm_num_groups=8,
        mid_block_add_attention=False,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )
    # every residual branch starts at zero: the skip paths alone are nearly linear, and a linear code of
    # 4 x 4 pixels is already a good start
    for name, module in vae.named_modules():
        if name.endswith("conv2"):
            torch.nn.init.zeros_(module.weight)
            torch.nn.init.zeros_(module.bias)
    return vae


def to_model(pictures: np.ndarray) -> torch.Tensor:
    """uint8 (n, h, w, 3) to float32 (n, 3, h, w) in [-1, 1], what a VAE takes."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)


def train_autoencoder(
    pictures: np.ndarray,
    settings: dict[str, Any],
    seed: int,
    device: str = "cpu",
    checkpoint: Path | None = None,
    every: int = 200,
    tell: Callable[[int, float, float, float], None] = lambda *_: None,
) -> AutoencoderKL:
    """Train on pictures, each as often as any other: L1 + L2, and hardly any KL.

    Parameters
    ----------
    pictures : uint8 (n, h, w, 3)
    tell : called with (step, loss, learning rate, seconds) after each step

    Returns
    -------
    The VAE, its `scaling_factor` set so that latents have unit variance.
    """
    torch.manual_seed(seed)
    vae = make_autoencoder(settings).train().to(memory_format=torch.channels_last)
    trainer = Trainer(
        {"vae": vae},
        settings["steps"],
        settings["learning_rate"],
        seed,
        0.99,
        device,
        checkpoint,
        every,
        [settings, pictures],
    )

    def loss_of(step: int, generator: torch.Generator) -> torch.Tensor:
        index = torch.randint(len(pictures), (settings["batch"],), generator=generator)
        x = to_model(pictures[index.numpy()]).to(device, memory_format=torch.channels_last)
        latents = vae.encode(x).latent_dist
        # a little noise on the latents, so that the decoder forgives a denoiser's small errors
        noise = torch.randn(latents.mean.shape, generator=generator).to(device)
        y = vae.decode(latents.mean + 0.05 * noise).sample
        error = y - x
        kl = latents.mean.square().mean()
        return error.abs().mean() + error.square().mean() + 1e-4 * kl

    for state in trainer.run(loss_of):
        tell(*state)
    trainer.finish()
    with torch.no_grad():
        sample = torch.cat(
            [encode(vae, pictures[i : i + 256]) for i in range(0, min(len(pictures), 2048), 256)]
        )
    vae.register_to_config(scaling_factor=1.0 / float(sample.std()))
    return vae


@torch.no_grad()
def encode(vae: AutoencoderKL, pictures: np.ndarray, batch: int = 256) -> torch.Tensor:
    """Means of the latents of uint8 pictures (n, h, w, 3), not scaled: (n, c, h', w')."""
    return torch.cat(
        [
            vae.encode(to_model(pictures[i : i + batch])).latent_dist.mean
            for i in range(0, len(pictures), batch)
        ]
    )


@torch.no_grad()
def reconstruction_rmse(vae: AutoencoderKL, pictures: np.ndarray, batch: int = 256) -> np.ndarray:
    """Root mean square error of encoding and decoding each picture, pixels in [0, 1]; (n,)."""
    errors = []
    for i in range(0, len(pictures), batch):
        x = to_model(pictures[i : i + batch])
        y = vae.decode(vae.encode(x).latent_dist.mean).sample.clamp(-1, 1)
        errors.append(((y - x) / 2).square().mean(dim=(1, 2, 3)).sqrt())
    return torch.cat(errors).numpy()
