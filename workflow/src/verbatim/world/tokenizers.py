"""Tokenizers of the embedded world's models, built from its captions, saved as transformers' own.

The classes are the ones that Stable Diffusion (`CLIPTokenizer`, byte-level BPE) and DeepFloyd IF
(`T5Tokenizer`, Unigram) load; only the vocabulary is small. A word of the captions is one token,
and what was never met falls back to bytes (CLIP) or letters (T5), so that any caption encodes.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, trainers
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel

START, END = "<|startoftext|>", "<|endoftext|>"
SPACE = "▁"  # sentencepiece's mark of a word's beginning

# ASSUME: log-probability of a letter in the Unigram vocabulary. Far below any word's (at least
# -log of the words counted), so that spelling a known word never beats the word.
LETTER_SCORE = -40.0


def build_clip_tokenizer(
    captions: Iterable[str], folder: str | os.PathLike, max_length: int = 16
) -> Any:
    """Byte-level BPE of `captions` as a `CLIPTokenizer`, saved to `folder`.

    Radford et al. 2021 (CLIP), section 2.4: lower case, byte pairs, `</w>` ends a word; padded with
    the end token, as Stable Diffusion 1 does.

    Parameters
    ----------
    captions : what to learn words from; order does not matter.
    folder : where `save_pretrained` writes; made if missing.
    max_length : `model_max_length`, tokens a caption with both marks; longer ones are cut.

    Returns
    -------
    transformers.CLIPTokenizer. Its ids are bytes (256), bytes that end a word (256), merges in
    order of learning, then start and end.
    """
    from transformers import CLIPTokenizer

    # merges are learnt with CLIP's own normaliser and word splitter, hence from an empty instance
    plain = CLIPTokenizer().backend_tokenizer
    learner = Tokenizer(BPE(end_of_word_suffix="</w>"))
    learner.normalizer, learner.pre_tokenizer = plain.normalizer, plain.pre_tokenizer
    letters = sorted(ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=1_000_000,  # no limit: until every word met is one token
        min_frequency=1,
        initial_alphabet=letters,
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    learner.train_from_iterator(sorted(captions), trainer)
    merges = _merges(learner)

    pieces = letters + [letter + "</w>" for letter in letters]
    known = set(pieces)
    for left, right in merges:
        if left + right not in known:
            known.add(left + right)
            pieces.append(left + right)
    pieces += [START, END]
    tokenizer = CLIPTokenizer(
        vocab={piece: index for index, piece in enumerate(pieces)},
        merges=merges,
        model_max_length=max_length,
    )
    Path(folder).mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(str(folder))
    return tokenizer


def _merges(tokenizer: Tokenizer) -> list[tuple[str, str]]:
    """Merge rules of a trained BPE, in order (the model keeps them only in its JSON)."""
    import json

    rules = json.loads(tokenizer.to_str())["model"]["merges"]
    return [tuple(rule.split(" ")) if isinstance(rule, str) else tuple(rule) for rule in rules]


def build_t5_tokenizer(
    captions: Iterable[str], folder: str | os.PathLike, max_length: int = 16
) -> Any:
    """Unigram vocabulary of `captions` as a `T5Tokenizer`, saved to `folder`.

    Raffel et al. 2020 (T5), section 3.3.1: sentencepiece; `<pad>` 0, `</s>` 1, `<unk>` 2. Words keep
    their case; a letter that is neither in the captions nor in Latin-1 becomes `<unk>`, as in T5.

    Parameters
    ----------
    captions, folder : as in `build_clip_tokenizer`.
    max_length : `model_max_length`, tokens a caption with the end mark.

    Returns
    -------
    transformers.T5Tokenizer
    """
    import math

    from transformers import T5Tokenizer

    words = Counter(word for caption in captions for word in caption.split())
    total = sum(words.values()) + 1
    letters = {chr(code) for code in (*range(0x21, 0x7F), *range(0xA1, 0x100))}
    letters |= {letter for word in words for letter in word}
    pieces: list[tuple[str, float]] = [("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    pieces += [(SPACE, LETTER_SCORE)]
    pieces += [(letter, LETTER_SCORE) for letter in sorted(letters - {SPACE})]
    pieces += [
        (SPACE + word, math.log(count / total))
        for word, count in sorted(words.items(), key=lambda item: (-item[1], item[0]))
    ]
    tokenizer = T5Tokenizer(vocab=pieces, extra_ids=0, model_max_length=max_length)
    Path(folder).mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(str(folder))
    return tokenizer
