"""Recognize the columns of other people's tables by meaning, in any case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from verbatim.io.parquet_text import UserTableError

Names = Mapping[str, Sequence[str]]
# our column -> names that it goes by in the wild
CAPTIONS: Names = {"caption": ("caption", "prompt", "text"), "url": ("url",)}
PROMPT_SET: Names = {  # Wen, SAIL, NeMo, MemAttn, MemBench, Webster: published sets of memorized prompts
    "caption": ("caption", "prompt", "text"),
    "url": ("url", "urls"),
    "type": ("overfit_type", "type"),
}
MANIFEST: Names = {  # Hugging Face's imagefolder, download tools
    "file": ("file", "file_name", "filename", "path", "image"),
    "prompt": ("prompt", "caption", "text"),
    "seed": ("seed",),
    "steps": ("steps", "num_inference_steps"),
    "reason": ("reason",),  # why an image that is not there is missing
}
AUDIT: Names = {  # Hugging Face's imagefolder, kohya's .jsonl, img2dataset, people's own tables
    "file": ("file_name", "filename", "file", "path", "image_path", "image", "key"),
    "caption": ("text", "caption", "prompt"),
    "owner": ("owner", "artist", "author"),
    "control": ("control",),
    "url": ("url", "source_url"),
    "status": ("status",),
    "error": ("error_message",),
}


def find_columns(
    names: Sequence[str], wanted: Names, required: Sequence[str], where: str
) -> dict[str, str]:
    """Which of a table's columns hold what is wanted: ours -> the table's name, in any case, spaces around it aside.

    Parameters
    ----------
    wanted
        Our name -> names that it goes by, small letters, the likeliest first.
    required
        Of ours, those that must be there.

    Raises
    ------
    UserTableError
        Naming what is missing and what is there, or columns that mean the same.
    """
    found = {}
    for ours, theirs in wanted.items():
        for word in theirs:
            hits = [name for name in names if name.strip().lower() == word]
            if len(hits) > 1:
                raise UserTableError(
                    f"{where}: the columns {hits} mean the same; take one of them away"
                )
            if hits:
                found[ours] = hits[0]
                break
    for ours in required:
        if ours not in found:
            raise UserTableError(
                f"{where}: no column {' or '.join(wanted[ours])}; it has {', '.join(names) or 'none'}; name it so"
            )
    return found
