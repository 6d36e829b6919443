"""FLUX.1: a rectified flow told by T5's states and CLIP's pooled code, on a latent packed into tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from verbatim.models.denoiser import Condition
from verbatim.models.flow import FlowDenoiser
from verbatim.models.hub import ModelFolderError
from verbatim.models.schedule import Shift
from verbatim.models.sdxl import check_vocabularies

# diffusers, FluxPipeline: max_sequence_length and guidance_scale where nobody gives them
T5_TOKENS = 512
# ASSUME: what the guidance embedding of FLUX.1-dev is told. It is an input of the distilled network, the same for both halves of
# guidance; the guidance of scores and generations is classifier-free (`true_cfg_scale` of the pipeline)
EMBEDDED_GUIDANCE = 3.5
PATCH = 2  # latent pixels a token and axis


class FluxDenoiser(FlowDenoiser):
    """A `FluxPipeline`'s parts behind the `Denoiser` interface.

    The unconditional half of guidance is a second forward with the empty caption. Images have the size that the VAE's
    config states (sample_size).
    """

    def __init__(self, parts: Mapping[str, Any], settings: Mapping[str, Any], shift: Shift):
        config = parts["vae"].config
        side = int(config.sample_size) // 2 ** (len(config.block_out_channels) - 1)
        super().__init__(parts, settings, shift, side, (side // PATCH) ** 2)
        self.clip, self.t5 = parts["text_encoder"], parts["text_encoder_2"]
        self.tokenizer, self.tokenizer_2 = parts["tokenizer"], parts["tokenizer_2"]
        self.guided = bool(self.transformer.config.guidance_embeds)
        self.clip_tokens = min(
            int(self.tokenizer.model_max_length), int(self.clip.config.max_position_embeddings)
        )
        self.tokens = T5_TOKENS
        rows = torch.arange(side // PATCH)
        # (tokens of the image, 3): 0, row, column
        flat = torch.cartesian_prod(rows, rows)
        self.places = torch.cat([torch.zeros(len(flat), 1, dtype=flat.dtype), flat], dim=1)

    @torch.no_grad()
    def encode(self, captions: Sequence[str], batch: int = 64) -> Condition:
        parts = []
        for start in range(0, len(captions), batch):
            some = list(captions[start : start + batch])
            ids = self._ids(self.tokenizer, some, self.clip_tokens)
            pooled = self.here(self.clip)(ids).pooler_output.to(self.dtype)
            states = self.here(self.t5)(self._ids(self.tokenizer_2, some, self.tokens))[0]
            parts.append(Condition(states.to(self.dtype), {"pooled": pooled}))
        return Condition.cat(parts)

    def _ids(self, tokenizer: Any, captions: list[str], length: int) -> torch.Tensor:
        ids: torch.Tensor = tokenizer(
            captions, padding="max_length", max_length=length, truncation=True, return_tensors="pt"
        ).input_ids
        return ids.to(self.device)

    def last_level(self, steps: int) -> float:
        """FluxPipeline gives its scheduler the levels 1 to 1 / steps."""
        return 1.0 / steps

    def network(self, x: torch.Tensor, t: torch.Tensor, cond: Condition) -> torch.Tensor:
        told = {"guidance": torch.full((len(x),), EMBEDDED_GUIDANCE, device=x.device)}
        out: torch.Tensor = self.here(self.transformer)(
            hidden_states=pack(x),
            timestep=t / self.timesteps,
            encoder_hidden_states=cond.states,
            pooled_projections=cond.extra["pooled"],
            txt_ids=torch.zeros(cond.states.shape[1], 3, device=x.device, dtype=x.dtype),
            img_ids=self.places.to(x.device, x.dtype),
            return_dict=False,
            **(told if self.guided else {}),
        )[0]
        return unpack(out, x.shape[2])


def pack(x: torch.Tensor) -> torch.Tensor:
    """A latent (n, c, h, w) as tokens (n, h w / 4, 4 c): each is a square of two by two, channels first."""
    return torch.nn.functional.pixel_unshuffle(x, PATCH).flatten(2).transpose(1, 2)


def unpack(tokens: torch.Tensor, height: int) -> torch.Tensor:
    """The latent of `pack`, of this height in latent pixels."""
    squares = tokens.transpose(1, 2).unflatten(2, (height // PATCH, -1))
    return torch.nn.functional.pixel_shuffle(squares, PATCH)


def check_parts(folder: Path, parts: Mapping[str, Any]) -> None:
    """Refuse parts whose sizes do not fit each other, by name."""
    config, vae = parts["transformer"].config, parts["vae"].config
    clip, t5 = parts["text_encoder"].config, parts["text_encoder_2"].config
    size, factor = vae.sample_size, PATCH * 2 ** (len(vae.block_out_channels) - 1)
    packed = PATCH**2 * vae.latent_channels
    wrong = {
        f"transformer/config.json: in_channels is {config.in_channels}, the packed latent of vae/config.json is "
        f"{packed}; the folder mixes two models, or is an inpainting one: use a text-to-image model": (
            config.in_channels != packed or (config.out_channels or packed) != packed
        ),
        f"transformer/config.json: pooled_projection_dim is {config.pooled_projection_dim}, text_encoder/ gives "
        f"{clip.hidden_size}; the folder mixes two models: fetch it again": (
            config.pooled_projection_dim != clip.hidden_size
        ),
        f"transformer/config.json: joint_attention_dim is {config.joint_attention_dim}, text_encoder_2/ gives "
        f"{t5.d_model}; the folder mixes two models: fetch it again": (
            config.joint_attention_dim != t5.d_model
        ),
        f"vae/config.json: sample_size is {size!r}, the size of the images; write there a multiple of {factor}": (
            not isinstance(size, int) or size < factor or size % factor != 0
        ),
    }
    for problem, there in wrong.items():
        if there:
            raise ModelFolderError(f"{folder}: {problem}")
    check_vocabularies(folder, parts)
