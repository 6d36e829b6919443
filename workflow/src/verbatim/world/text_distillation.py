"""The language model of the embedded world's IF: a small T5 encoder that is trained first and then frozen.

DeepFloyd IF reads captions through T5-XXL, which was trained on text alone and is frozen (Saharia et al.
2022, section 2.1). The world has no such corpus, so the encoder learns to give the states of the world's
CLIP text tower. No diffusion training changes its weights afterwards.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import CLIPTextModel, T5Config, T5EncoderModel

from verbatim.world.training import TrainingRun

PADDED = -100  # marks a token of the encoder that has no counterpart in the tower


def make_text_encoder(tokenizer: Any, width: int, layers: int = 2) -> T5EncoderModel:
    """A T5 v1.1 encoder (gated GELU) with random weights, states `width` wide, a multiple of 4."""
    return T5EncoderModel(
        T5Config(
            vocab_size=len(tokenizer),
            d_model=width,
            d_kv=width // 4,
            d_ff=2 * width,
            num_layers=layers,
            num_heads=4,
            dropout_rate=0.0,
            feed_forward_proj="gated-gelu",
            pad_token_id=tokenizer.pad_token_id,
        )
    )


def clean(captions: list[str]) -> list[str]:
    """Captions as `IFPipeline` cleans them: lower case, stripped."""
    return [caption.lower().strip() for caption in captions]


def tokenize(tokenizer: Any, captions: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids and attention mask, (n, model_max_length) each, of cleaned captions."""
    got = tokenizer(
        clean(captions),
        padding="max_length",
        max_length=tokenizer.model_max_length,
        truncation=True,
        return_tensors="pt",
    )
    return got.input_ids, got.attention_mask


@torch.no_grad()
def encode_captions(
    text: T5EncoderModel, tokenizer: Any, captions: list[str], batch: int = 256
) -> torch.Tensor:
    """States of a frozen encoder, (n, tokens, width) float32, on the CPU."""
    ids, mask = tokenize(tokenizer, captions)
    text.eval()
    parts = [
        text(ids[i : i + batch], attention_mask=mask[i : i + batch]).last_hidden_state
        for i in range(0, len(ids), batch)
    ]
    return torch.cat(parts)


def align_tokens(tokenizer: Any, tower_tokenizer: Any, captions: list[str]) -> torch.Tensor:
    """Token of the tower that ends where each token of the encoder ends, (n, tokens) int64.

    The two cut captions differently; what they share are the characters. The encoder's end mark belongs
    to the tower's end mark. `PADDED` stands where nothing corresponds: padding, and what either cuts off.
    """
    asked = {"padding": "max_length", "truncation": True, "return_offsets_mapping": True}
    texts = clean(captions)
    ours = tokenizer(texts, max_length=tokenizer.model_max_length, **asked)
    theirs = tower_tokenizer(texts, max_length=tower_tokenizer.model_max_length, **asked)
    places = torch.full((len(texts), tokenizer.model_max_length), PADDED, dtype=torch.int64)
    for row in range(len(texts)):
        ends: dict[int, int] = {}
        last = 0
        for place, (start, end) in enumerate(theirs["offset_mapping"][row]):
            if theirs["attention_mask"][row][place]:
                last = place
                if end > start:
                    ends[end] = place
        for place, (start, end) in enumerate(ours["offset_mapping"][row]):
            if ours["input_ids"][row][place] == tokenizer.eos_token_id:
                places[row, place] = last
                break
            if end > start:
                places[row, place] = ends.get(end, PADDED)
    return places


def shuffle_words(captions: list[str], count: int, generator: torch.Generator) -> list[str]:
    """`count` captions of words drawn from all captions, as long as one of them each.

    A language model has met words in more company than the training captions; the tower says what any
    combination means.
    """
    words = sorted({word for caption in captions for word in clean([caption])[0].split()})
    if not words:
        return []
    lengths = torch.tensor([max(1, len(caption.split())) for caption in captions])
    drawn = lengths[torch.randint(len(lengths), (count,), generator=generator)]
    return [
        " ".join(words[i] for i in torch.randint(len(words), (n,), generator=generator).tolist())
        for n in drawn.tolist()
    ]


def distil_text_encoder(
    text: T5EncoderModel,
    tokenizer: Any,
    tower: tuple[CLIPTextModel, Any],
    captions: list[str],
    settings: dict[str, Any],
    run: TrainingRun,
) -> None:
    """Train `text` in place to give the tower's state at each token and its pooled state at the end mark.

    The head, a linear map from the encoder's width to the tower's, is trained along and dropped.

    Parameters
    ----------
    tower : the world's CLIP text tower and its tokenizer.
    captions : to read; as many combinations of their words are read beside them.
    settings : steps, batch, learning_rate, ema.
    """
    teacher, tower_tokenizer = tower
    generator = torch.Generator().manual_seed(run.seed)
    texts = [*captions, *shuffle_words(captions, len(captions), generator), ""]
    tokens, mask = tokenize(tokenizer, texts)
    places = align_tokens(tokenizer, tower_tokenizer, texts)
    theirs = tower_tokenizer(
        clean(texts), padding="max_length", max_length=tower_tokenizer.model_max_length,
        truncation=True, return_tensors="pt",
    ).input_ids  # fmt: skip
    torch.manual_seed(run.seed)
    head = nn.Linear(text.config.d_model, teacher.config.hidden_size)
    teacher = teacher.eval().requires_grad_(False).to(run.device)
    text.train()
    trainer = run.trainer(
        {"text": text, "head": head}, settings, [settings, tokens, places, theirs]
    )

    def loss_of(step: int, generator: torch.Generator) -> torch.Tensor:
        rows = torch.randint(len(texts), (settings["batch"],), generator=generator)
        with torch.no_grad():
            target = teacher(theirs[rows].to(run.device)).last_hidden_state
        states = text(
            tokens[rows].to(run.device), attention_mask=mask[rows].to(run.device)
        ).last_hidden_state
        place = places[rows].to(run.device)
        met = place != PADDED
        wanted = target.gather(1, place.clamp(min=0)[..., None].expand(-1, -1, target.shape[-1]))
        return (head(states) - wanted)[met].square().mean()

    for state in trainer.run(loss_of):
        run.tell(*state)
    trainer.finish()
    text.eval().requires_grad_(False)
