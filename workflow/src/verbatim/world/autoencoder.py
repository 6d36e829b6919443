"""The VAE that the embedded world's latent models share: diffusers' `AutoencoderKL`, trained here."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from diffusers import AutoencoderKL

from verbatim.io.seals import check_folder
from verbatim.world.training import TrainingRun

EMA = 0.99  # ASSUME: decay of the average of the weights


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


def checkpoint_parts(checkpoint: Path) -> list[Path]:
    """Where `train_autoencoder` keeps its two parts' states."""
    return [checkpoint.with_name(f"{checkpoint.stem}-{part}{checkpoint.suffix}") for part in (0, 1)]


def to_model(images: np.ndarray) -> torch.Tensor:
    """uint8 (n, h, w, 3) to float32 (n, 3, h, w) in [-1, 1], what a VAE takes."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).float().div_(127.5).sub_(1.0)


def train_autoencoder(
    images: np.ndarray, settings: dict[str, Any], run: TrainingRun
) -> AutoencoderKL:
    """Train on images, each as often as any other: L1 + L2, and hardly any KL.

    First on random crops, which are a fraction of the work and teach all but the frame's border, then
    on whole images.

    Parameters
    ----------
    images : uint8 (n, h, w, 3)
    settings : channels, latent_channels, batch; steps, crop (pixels of a side) and learning_rate of the crops;
        whole_steps, and whole_learning_rate, of the whole images
    run : its steps count on over both parts, its checkpoint is one file a part (`checkpoint_parts`)

    Returns
    -------
    The VAE, its `scaling_factor` set so that latents have unit variance.
    """
    torch.manual_seed(run.seed)
    vae = make_autoencoder(settings)
    size = images.shape[1]
    parts = [
        (settings["steps"], min(settings["crop"], size), settings["learning_rate"]),
        (settings["whole_steps"], size, settings["whole_learning_rate"]),
    ]
    done = 0
    for part, (steps, crop, rate) in enumerate(parts):
        vae.train().to(memory_format=torch.channels_last)
        file = None if run.checkpoint is None else checkpoint_parts(run.checkpoint)[part]
        own = replace(run, seed=run.seed + part, checkpoint=file)
        trainer = own.trainer(
            {"vae": vae},
            {"steps": steps, "learning_rate": rate, "ema": EMA},
            [settings, images],
        )

        def loss_of(step: int, generator: torch.Generator, crop: int = crop) -> torch.Tensor:
            index = torch.randint(len(images), (settings["batch"],), generator=generator)
            top, left = torch.randint(0, size - crop + 1, (2,), generator=generator).tolist()
            some = images[index.numpy(), top : top + crop, left : left + crop]
            return _loss(vae, to_model(some), generator, run.device)

        for step, *state in trainer.run(loss_of):
            run.tell(done + step, *state)
        trainer.finish()
        done += steps
    with torch.no_grad():
        sample = torch.cat(
            [encode(vae, images[i : i + 256]) for i in range(0, min(len(images), 1024), 256)]
        )
    vae.register_to_config(scaling_factor=1.0 / float(sample.std()))
    return vae


def _loss(
    vae: AutoencoderKL, x: torch.Tensor, generator: torch.Generator, device: str
) -> torch.Tensor:
    """Error of giving images (n, 3, h, w) in [-1, 1] back."""
    x = x.to(device, memory_format=torch.channels_last)
    latents = vae.encode(x).latent_dist.mean
    # a little noise on the latents, so that the decoder forgives a denoiser's small errors
    noise = torch.randn(latents.shape, generator=generator).to(device)
    error = vae.decode(latents + 0.05 * noise).sample - x
    return error.abs().mean() + error.square().mean() + 1e-4 * latents.square().mean()


@torch.no_grad()
def encode(vae: AutoencoderKL, images: np.ndarray, batch: int = 256) -> torch.Tensor:
    """Means of the latents of uint8 images (n, h, w, 3), not scaled: (n, c, h', w')."""
    return torch.cat(
        [
            vae.encode(to_model(images[i : i + batch])).latent_dist.mean
            for i in range(0, len(images), batch)
        ]
    )


def load_latents(folder: Path, images: np.ndarray) -> tuple[AutoencoderKL, torch.Tensor]:
    """The VAE of a sealed folder, and the latents of uint8 images (n, h, w, 3) scaled to unit variance: (n, c, h', w')."""
    check_folder(folder)
    vae = AutoencoderKL.from_pretrained(folder, use_safetensors=True).eval()
    return vae, encode(vae, images) * vae.config.scaling_factor


@torch.no_grad()
def reconstruction_rmse(vae: AutoencoderKL, images: np.ndarray, batch: int = 256) -> np.ndarray:
    """Root mean square error of encoding and decoding each image, pixels in [0, 1]; (n,)."""
    errors = []
    for i in range(0, len(images), batch):
        x = to_model(images[i : i + batch])
        y = vae.decode(vae.encode(x).latent_dist.mean).sample.clamp(-1, 1)
        errors.append(((y - x) / 2).square().mean(dim=(1, 2, 3)).sqrt())
    return torch.cat(errors).numpy()
