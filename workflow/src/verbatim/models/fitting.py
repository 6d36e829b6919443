"""Batches that fit into a device's memory: one that does not is halved, and what was computed stays."""

from __future__ import annotations

import logging
from collections.abc import Callable

import torch

log = logging.getLogger(__name__)


class Fitting:
    """How many rows one network takes together, as far as is known; `most` is None until a limit is met or set."""

    def __init__(self, what: str):
        self.what = what
        self.most: int | None = None

    def at_most(self, rows: int) -> None:
        """No more than so many rows together from here on."""
        self.most = rows if self.most is None else min(self.most, rows)

    def run(self, call: Callable[[slice], torch.Tensor], n: int) -> torch.Tensor:
        """`call` for n rows, (n, ...), in as few parts as fit.

        Parameters
        ----------
        call : rows (a slice of range(n)) -> their results, which do not depend on the rows beside them.

        Raises
        ------
        torch.OutOfMemoryError : one row alone does not fit, or a gradient is wanted: it needs all rows' activations.
        """
        parts: list[torch.Tensor] = []
        start = 0
        while start < n or not parts:
            count = n - start if self.most is None else min(self.most, n - start)
            try:
                parts.append(call(slice(start, start + count)))
            except torch.OutOfMemoryError:
                if count <= 1 or torch.is_grad_enabled():
                    raise
                self.most = (count + 1) // 2
                log.warning(
                    "%s: %d rows do not fit into the device's memory; %d together from here on",
                    self.what, count, self.most,
                )  # fmt: skip
            else:
                start += count
                continue
            # outside the handler, whose exception holds the failed batch's tensors
            if torch.cuda.is_available():
                torch.cuda.empty_cache()
        return parts[0] if len(parts) == 1 else torch.cat(parts)
