"""Rows that pass a denoiser's network, counted whoever calls it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

from verbatim.models.denoiser import Denoiser


@dataclass
class RowCounter:
    """Rows that pass a denoiser's network, whoever calls it.

    Attributes
    ----------
    rows
        All rows.
    with_gradient
        Those of them that a gradient was asked for: a backward pass costs about two forward passes more.
    """

    rows: int = 0
    with_gradient: int = 0
    _network: Any = field(default=None, repr=False)

    def watch(self, denoiser: Denoiser) -> RowCounter:
        """Count the rows of this denoiser from here on."""
        self._network = denoiser.network
        denoiser.network = self._counted  # type: ignore[method-assign, assignment]
        return self

    def _counted(self, x: torch.Tensor, *rest: Any) -> torch.Tensor:
        self.rows += len(x)
        self.with_gradient += len(x) * torch.is_grad_enabled()
        return self._network(x, *rest)
