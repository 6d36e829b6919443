"""T5's tokenizer from its `spiece.model` alone, as DeepFloyd IF and most T5 checkpoints ship it.

transformers reads that file through the packages sentencepiece and protobuf; what it takes from it
are the pieces, their scores and the normaliser's table, three fields of one protobuf message
(sentencepiece_model.proto), which are read here. The tokenizer is the same, to the last token, and a broken
file is refused, which transformers 5.23 with those packages does not do: it makes a tokenizer of an empty one.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# field numbers of sentencepiece_model.proto
PIECES, NORMALIZER = 1, 3  # of ModelProto
PIECE, SCORE = 1, 2  # of ModelProto.SentencePiece
CHARSMAP = 2  # of NormalizerSpec
EXTRA_IDS = 100  # Raffel et al. 2020: sentinels behind the vocabulary, <extra_id_99> first
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def _varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of 7 bits a byte, lowest first, and where the next thing starts."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def fields(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(field number, raw bytes) of a protobuf message; of numbers coded as varints, b"".

    Raises ValueError for what is no such message.
    """
    at = 0
    try:
        while at < len(data):
            key, at = _varint(data, at)
            number, kind = key >> 3, key & 7
            if kind == VARINT:
                _, at = _varint(data, at)
                yield number, b""
                continue
            if kind == BYTES:
                length, at = _varint(data, at)
            else:
                length = {FIXED64: 8, FIXED32: 4}[kind]
            if at + length > len(data):
                raise ValueError("it is cut off")
            yield number, data[at : at + length]
            at += length
    except (IndexError, KeyError) as err:
        raise ValueError("it is not a sentencepiece model") from err


def read_pieces(data: bytes) -> tuple[list[tuple[str, float]], bytes | None]:
    """(piece, log probability) of each token in order, and the normaliser's table if it has one.

    Raises ValueError for a file that is no sentencepiece model.
    """
    pieces, charsmap = [], None
    for number, value in fields(data):
        if number == PIECES:
            piece = dict(fields(value))
            score = struct.unpack("<f", piece[SCORE])[0] if piece.get(SCORE) else 0.0
            pieces.append((piece.get(PIECE, b"").decode("utf-8"), score))
        elif number == NORMALIZER:
            charsmap = dict(fields(value)).get(CHARSMAP) or None
    if not pieces:
        raise ValueError("it has no pieces")
    return pieces, charsmap


def read_t5_tokenizer(folder: str | os.PathLike[str]) -> Any:
    """The tokenizer of a folder with spiece.model and tokenizer_config.json.

    Returns
    -------
    transformers.T5Tokenizer

    Raises
    ------
    ValueError : spiece.model is broken.
    """
    from transformers import T5Tokenizer

    config = json.loads((Path(folder) / "tokenizer_config.json").read_text("utf-8"))
    try:
        pieces, charsmap = read_pieces((Path(folder) / "spiece.model").read_bytes())
    except ValueError as err:
        raise ValueError(f"spiece.model: {err}") from err
    count = int(config.get("extra_ids", EXTRA_IDS))
    sentinels = [f"<extra_id_{i}>" for i in range(count - 1, -1, -1)]
    return T5Tokenizer(
        vocab=[*pieces, *((piece, 0.0) for piece in sentinels)],
        _spm_precompiled_charsmap=charsmap,
        extra_ids=count,
        additional_special_tokens=sentinels or None,
        model_max_length=int(config.get("model_max_length", 512)),
    )
