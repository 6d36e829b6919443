"""Recognize what lies under a file's name in its place: the pointer that a clone without Git LFS has, a page of a website."""

from __future__ import annotations

import os

# Git LFS, specification of the pointer file
_POINTERS = (
    b"version https://git-lfs.github.com/spec/",
    b"version https://hawser.github.com/spec/",
)
_PAGES = (b"<!doctype html", b"<html", b"<?xml")
POINTER, PAGE = "a Git LFS pointer", "a page of a website"
_LOOKED_AT = 512  # bytes


def name_stand_in(start: bytes) -> str:
    """What these first bytes of a file are, with the cure; "" if they are neither a Git LFS pointer nor a website's page."""
    if start.startswith(_POINTERS):
        return f"{POINTER} and not the file: fetch the file itself with Git LFS"
    head = start[:_LOOKED_AT].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if head.startswith(_PAGES):
        return f"{PAGE} and not the file: fetch the file itself"
    return ""


def stand_in_at(path: str | os.PathLike) -> str:
    """`name_stand_in` of a file; "" too if it cannot be read."""
    try:
        with open(path, "rb") as file:
            return name_stand_in(file.read(_LOOKED_AT))
    except OSError:
        return ""
