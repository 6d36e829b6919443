"""Detector -> what computes it of a batch of captions with one seed: (n,) float64.

`nemo_ssim` compares all seeds and is not among them; see `scoring`.
"""

from __future__ import annotations

from collections.abc import Callable

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

OF_ONE_SEED: dict[str, Callable[[Evaluations], torch.Tensor]] = {
    "wen_ddim_1": wen.wen_ddim_1,
    "wen_ddim_2": wen.wen_ddim_2,
    "wen": wen.wen,
    "x0_change": wen.x0_change,
    "sharpness": sharpness.sharpness,
    "sharpness_transposed": sharpness.sharpness_transposed,
    "hessian_difference": hessian_difference.hessian_difference,
    "dsm_01": dsm.dsm_01,
    "dsm_12": dsm.dsm_12,
    "anisotropy": anisotropy.anisotropy,
    "anisotropy_cosine": anisotropy.anisotropy_cosine,
    "attention_entropy": attention_entropy.attention_entropy,
    "attention_entropy_late": attention_entropy.attention_entropy_late,
    "bright_ending": bright_ending.bright_ending,
}
