"""T5's tokenizer from its `spiece.model` alone, as DeepFloyd IF and most T5 checkpoints ship it.

The file is read by the packages sentencepiece and protobuf, and a broken one is refused, which transformers 5.23 with
those packages does not do: it makes a tokenizer of an empty file.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

EXTRA_IDS = 100  # Raffel et al. 2020: sentinels behind the vocabulary, <extra_id_99> first


def read_pieces(data: bytes) -> tuple[list[tuple[str, float]], bytes | None]:
    """(piece, log probability) of each token in order, and the normaliser's table if it has one.

    Raises
    ------
    ValueError : `data` is no sentencepiece model, or one without pieces.
    """
    from google.protobuf.message import DecodeError
    from sentencepiece import sentencepiece_model_pb2

    model = sentencepiece_model_pb2.ModelProto()
    try:
        model.ParseFromString(data)
    except DecodeError as err:
        raise ValueError(f"it is not a sentencepiece model, or cut off ({err})") from err
    if not model.pieces:
        raise ValueError("it has no pieces")
    pieces = [(one.piece, one.score) for one in model.pieces]
    return pieces, model.normalizer_spec.precompiled_charsmap or None


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
