"""Stable Diffusion 3: a rectified flow told by two CLIP encoders and, where the folder has it, T5."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from verbatim.models.clip_states import encode_clip
from verbatim.models.denoiser import Condition
from verbatim.models.flow import FlowDenoiser
from verbatim.models.hub import ModelFolderError
from verbatim.models.schedule import Shift
from verbatim.models.sdxl import check_vocabularies

# diffusers, StableDiffusion3Pipeline: max_sequence_length of T5's states, and of the zeros in their place
T5_TOKENS = 256


class Sd3Denoiser(FlowDenoiser):
    """A `StableDiffusion3Pipeline`'s parts behind the `Denoiser` interface.

    Esser et al. 2024. Captions: the states before the last layer of both CLIP encoders, joined in width, padded with zeros
    to T5's width, followed by T5's states (zeros without it); and both projected codes.
    """

    def __init__(self, parts: Mapping[str, Any], settings: Mapping[str, Any], shift: Shift):
        config = parts["transformer"].config
        side = int(config.sample_size)
        super().__init__(parts, settings, shift, side, (side // int(config.patch_size)) ** 2)
        self.clips = [(parts[f"text_encoder{n}"], parts[f"tokenizer{n}"]) for n in ("", "_2")]
        self.t5, self.tokenizer_3 = parts.get("text_encoder_3"), parts.get("tokenizer_3")
        self.width = int(config.joint_attention_dim)
        self.tokens = min(
            min(int(tokenizer.model_max_length), int(encoder.config.max_position_embeddings))
            for encoder, tokenizer in self.clips
        )

    @torch.no_grad()
    def encode(self, captions: Sequence[str], batch: int = 64) -> Condition:
        parts = []
        for start in range(0, len(captions), batch):
            some = list(captions[start : start + batch])
            clips = [
                encode_clip(self, encoder, tokenizer, some) for encoder, tokenizer in self.clips
            ]
            states = torch.cat([states for states, _ in clips], dim=2)
            states = torch.nn.functional.pad(states, (0, self.width - states.shape[2]))
            pooled = torch.cat([pooled for _, pooled in clips], dim=1)
            parts.append(
                Condition(torch.cat([states, self._t5_states(some)], dim=1), {"pooled": pooled})
            )
        return Condition.cat(parts)

    def _t5_states(self, captions: list[str]) -> torch.Tensor:
        """T5's states of captions, (n, T5_TOKENS, width), the padding not masked; zeros without T5."""
        if self.t5 is None or self.tokenizer_3 is None:
            shape = (len(captions), T5_TOKENS, self.width)
            return torch.zeros(shape, device=self.device, dtype=self.dtype)
        ids = self.tokenizer_3(
            captions,
            padding="max_length",
            max_length=T5_TOKENS,
            truncation=True,
            return_tensors="pt",
        ).input_ids
        states: torch.Tensor = self.here(self.t5)(ids.to(self.device))[0]
        return states.to(self.dtype)

    def network(self, x: torch.Tensor, t: torch.Tensor, cond: Condition) -> torch.Tensor:
        out: torch.Tensor = self.here(self.transformer)(
            hidden_states=x,
            timestep=t,
            encoder_hidden_states=cond.states,
            pooled_projections=cond.extra["pooled"],
            return_dict=False,
        )[0]
        return out


def check_parts(folder: Path, parts: Mapping[str, Any]) -> None:
    """Refuse parts whose sizes do not fit each other, by name."""
    config, latent = parts["transformer"].config, parts["vae"].config.latent_channels
    one, two = parts["text_encoder"].config, parts["text_encoder_2"].config
    t5 = parts.get("text_encoder_3")
    if (t5 is None) != (parts.get("tokenizer_3") is None):
        raise ModelFolderError(
            f"{folder}: model_index.json names one of text_encoder_3 and tokenizer_3; both or neither must be there"
        )
    wrong = {
        f"in_channels is {config.in_channels}, vae/config.json has latent_channels {latent}": (
            config.in_channels != latent or (config.out_channels or latent) != latent
        ),
        f"pooled_projection_dim is {config.pooled_projection_dim}, the CLIP encoders give {one.projection_dim} and "
        f"{two.projection_dim}": config.pooled_projection_dim
        != one.projection_dim + two.projection_dim,
        f"joint_attention_dim is {config.joint_attention_dim}, less than the widths {one.hidden_size} and "
        f"{two.hidden_size} of the CLIP encoders": (
            config.joint_attention_dim < one.hidden_size + two.hidden_size
        ),
        f"joint_attention_dim is {config.joint_attention_dim}, text_encoder_3/ is another width": (
            t5 is not None and t5.config.d_model != config.joint_attention_dim
        ),
    }
    for problem, there in wrong.items():
        if there:
            raise ModelFolderError(
                f"{folder}: transformer/config.json: {problem}; the folder mixes two models: fetch it again"
            )
    check_vocabularies(folder, parts)
