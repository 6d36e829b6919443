"""Every detector by name: what it costs, and for which families it is defined. No network is needed to know that."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

ALL_SEEDS = -1  # in place of a seed, of a score that compares all of them
EPS = ("sd", "sdxl", "if")  # families whose network predicts eps, v or x0 of a noisy sample
LATENT = ("sd", "sdxl")  # those with layers of cross-attention alone, to the tokens of CLIP
FLOW = "a rectified flow has no change of eps at its first step, where eps is x whatever the prompt"
ATTENTION = "it reads cross-attention to CLIP's tokens with their end-of-text token, which only the families sd and sdxl have"


@dataclass(frozen=True)
class DetectorSettings:
    """How detectors are computed; the keys of the config block `detectors`.

    scores : names of `DETECTORS`.
    steps, guidance : of the generation that they are read in.
    batch, gradient_batch : captions in one forward, and in one that torch differentiates backwards.
    anisotropy : prediction type -> weights of the norm and of the cosine.
    """

    scores: tuple[str, ...]
    seeds: tuple[int, ...]
    steps: int
    guidance: float
    batch: int
    gradient_batch: int
    anisotropy: dict[str, list[float]]


@dataclass(frozen=True)
class Detector:
    """One score.

    rows : network rows a prompt and seed if nothing else is computed, of a generation of so many steps. Rows that all
        prompts of a seed share are not among them.
    derivatives : how often one of these rows is differentiated; a product with a Jacobian costs about as much as one or two
        further rows.
    families : for which it is defined. why : reason for the others.
    """

    rows: Callable[[int], int]
    derivatives: int = 0
    families: tuple[str, ...] = EPS
    why: str = FLOW


def _rows(count: int) -> Callable[[int], int]:
    return lambda steps: count


def _generation(steps: int) -> int:
    """Both halves of guidance at each step; the unconditional one at pure noise is shared."""
    return 2 * steps - 1


def _until_last(steps: int) -> int:
    """As `_generation`, without the unconditional half of the last step, whose attention is not read."""
    return max(1, 2 * steps - 2)


DETECTORS: dict[str, Detector] = {
    "wen_ddim_1": Detector(_rows(1)),
    "wen_ddim_2": Detector(_rows(3)),
    "wen": Detector(_generation),
    "x0_change": Detector(_generation, families=(*EPS, "flow")),
    "sharpness": Detector(_rows(3), derivatives=2),
    "sharpness_transposed": Detector(_rows(2), derivatives=2),
    "hessian_difference": Detector(_rows(1), derivatives=1),
    "dsm_01": Detector(_rows(2)),
    "dsm_12": Detector(_rows(4)),
    "anisotropy": Detector(_rows(2)),
    "anisotropy_cosine": Detector(_rows(1)),
    "attention_entropy": Detector(_rows(1), families=LATENT, why=ATTENTION),
    "attention_entropy_late": Detector(_until_last, families=LATENT, why=ATTENTION),
    "bright_ending": Detector(_generation, families=LATENT, why=ATTENTION),
    "nemo_ssim": Detector(_rows(1)),
}


def undefined(names: Iterable[str], family: str) -> dict[str, str]:
    """Those of `names` that a family does not have, and why."""
    return {name: DETECTORS[name].why for name in names if family not in DETECTORS[name].families}


def keep_defined(names: Iterable[str], family: str) -> tuple[str, ...]:
    """Those of `names` that a family has."""
    return tuple(name for name in names if family in DETECTORS[name].families)
