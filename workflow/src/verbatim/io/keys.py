"""Keys that join tables and name files; only the standard library is used, so that a bundle can be replayed anywhere."""

from __future__ import annotations

import hashlib


def prompt_id(caption: str) -> int:
    """63-bit key of a caption: the same in every run, whatever other prompts there are."""
    digest = hashlib.blake2b(caption.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1
