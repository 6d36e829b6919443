"""Stable Diffusion XL: two CLIP text encoders, a pooled code and the image's size beside each caption."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from verbatim.models.clip_states import encode_clip
from verbatim.models.denoiser import Condition
from verbatim.models.hub import ModelFolderError
from verbatim.models.latent import LatentDenoiser

EMBEDDING = "text_time"  # addition_embed_type of a UNet that is told a pooled code and a size
SIZES = 6  # numbers of a size condition


class SdxlDenoiser(LatentDenoiser):
    """A `StableDiffusionXLPipeline`'s parts behind the `Denoiser` interface.

    Podell et al. 2023. Captions: the states before the last layer of both encoders, joined in width, and the second
    encoder's projected code. The size condition is that of an uncropped image of the model's own size,
    as the pipeline's default.

    zeros : whether the empty caption, which the unconditional half of guidance has, is zeros instead of the encoders'
        answer to it (`force_zeros_for_empty_prompt` of model_index.json; the published model: true).
    """

    def __init__(self, parts: Mapping[str, Any], settings: Mapping[str, Any], zeros: bool):
        super().__init__(parts, settings)
        self.text_encoder_2, self.tokenizer_2 = parts["text_encoder_2"], parts["tokenizer_2"]
        self.zeros = zeros
        self.upcast = bool(getattr(self.vae.config, "force_upcast", False))
        # what the UNet is told of the size: original height and width, top and left of the crop, wanted height and width
        self.time_ids = torch.tensor([[self.size, self.size, 0, 0, self.size, self.size]])

    @torch.no_grad()
    def encode(self, captions: Sequence[str], batch: int = 256) -> Condition:
        parts = []
        for start in range(0, len(captions), batch):
            some = list(captions[start : start + batch])
            first, _ = encode_clip(self, self.text_encoder, self.tokenizer, some)
            second, pooled = encode_clip(self, self.text_encoder_2, self.tokenizer_2, some)
            cond = Condition(torch.cat([first, second], dim=2), {"pooled": pooled})
            if self.zeros:
                given = [float(bool(caption)) for caption in some]
                said = torch.tensor(given, device=self.device, dtype=self.dtype)
                cond = Condition(
                    cond.states * said.view(-1, 1, 1), {"pooled": pooled * said.view(-1, 1)}
                )
            parts.append(cond)
        return Condition.cat(parts)

    def network(self, x: torch.Tensor, t: torch.Tensor, cond: Condition) -> torch.Tensor:
        sizes = self.time_ids.to(x.device, self.dtype).expand(len(x), -1)
        out: torch.Tensor = self.here(self.unet)(
            x,
            t,
            encoder_hidden_states=cond.states,
            added_cond_kwargs={"text_embeds": cond.extra["pooled"], "time_ids": sizes},
            return_dict=False,
        )[0]
        return out

    def decode(self, x0: torch.Tensor) -> torch.Tensor:
        """As for SD; in float32 where half precision is known to overflow (`force_upcast` of the VAE)."""
        if self.upcast and self.dtype == torch.float16:
            return self.decode_in_float32(x0)
        return super().decode(x0)


def check_parts(folder: Path, parts: Mapping[str, Any]) -> None:
    """Refuse parts whose sizes do not fit each other.

    Raises
    ------
    ModelFolderError : naming the config, the key and both numbers.
    """
    unet, vae = parts["unet"].config, parts["vae"].config
    one, two = parts["text_encoder"].config, parts["text_encoder_2"].config
    told = unet.projection_class_embeddings_input_dim
    wanted = two.projection_dim + SIZES * (unet.addition_time_embed_dim or 0)
    wrong = {
        "has no sample_size; add it": unet.sample_size is None,
        f"in_channels is {unet.in_channels}, vae/config.json has latent_channels {vae.latent_channels}; the folder "
        "mixes two models, or is an inpainting one: use a text-to-image model": (
            unet.in_channels != vae.latent_channels or unet.out_channels != vae.latent_channels
        ),
        f"addition_embed_type is {unet.addition_embed_type!r}, expected {EMBEDDING!r}; use a text-to-image model": (
            unet.addition_embed_type != EMBEDDING
        ),
        f"cross_attention_dim is {unet.cross_attention_dim}, the text encoders give {one.hidden_size} and "
        f"{two.hidden_size}; the folder mixes two models (or is the refiner): fetch it again": (
            unet.cross_attention_dim != one.hidden_size + two.hidden_size
        ),
        f"projection_class_embeddings_input_dim is {told}, the pooled code and the sizes are {wanted}; the folder "
        "mixes two models: fetch it again": told != wanted,
    }
    for problem, there in wrong.items():
        if there:
            raise ModelFolderError(f"{folder}: unet/config.json: {problem}")
    check_vocabularies(folder, parts)


def check_vocabularies(folder: Path, parts: Mapping[str, Any]) -> None:
    """Refuse a tokenizer with more tokens than its text encoder knows."""
    for name in [part for part in parts if part.startswith("tokenizer")]:
        encoder = name.replace("tokenizer", "text_encoder")
        tokens, known = len(parts[name]), parts[encoder].config.vocab_size
        if tokens > known:
            raise ModelFolderError(
                f"{folder}: {name}/ has {tokens} tokens, {encoder}/ knows {known}; the folder mixes two models: "
                "fetch it again"
            )
