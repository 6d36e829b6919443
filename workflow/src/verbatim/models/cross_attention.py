"""What a UNet's cross-attention looks at, read while it predicts.

Of the UNets of Stable Diffusion (`sd`, `sdxl`): their transformer blocks attend to the prompt in layers named `attn2`
(Rombach et al. 2022, section 3.3). The layer's own output stays as it is. The weights are computed a second time, from
the layer's query and key, so that a prediction is the same number whether its attention is read or not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch


def list_layers(unet: Any) -> dict[str, Any]:
    """The cross-attention layers of a UNet, by name; {} where it has none of this kind (DeepFloyd IF, transformers)."""
    return {name: layer for name, layer in unet.named_modules() if name.endswith(".attn2")}


def half_layer(unet: Any) -> str:
    """The layer of which Ren et al. 2024 read the entropy: the last one on the way down at half the latent's side.

    In Stable Diffusion 1 the second of the second block, 32 x 32. ASSUME: the last on the way down, in a UNet without
    attention at that side.

    Raises
    ------
    ValueError : the UNet has no cross-attention on the way down.
    """
    down = _down_layers(unet)
    return [*(down.get(1) or down[max(down)])][-1]


def finest_layers(unet: Any) -> list[str]:
    """The layers on the way down with the largest side; in Stable Diffusion 1 two of 64 x 64 (Chen et al. 2025).

    Raises
    ------
    ValueError : the UNet has no cross-attention on the way down.
    """
    down = _down_layers(unet)
    return down[min(down)]


def _down_layers(unet: Any) -> dict[int, list[str]]:
    """Block on the way down -> its layers, in order."""
    found: dict[int, list[str]] = {}
    for name in list_layers(unet):
        if name.startswith("down_blocks."):
            found.setdefault(int(name.split(".")[1]), []).append(name)
    if not found:
        raise ValueError("the UNet has no cross-attention on the way down; leave this score out")
    return found


@contextmanager
def reading(layers: Mapping[str, Any], read: Callable[[str, torch.Tensor], None]) -> Iterator[None]:
    """While it is open, `read(name, weights)` is told of every call of a layer.

    weights : (n, queries, tokens), float32, mean over heads, each query's summing to 1 over the tokens of the prompt.
    """

    def hook(name: str) -> Callable[..., None]:
        @torch.no_grad()
        def weigh(layer: Any, args: tuple[torch.Tensor, ...], kwargs: dict[str, Any]) -> None:
            query = layer.head_to_batch_dim(layer.to_q(args[0]))
            key = layer.head_to_batch_dim(layer.to_k(kwargs["encoder_hidden_states"]))
            weights = layer.get_attention_scores(query, key).float()
            read(name, weights.unflatten(0, (len(args[0]), -1)).mean(1))

        return weigh

    handles = [
        layer.register_forward_pre_hook(hook(name), with_kwargs=True)
        for name, layer in layers.items()
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
