"""Tokenizers of the embedded world's models, built from its captions, saved as transformers' own.

The classes are the ones that Stable Diffusion (`CLIPTokenizer`, byte-level BPE) and DeepFloyd IF
(`T5Tokenizer`, Unigram) load; only the vocabulary is small. A word of the captions is one token,
and what was never met falls back to bytes (CLIP) or letters (T5), so that any caption encodes.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from heapq import heapify, heappop, heappush
from itertools import pairwise
from pathlib import Path
from typing import Any

from tokenizers.pre_tokenizers import ByteLevel

START, END = "<|startoftext|>", "<|endoftext|>"
SPACE = "▁"  # sentencepiece's mark of a word's beginning

# ASSUME: log-probability of a letter in the Unigram vocabulary. Far below any word's (at least
# -log of the words counted), so that spelling a known word never beats the word.
LETTER_SCORE = -40.0


def build_clip_tokenizer(
    captions: Iterable[str], folder: str | os.PathLike[str], max_length: int = 16
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

    # words are cut by CLIP's own normaliser and splitter, hence from an empty instance
    plain = CLIPTokenizer().backend_tokenizer
    words: Counter[str] = Counter()
    for caption in captions:
        text = plain.normalizer.normalize_str(caption)
        words.update(word for word, _ in plain.pre_tokenizer.pre_tokenize_str(text))
    letters = sorted(ByteLevel.alphabet())
    merges = learn_merges(words)

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


def learn_merges(words: Mapping[str, int]) -> list[tuple[str, str]]:
    """Byte-pair merges, most frequent pair first, until every word is one token.

    Sennrich et al. 2016, algorithm 1; the last letter of a word carries `</w>`. Equal counts go by
    the letters of the pair, so that the same words give the same merges (the trainer of the
    `tokenizers` package breaks ties differently from run to run).
    """
    spelled = [[*word[:-1], word[-1] + "</w>"] for word in words]
    counts = list(words.values())
    pairs: Counter[tuple[str, str]] = Counter()
    where: dict[tuple[str, str], set[int]] = {}
    for index, symbols in enumerate(spelled):
        for pair in pairwise(symbols):
            pairs[pair] += counts[index]
            where.setdefault(pair, set()).add(index)
    heap = [(-count, pair) for pair, count in pairs.items()]
    heapify(heap)
    merges = []
    while heap:
        negative, best = heappop(heap)
        if pairs[best] != -negative:
            continue  # an old count; the present one stands in the heap too
        merges.append(best)
        changed = set()
        for index in where.pop(best):
            symbols = spelled[index]
            for pair in pairwise(symbols):
                pairs[pair] -= counts[index]
                changed.add(pair)
            spelled[index] = symbols = _merge(symbols, best)
            for pair in pairwise(symbols):
                pairs[pair] += counts[index]
                where.setdefault(pair, set()).add(index)
                changed.add(pair)
        for pair in changed:
            if pairs[pair] > 0:
                heappush(heap, (-pairs[pair], pair))
    return merges


def _merge(symbols: list[str], pair: tuple[str, str]) -> list[str]:
    """`symbols` with every `pair` in it, from the left, made one symbol."""
    out: list[str] = []
    place = 0
    while place < len(symbols):
        if tuple(symbols[place : place + 2]) == pair:
            out.append(pair[0] + pair[1])
            place += 2
        else:
            out.append(symbols[place])
            place += 1
    return out


def build_t5_tokenizer(
    captions: Iterable[str], folder: str | os.PathLike[str], max_length: int = 16
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
