"""DeepFloyd IF, stage I: diffusion of 64-pixel images, conditioned on a T5 encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from verbatim.models.denoiser import Condition, Denoiser
from verbatim.models.schedule import Thresholding

# DeepFloyd's text length; T5 itself has no limit (diffusers, IFPipeline.encode_prompt)
MAX_TOKENS = 77
CHANNELS = 3  # of an image


class PixelDenoiser(Denoiser):
    """An `IFPipeline`'s parts behind the `Denoiser` interface.

    Saharia et al. 2022 (Imagen), whose design IF follows. The network's last three channels, its
    learned variance, take no part in a deterministic sampler and are dropped.

    parts : unet, text_encoder, tokenizer. settings : betas (steps,), prediction_type, device, dtype.
    thresholding : what the scheduler's config says of x0.
    """

    def __init__(
        self, parts: Mapping[str, Any], settings: Mapping[str, Any], thresholding: Thresholding
    ):
        unet, tokenizer = parts["unet"], parts["tokenizer"]
        side = unet.config.sample_size
        height, width = (side, side) if isinstance(side, int) else tuple(side)
        # a second stage takes more channels than those of the image that it denoises
        shape = (CHANNELS, int(height), int(width))
        super().__init__(shape=shape, size=int(height), **settings)
        self.unet, self.text_encoder, self.tokenizer = unet, parts["text_encoder"], tokenizer
        self.tokens = min(int(tokenizer.model_max_length), MAX_TOKENS)
        self.thresholding = thresholding

    @torch.no_grad()
    def encode(self, captions: Sequence[str], batch: int = 256) -> Condition:
        """As IFPipeline: lower case, stripped, masked padding in the encoder only."""
        encoder, parts = self.here(self.text_encoder), []
        for start in range(0, len(captions), batch):
            ids = self.tokenizer(
                [caption.lower().strip() for caption in captions[start : start + batch]],
                padding="max_length",
                max_length=self.tokens,
                truncation=True,
                return_tensors="pt",
            ).to(self.device)
            states = encoder(ids.input_ids, attention_mask=ids.attention_mask)[0]
            parts.append(states.to(self.dtype))
        return Condition(torch.cat(parts))

    def blank(self) -> Condition:
        # T5 looks at the values of a mask, which "meta" has not
        width = int(self.text_encoder.config.hidden_size)
        return Condition(torch.empty(1, self.tokens, width, device=self.device))

    def network(self, x: torch.Tensor, t: torch.Tensor, cond: Condition) -> torch.Tensor:
        unet = self.here(self.unet)
        out: torch.Tensor = unet(x, t, encoder_hidden_states=cond.states, return_dict=False)[0]
        return out[:, : self.shape[0]]

    def threshold(self, x0: torch.Tensor) -> torch.Tensor:
        """Dynamic thresholding: each image is clipped at its own quantile s >= 1 and divided by it.

        Saharia et al. 2022, section 2.3; bounded as in diffusers' DDPMScheduler.
        """
        how, ratio, bound = self.thresholding
        if how == "none":
            return x0
        if how == "clip":
            return x0.clamp(-bound, bound)
        # by sorting: torch.quantile refuses large batches
        ordered = x0.abs().flatten(1).sort(dim=1).values
        place = ratio * (ordered.shape[1] - 1)
        low = int(place)
        high = min(low + 1, ordered.shape[1] - 1)
        s = torch.lerp(ordered[:, low], ordered[:, high], place - low)
        s = s.clamp(1.0, max(1.0, bound)).view(-1, 1, 1, 1)
        return x0.clamp(-s, s) / s

    @torch.no_grad()
    def decode(self, x0: torch.Tensor) -> torch.Tensor:
        return (x0.to(self.device, torch.float32) / 2 + 0.5).clamp(0.0, 1.0)
