"""Answers that were paid for, kept for good, and a ledger of every request, so that a budget is never exceeded.

    answers/ledger.jsonl          a line before a request is sent, and a line when its end is known
    answers/<key[:2]>/<key>       one answer: a line of JSON about it, then the image's bytes as they were sent

Both are on the disk before the next request is sent. A request without an end in the ledger (a kill, a time-out) may
have been billed, so it counts. Nothing here is deleted: to delete the folder is to pay again.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections import Counter
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from verbatim.io.atomic import sync, write_bytes
from verbatim.io.seals import DamagedError

LEDGER = "ledger.jsonl"
ASKED, UNBILLED, LOST, KEPT = "asked", "unbilled", "lost", "kept"
LONGEST_LINE = 10_000_000


class BudgetError(ValueError):
    """The budget allows no further request; the message says how much is used and what to do."""


@dataclass(frozen=True)
class Answer:
    """What came of a request.

    Attributes
    ----------
    status
        ok; refused (by moderation); unusable (an answer without an image that can be used); rejected (the endpoint does
        not take this request) or failed (no answer), which are not kept, so that a later run asks again.
    reason
        Why there is no image, "" for ok.
    time
        UTC, ISO 8601, of the end of the answer.
    request
        Address and body as they were sent, without headers: the key is in none of them.
    response_id
        The provider's identifier of the answer.
    sha256, size
        Of the image's bytes as they were sent.
    """

    status: str
    reason: str = ""
    time: str = ""
    request: dict[str, Any] = field(default_factory=dict)
    response_id: str = ""
    sha256: str = ""
    size: int = 0


def now() -> str:
    """UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


class PaidAnswers:
    """The answers and the ledger of one model; one process at a time. Use as a context manager.

    Parameters
    ----------
    folder
        Of the answers.
    budget
        The most images that may ever be paid for.
    """

    def __init__(self, folder: str | os.PathLike, budget: int):
        self.folder, self.budget = Path(folder), budget
        self._ledger = self.folder / LEDGER
        self._held = -1
        self.used = 0

    def __enter__(self) -> PaidAnswers:
        self.folder.mkdir(parents=True, exist_ok=True)
        self._held = os.open(self._ledger, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        fcntl.flock(self._held, fcntl.LOCK_EX)  # another job of this model has to end first
        counts = self._read()
        kept = sum(1 for path in self.folder.glob("??/*") if len(path.name) == 64)
        # an answer without its line: the ledger was deleted, or a kill came between the two
        self.used = max(counts[ASKED] - counts[UNBILLED], kept)
        self.lost = max(0, self.used - kept)
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._held)

    @property
    def left(self) -> int:
        """Images that the budget still allows, 0 at least."""
        return max(0, self.budget - self.used)

    def path(self, key: str) -> Path:
        """The file of an answer."""
        return self.folder / key[:2] / key

    def read(self, key: str) -> tuple[Answer, bytes] | None:
        """What is kept of a request and the image's bytes; None if nothing is.

        Raises
        ------
        DamagedError
            If the file is not what was written.
        """
        path = self.path(key)
        try:
            with open(path, "rb") as file:
                line, data = file.readline(LONGEST_LINE), file.read()
        except FileNotFoundError:
            return None
        try:
            answer = Answer(**json.loads(line))
        except (ValueError, TypeError, RecursionError) as err:
            raise self._damaged(path, "its first line is no record") from err
        if answer.size != len(data) or answer.sha256 != hashlib.sha256(data).hexdigest():
            raise self._damaged(path, "its bytes are not those that were paid for")
        return answer, data

    def _damaged(self, path: Path, why: str) -> DamagedError:
        return DamagedError(path, why, "take it from a backup, or delete it and pay for it again")

    def reserve(self, key: str) -> None:
        """Note that a request is about to be sent; on the disk when this returns.

        Raises BudgetError where the budget is used up.
        """
        if self.used >= self.budget:
            raise BudgetError(
                f"the budget of {self.budget} images is used up ({self.used} requests were or may have been billed); "
                "raise budget in the description of the endpoint, or ask for fewer images"
            )
        self._note(key, ASKED)
        self.used += 1

    def settle(self, key: str, end: str) -> None:
        """Note the end of a request: UNBILLED gives the image back to the budget, LOST does not."""
        self._note(key, end)
        self.used -= end == UNBILLED

    def keep(self, key: str, answer: Answer, data: bytes) -> Answer:
        """Keep an answer for good, and note the end of its request; on the disk when this returns."""
        digest = hashlib.sha256(data).hexdigest()
        answer = Answer(**{**asdict(answer), "time": now(), "sha256": digest, "size": len(data)})
        line = json.dumps(asdict(answer)).encode("ascii") + b"\n"
        write_bytes(self.path(key), line + data)
        # moderation bills nothing that is known of, but nobody says so: it counts
        self._note(key, KEPT)
        return answer

    def _note(self, key: str, event: str) -> None:
        line = json.dumps({"time": now(), "event": event, "key": key}) + "\n"
        os.write(self._held, line.encode("ascii"))
        os.fsync(self._held)

    def _read(self) -> Counter[str]:
        """How often each event is in the ledger. A last line without an end was cut by a kill and counts as nothing."""
        text = self._ledger.read_bytes()
        whole, _, rest = text.rpartition(b"\n")
        if rest:
            os.ftruncate(self._held, len(text) - len(rest))
        sync(self.folder)
        counts: Counter[str] = Counter()
        for number, line in enumerate(filter(None, whole.split(b"\n")), 1):
            try:
                counts[str(json.loads(line)["event"])] += 1
            except (ValueError, KeyError, TypeError) as err:
                raise DamagedError(
                    self._ledger, f"line {number} is no record",
                    "take it from a backup: it says how much of the budget is used",
                ) from err  # fmt: skip
        return counts
