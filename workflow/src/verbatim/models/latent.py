"""Stable Diffusion: diffusion in the latent space of an autoencoder, conditioned on a CLIP text encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from verbatim.models.denoiser import Condition, Denoiser
from verbatim.models.fitting import Fitting

# ASSUME: pixels that a processor decodes together. 16 images of 64 pixels at a time took three quarters of the time of 64, since
# what lies between two layers then stays in its cache
CACHED_PIXELS = 2**16


class AutoencoderDenoiser(Denoiser):
    """A `Denoiser` in the latent of a diffusers AutoencoderKL: what its families share is how they decode.

    Rombach et al. 2022. A latent z is decoded as z / scale + shift (scaling_factor and shift_factor of the VAE's
    config), or as z * std / scale + mean where the config has latents_mean and latents_std.
    """

    vae: Any
    scale: float
    shift: torch.Tensor
    spread: torch.Tensor | None

    def set_vae(self, vae: Any, device: str) -> None:
        config = vae.config
        # its convolutions take two thirds of the time in this layout on a CPU; the UNet's do not
        vae.to(memory_format=torch.channels_last)
        self.vae, self.scale = vae, float(config.scaling_factor)
        self._decoding = Fitting("decoder")
        mean, std = (getattr(config, f"latents_{name}", None) for name in ("mean", "std"))
        if mean is None or std is None:
            mean, std = [getattr(config, "shift_factor", None) or 0.0], None
        self.shift = torch.tensor(mean, dtype=torch.float32).view(1, -1, 1, 1)
        self.spread = (
            None if std is None else torch.tensor(std, dtype=torch.float32).view(1, -1, 1, 1)
        )

    def decode(self, x0: torch.Tensor) -> torch.Tensor:
        return self._decode(x0, self.dtype)

    def decode_in_float32(self, x0: torch.Tensor) -> torch.Tensor:
        if self.dtype == torch.float32:
            return self.decode(x0)
        # torch's own `to`: diffusers' warns at each call
        torch.nn.Module.to(self.vae, torch.float32)
        try:
            return self._decode(x0, torch.float32)
        finally:
            # its weights are of this type: nothing is lost
            torch.nn.Module.to(self.vae, self.dtype)

    @torch.no_grad()
    def _decode(self, x0: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        z = x0.to(self.device, torch.float32) / self.scale
        if self.spread is not None:
            z = z * self.spread.to(self.device)
        z = (z + self.shift.to(self.device)).to(dtype)
        vae = self.here(self.vae)
        if self.device.type == "cpu":
            self._decoding.at_most(max(1, CACHED_PIXELS // self.size**2))
        decoded = self._decoding.run(lambda part: vae.decode(z[part], return_dict=False)[0], len(z))
        return (decoded.float() / 2 + 0.5).clamp(0.0, 1.0)


class LatentDenoiser(AutoencoderDenoiser):
    """A `StableDiffusionPipeline`'s parts behind the `Denoiser` interface.

    Rombach et al. 2022. Any count of latent channels; the scheduler's clipping of x0 is not used
    (a latent has no bounds), as in k-diffusion.

    parts : unet, vae, text_encoder, tokenizer. settings : betas (steps,), prediction_type, device, dtype.
    """

    def __init__(self, parts: Mapping[str, Any], settings: Mapping[str, Any]):
        unet, vae, encoder = parts["unet"], parts["vae"], parts["text_encoder"]
        side = unet.config.sample_size
        height, width = (side, side) if isinstance(side, int) else tuple(side)
        factor = 2 ** (len(vae.config.block_out_channels) - 1)
        shape = (int(unet.config.in_channels), int(height), int(width))
        super().__init__(shape=shape, size=int(height) * factor, **settings)
        self.set_vae(vae, settings["device"])
        if settings["device"] != "cpu":
            unet.to(
                memory_format=torch.channels_last
            )  # what a GPU's half-precision convolutions take
        self.unet, self.text_encoder, self.tokenizer = unet, encoder, parts["tokenizer"]
        # a tokenizer without a stated length says 1e30
        self.tokens = min(
            int(self.tokenizer.model_max_length), int(encoder.config.max_position_embeddings)
        )

    @torch.no_grad()
    def encode(self, captions: Sequence[str], batch: int = 256) -> Condition:
        encoder, parts = self.here(self.text_encoder), []
        for start in range(0, len(captions), batch):
            ids = self.tokenizer(
                list(captions[start : start + batch]),
                padding="max_length",
                max_length=self.tokens,
                truncation=True,
                return_tensors="pt",
            )
            mask = None
            if getattr(self.text_encoder.config, "use_attention_mask", False):
                mask = ids.attention_mask.to(self.device)
            states = encoder(ids.input_ids.to(self.device), attention_mask=mask)[0]
            parts.append(states.to(self.dtype))
        return Condition(torch.cat(parts))

    def network(self, x: torch.Tensor, t: torch.Tensor, cond: Condition) -> torch.Tensor:
        unet = self.here(self.unet)
        out: torch.Tensor = unet(x, t, encoder_hidden_states=cond.states, return_dict=False)[0]
        return out
