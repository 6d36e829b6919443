"""CLIP's tokenizer without a download: its merges are a file of open_clip."""

from __future__ import annotations

import gzip
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from verbatim.models.files import read_json
from verbatim.models.hub import ModelFolderError

FILE = "bpe_simple_vocab_16e6.txt.gz"  # of OpenAI's CLIP, as open_clip packs it
MERGES = 49_152 - 256 - 2  # of its lines the first, a title, left out, those that CLIP uses
MARKS = ("<|startoftext|>", "<|endoftext|>")


def read_merges() -> list[tuple[str, str]]:
    """The byte pairs that CLIP's tokenizer merges, in order: 48,894 of them.

    Raises
    ------
    ModelFolderError : open_clip is not installed, or without the file.
    """
    spec = find_spec("open_clip")
    file = Path(spec.origin).parent / FILE if spec is not None and spec.origin else Path(FILE)
    if not file.is_file():
        raise ModelFolderError(
            f"{file}: the vocabulary of open_clip is missing; install this project's packages: make setup"
        )
    lines = gzip.decompress(file.read_bytes()).decode("utf-8").splitlines()[1 : MERGES + 1]
    pairs = [tuple(line.split()) for line in lines]
    return [(left, right) for left, right in pairs]


def clip_tokenizer(folder: Path, part: str) -> Any:
    """The CLIPTokenizer of 49,408 tokens, with what `part`/tokenizer_config.json says of length and padding.

    Its ids are letters (256), letters that end a word (256), merges in order, then both marks.
    """
    from transformers import CLIPTokenizer

    config = read_json(folder, f"{part}/tokenizer_config.json", "")
    merges = read_merges()
    letters = byte_letters()
    pieces = [*letters, *(letter + "</w>" for letter in letters)]
    pieces += [left + right for left, right in merges]
    pieces += MARKS
    return CLIPTokenizer(
        vocab={piece: place for place, piece in enumerate(pieces)},
        merges=merges,
        model_max_length=int(config["model_max_length"]),
        pad_token=config["pad_token"],
    )


def byte_letters() -> list[str]:
    """The letter of each byte in the order of CLIP's ids: printable bytes first, then the others from 256 on.

    Radford et al. 2019 (GPT-2), whose byte-level BPE CLIP follows.
    """
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in plain]
    return [chr(byte) for byte in plain] + [chr(256 + place) for place in range(len(others))]
