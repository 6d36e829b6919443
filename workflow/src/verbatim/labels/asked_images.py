"""Images that an endpoint was asked for, as a folder with a manifest, which `closed_system` reads.

The images are the bytes as they were sent. The manifest is manifest.jsonl: file, prompt, seed and steps (where the
endpoint takes them), why an image is missing, and of each answer its time, identifier and digest.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections import Counter
from pathlib import Path
from types import TracebackType

from verbatim.io.atomic import new_folder
from verbatim.io.formats import name_format
from verbatim.io.images import generation_name
from verbatim.io.paid_answers import Answer
from verbatim.models.endpoint import Ask

MANIFEST_NAME = "manifest.jsonl"
_SUFFIX = {"PNG": ".png", "JPEG": ".jpg", "WEBP": ".webp"}


class AskedImages:
    """Writes the folder; it is in place when the block ends without an error. Use as a context manager.

    Attributes
    ----------
    counts
        Status of an answer -> how many.
    reasons
        Why images are missing -> how many.
    """

    def __init__(self, folder: str | os.PathLike):
        self._folder = Path(folder)
        self._lines: list[dict[str, str | int]] = []
        self._made = Path()
        self._stack = contextlib.ExitStack()
        self.counts: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()

    def __enter__(self) -> AskedImages:
        self._made = self._stack.enter_context(new_folder(self._folder))
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        err: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if err is None:
            text = "".join(json.dumps(line) + "\n" for line in self._lines)
            (self._made / MANIFEST_NAME).write_text(text, "ascii")
        self._stack.__exit__(kind, err, trace)

    def add(self, ask: Ask, answer: Answer, data: bytes, seed_given: bool) -> None:
        """One image, or why there is none.

        seed_given : whether the endpoint takes seeds; otherwise the manifest names none.
        """
        name = generation_name(ask.prompt_id, ask.seed).removesuffix(".png") + _SUFFIX.get(
            name_format(data), ".png"
        )
        if answer.status == "ok":
            (self._made / name).write_bytes(data)
        reason = "" if answer.status == "ok" else f"{answer.status}: {answer.reason}"
        self.counts[answer.status] += 1
        self.reasons.update([reason] if reason else [])
        self._lines.append({
            "file": name, "prompt": ask.caption, "seed": ask.seed if seed_given else "",
            "steps": "" if ask.steps is None else ask.steps, "reason": reason, "time": answer.time,
            "response": answer.response_id, "sha256": answer.sha256,
        })  # fmt: skip
