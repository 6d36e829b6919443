"""The padding fix: another padding token, and no end-of-text token to attend to (arXiv 2605.02908; public code quasar529/sd-clip-mem).

Stable Diffusion 1 pads a prompt with its end-of-text token, whose states repeat the whole prompt. Here token 0 ("!") pads instead, and
the state at the end-of-text token is set to zero. That costs no network row. The empty prompt is padded with token 0 too, and
keeps its end-of-text state, as in the code.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from verbatim.models.denoiser import Condition, Denoiser

PAD = 0  # token that pads instead: "!" of CLIP's vocabulary and of the embedded world's


@torch.no_grad()
def encode_without_ends(denoiser: Denoiser, prompts: Sequence[str]) -> Condition:
    """Prompt embeddings of a Stable Diffusion 1 or 2 model with the padding fix, in the order of the prompts.

    Raises
    ------
    ValueError
        Where the denoiser has no CLIP text encoder of its own to pad for.
    """
    encoder: Any = getattr(denoiser, "text_encoder", None)
    tokenizer: Any = getattr(denoiser, "tokenizer", None)
    if encoder is None or tokenizer is None:
        raise ValueError(
            "the padding fix needs a model of family sd: leave padding out of mitigation.attacked.defences"
        )
    found = tokenizer(
        list(prompts), padding="max_length", max_length=denoiser.tokens, truncation=True, return_tensors="pt"
    )  # fmt: skip
    ids, ends = found.input_ids, found.attention_mask.sum(1) - 1
    place = torch.arange(ids.shape[1])
    ids = ids.masked_fill(place > ends[:, None], PAD)
    mask = None
    if getattr(encoder.config, "use_attention_mask", False):
        mask = found.attention_mask.to(denoiser.device)
    encoder = denoiser.here(encoder)
    states = encoder(ids.to(denoiser.device), attention_mask=mask)[0].to(denoiser.dtype)
    told = torch.tensor([bool(prompt) for prompt in prompts])
    at_end = (place == ends[:, None]) & told[:, None]
    return Condition(states.masked_fill(at_end[:, :, None].to(states.device), 0.0))
