"""The cross-attention of a step, reduced to what the scores of attention need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from verbatim.models.cross_attention import finest_layers, half_layer, list_layers, reading
from verbatim.models.denoiser import Denoiser


@dataclass
class Attention:
    """Cross-attention of the conditional prediction of one step; each weight is in [0, 1].

    half : (n, tokens), mean over the queries and heads of the layer at half the side (`half_layer`).
    every : (n, tokens), mean over queries, heads and then layers.
    ending : (n, h, w), of the layers with the largest side (`finest_layers`), to the end-of-text token.
    ends : (n,) int64, position of that token.
    """

    half: torch.Tensor
    every: torch.Tensor
    ending: torch.Tensor
    ends: torch.Tensor


class AttentionReader:
    """Reads the attention of a batch of captions, a step at a time."""

    def __init__(self, denoiser: Denoiser, captions: Sequence[str]):
        self.denoiser, self.captions = denoiser, list(captions)
        unet: Any = denoiser.unet  # type: ignore[attr-defined]  # of the families with cross-attention
        self.layers = list_layers(unet)
        self.half, self.finest = half_layer(unet), finest_layers(unet)
        self._clear()

    def _clear(self) -> None:
        self._tokens: dict[str, list[torch.Tensor]] = {name: [] for name in self.layers}
        self._maps: dict[str, list[torch.Tensor]] = {name: [] for name in self.finest}
        self._done = dict.fromkeys(self.layers, 0)

    @cached_property
    def ends(self) -> torch.Tensor:
        """Position of the end-of-text token of each caption, (n,) int64."""
        tokenizer: Any = self.denoiser.tokenizer  # type: ignore[attr-defined]  # as above
        mask = tokenizer(
            self.captions, padding="max_length", max_length=self.denoiser.tokens, truncation=True,
            return_tensors="pt",
        ).attention_mask  # fmt: skip
        found: torch.Tensor = mask.sum(1) - 1
        return found.to(self.denoiser.device)

    def reading(self) -> Any:
        """Open while the conditional predictions of a step are made, in the order of the captions."""
        return reading(self.layers, self._read)

    @torch.no_grad()
    def _read(self, name: str, weights: torch.Tensor) -> None:
        first = self._done[name]
        self._done[name] += len(weights)
        self._tokens[name].append(weights.mean(1))
        if name in self._maps:
            self._maps[name].append(self._map(weights, self.ends[first : first + len(weights)]))

    def _map(self, weights: torch.Tensor, ends: torch.Tensor) -> torch.Tensor:
        """Attention to the end-of-text token, (n, h, w) in the latent's size.

        ASSUME: bilinear where the layer is smaller than the latent; in Stable Diffusion 1 it is not.
        """
        height, width = self.denoiser.shape[1:]
        factor = round((height * width / weights.shape[1]) ** 0.5)
        one = weights[torch.arange(len(weights)), :, ends]
        one = one.view(len(weights), 1, height // factor, width // factor)
        return torch.nn.functional.interpolate(one, (height, width), mode="bilinear")[:, 0]

    def finish(self) -> Attention:
        """What was read of the step; then the next step begins."""
        means = {name: torch.cat(parts) for name, parts in self._tokens.items()}
        ending = torch.stack([torch.cat(parts) for parts in self._maps.values()]).mean(0)
        every = torch.stack(list(means.values())).mean(0)
        self._clear()
        return Attention(means[self.half], every, ending, self.ends)
