"""Every detector by name: what computes it, what it costs, and for which families it is defined."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from verbatim.detectors import (
    anisotropy,
    attention_entropy,
    bright_ending,
    dsm,
    hessian_difference,
    sharpness,
    wen,
)
from verbatim.detectors.evaluations import Evaluations

EPS = ("sd", "sdxl", "if")  # families whose network predicts eps, v or x0 of a noisy sample
LATENT = ("sd", "sdxl")  # those with layers of cross-attention alone, to the tokens of CLIP
FLOW = "a rectified flow has no change of eps at its first step: eps is x whatever the caption"
ATTENTION = (
    "its network attends to the tokens of the prompt and to the image together, or has no end-of-text "
    "token of CLIP, and the paper does not define it there"
)


@dataclass(frozen=True)
class Detector:
    """One score.

    compute : of a batch of captions with one seed, (n,) float64; None for one that compares all seeds (`nemo_ssim`).
    rows : network rows a prompt and seed if nothing else is computed, of a generation of so many steps. Rows that all
        prompts of a seed share are not among them.
    derivatives : how often one of these rows is differentiated; a product with a Jacobian costs about as much as one or two
        further rows.
    families : for which it is defined; why : reason for the others.
    """

    compute: Callable[[Evaluations], torch.Tensor] | None
    rows: Callable[[int], int]
    derivatives: int = 0
    families: tuple[str, ...] = EPS
    why: str = FLOW


def _rows(count: int) -> Callable[[int], int]:
    return lambda steps: count


def _generation(steps: int) -> int:
    """Both halves of guidance; the unconditional one at pure noise is shared."""
    return 2 * steps - 1


def _conditional_last(steps: int) -> int:
    """As `_generation`, without the unconditional half of the last step, which attention does not need."""
    return max(1, 2 * steps - 2)


DETECTORS: dict[str, Detector] = {
    "wen_ddim_1": Detector(wen.wen_ddim_1, _rows(1)),
    "wen_ddim_2": Detector(wen.wen_ddim_2, _rows(3)),
    "wen": Detector(wen.wen, _generation),
    "x0_change": Detector(wen.x0_change, _generation, families=(*EPS, "flow")),
    "sharpness": Detector(sharpness.sharpness, _rows(3), derivatives=2),
    "sharpness_transposed": Detector(sharpness.sharpness_transposed, _rows(2), derivatives=2),
    "hessian_difference": Detector(
        hessian_difference.hessian_difference, _rows(1), derivatives=1
    ),
    "dsm_01": Detector(dsm.dsm_01, _rows(2)),
    "dsm_12": Detector(dsm.dsm_12, _rows(4)),
    "anisotropy": Detector(anisotropy.anisotropy, _rows(2)),
    "anisotropy_cosine": Detector(anisotropy.anisotropy_cosine, _rows(1)),
    "attention_entropy": Detector(
        attention_entropy.attention_entropy, _rows(1), families=LATENT, why=ATTENTION
    ),
    "attention_entropy_late": Detector(
        attention_entropy.attention_entropy_late, _conditional_last, families=LATENT, why=ATTENTION
    ),
    "bright_ending": Detector(
        bright_ending.bright_ending, _generation, families=LATENT, why=ATTENTION
    ),
    "nemo_ssim": Detector(None, _rows(1)),
}


def undefined(names: tuple[str, ...], family: str) -> dict[str, str]:
    """Those of `names` that a family does not have, and why."""
    return {name: DETECTORS[name].why for name in names if family not in DETECTORS[name].families}
