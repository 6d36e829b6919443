"""What SDXL and SD 3 take of a CLIP text encoder: the states before its last layer, and its pooled code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from verbatim.models.denoiser import Denoiser


def encode_clip(
    denoiser: Denoiser, encoder: Any, tokenizer: Any, captions: Sequence[str]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Captions by one CLIP text encoder, each padded or cut to `denoiser.tokens`.

    Returns
    -------
    states : (n, tokens, width), of the layer before the last, without a final norm.
    pooled : (n, projection), `text_embeds`; of an encoder without a projection (n, width), `pooler_output`.
    """
    ids = tokenizer(
        list(captions),
        padding="max_length",
        max_length=denoiser.tokens,
        truncation=True,
        return_tensors="pt",
    ).input_ids
    out = denoiser.here(encoder)(ids.to(denoiser.device), output_hidden_states=True)
    pooled = out.text_embeds if hasattr(out, "text_embeds") else out.pooler_output
    return out.hidden_states[-2].to(denoiser.dtype), pooled.to(denoiser.dtype)
