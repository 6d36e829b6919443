"""The noise schedule of a model, read from its scheduler config; a model without the keys is refused.

A library's default in place of a missing key gives other numbers without a word (sigma_max 157 instead
of 14.6), so every key that decides one must be there. The exception is what the key's own history
decides: a config that was written before diffusers had `prediction_type` means noise.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from verbatim.models.hub import ModelFolderError

NAME = "scheduler/scheduler_config.json"
BETAS = ("num_train_timesteps", "beta_start", "beta_end", "beta_schedule")
SCHEDULES = ("linear", "scaled_linear", "squaredcos_cap_v2", "sigmoid")
PREDICTION_TYPES = ("epsilon", "v_prediction", "sample")
MAX_STEPS = 100_000  # trained timesteps; published models have 1,000
# diffusers' first version whose scheduler of this class writes prediction_type: pull requests 1121 and 1386
# (November 2022, 0.9), 1505 (December 2022, 0.10) for all others
SINCE = {"DDIMScheduler": (0, 9), "DDPMScheduler": (0, 9), "EulerDiscreteScheduler": (0, 9)}
SINCE_OTHERS = (0, 10)
SCALE_SINCE = (0, 12)  # of `scaling_factor` in a VAE's config: pull request 1860 (January 2023)


def written_before(config: dict[str, Any], version: tuple[int, int]) -> bool:
    """Whether the diffusers that wrote a config is older than `version`; False where it says none."""
    said = str(config.get("_diffusers_version"))
    found = re.match(r"(\d+)\.(\d+)", said)
    if not found:
        return False
    wrote = (int(found[1]), int(found[2]))
    return wrote < version or (wrote == version and "dev" in said)


def _stated(folder: Path, config: dict[str, Any], key: str, name: str = NAME) -> Any:
    if config.get(key) is None:
        raise ModelFolderError(
            f"{folder}: {name} states no {key}, which decides every number; write there what the model "
            "was trained with"
        )
    return config[key]


def read_prediction_type(folder: Path, config: dict[str, Any]) -> str:
    """What the network predicts: "epsilon", "v_prediction" or "sample".

    A config without the key, of a diffusers that did not have it yet, means epsilon (the published
    scheduler of Stable Diffusion 1.5 is of version 0.6.0), or x0 where it says `predict_epsilon: false`.

    Raises
    ------
    ModelFolderError : not stated, or unknown.
    """
    if config.get("prediction_type") is None:
        since = SINCE.get(str(config.get("_class_name")), SINCE_OTHERS)
        if config.get("predict_epsilon") is not None:
            return "epsilon" if config["predict_epsilon"] else "sample"
        if written_before(config, since):
            return "epsilon"
    kind = _stated(folder, config, "prediction_type")
    if kind not in PREDICTION_TYPES:
        raise ModelFolderError(
            f"{folder}: {NAME} has the prediction_type {kind!r}; known: {', '.join(PREDICTION_TYPES)}"
        )
    return str(kind)


def read_betas(folder: Path, config: dict[str, Any], name: str = NAME) -> Any:
    """Noise schedule of a scheduler's config, whichever of diffusers' samplers wrote it.

    name : of the config, for the messages.

    Returns
    -------
    Tensor (T,) float32: the variance added in each trained timestep, in (0, 1].

    Raises
    ------
    ModelFolderError : not stated, of flow matching, or of no kind that is known here.
    """
    import torch
    from diffusers import DDPMScheduler

    if "FlowMatch" in str(config.get("_class_name", "")):
        raise ModelFolderError(
            f"{folder}: {name} is a flow-matching one, which has no betas; "
            "use a model of Stable Diffusion 1, 2 or XL, or DeepFloyd IF"
        )
    given: dict[str, Any] = {
        "rescale_betas_zero_snr": config.get("rescale_betas_zero_snr") or False
    }
    if config.get("trained_betas") is not None:
        given["trained_betas"] = config["trained_betas"]
    else:
        schedule = _stated(folder, config, "beta_schedule", name)
        # the cosine has no ends to state
        keys = BETAS[:1] if schedule == "squaredcos_cap_v2" else BETAS[:3]
        given |= {"beta_schedule": schedule} | {k: _stated(folder, config, k, name) for k in keys}
        steps = given["num_train_timesteps"]
        if not isinstance(steps, int) or not 2 <= steps <= MAX_STEPS:
            raise ModelFolderError(
                f"{folder}: {name} has num_train_timesteps {steps!r}, not a whole number from 2 to {MAX_STEPS}"
            )
    try:
        betas = DDPMScheduler(**given).betas
    except (NotImplementedError, TypeError, ValueError, RuntimeError) as err:
        raise ModelFolderError(
            f"{folder}: {name} has no noise schedule known here ({err}); "
            f"known: {', '.join(SCHEDULES)}, trained_betas"
        ) from err
    if betas.ndim != 1 or not len(betas) or not bool(torch.all((betas > 0) & (betas <= 1))):
        raise ModelFolderError(
            f"{folder}: {name} gives betas that are not all in (0, 1]: {betas.flatten()[:3].tolist()} ..."
        )
    return betas


@dataclass(frozen=True)
class Shift:
    """How a flow-matching scheduler moves its noise levels towards 1 (Esser et al. 2024, section 5.3.2).

    shift : s in s t / (1 + (s - 1) t). dynamic : (tokens, mu) of two image sizes, between which mu is linear; then
    s is exp(mu), and `shift` is not used. None: not dynamic. steps : trained timesteps.
    """

    shift: float
    dynamic: tuple[tuple[int, float], tuple[int, float]] | None
    steps: int


FLOW = "FlowMatchEulerDiscreteScheduler"
# keys of a flow-matching scheduler that ask for other noise levels than its shift gives
OTHER_LEVELS = (
    "invert_sigmas", "shift_terminal", "use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas",
    "stochastic_sampling",
)  # fmt: skip


def read_shift(folder: Path, config: dict[str, Any]) -> Shift:
    """The shift that a flow-matching scheduler's config states.

    Raises
    ------
    ModelFolderError : another scheduler, a key that is not stated or out of range, or other noise levels.
    """
    if config.get("_class_name") != FLOW:
        raise ModelFolderError(
            f"{folder}: {NAME} is of a {config.get('_class_name')!r}; family 'flow' needs a {FLOW}: write its "
            "config there"
        )
    asked = [key for key in OTHER_LEVELS if config.get(key)]
    if asked or config.get("time_shift_type", "exponential") != "exponential":
        key = asked[0] if asked else "time_shift_type"
        raise ModelFolderError(
            f"{folder}: {NAME} has {key} {config[key]!r}, noise levels that are not computed here; take the key out"
        )
    steps = _stated(folder, config, "num_train_timesteps")
    if not isinstance(steps, int) or not 2 <= steps <= MAX_STEPS:
        raise ModelFolderError(
            f"{folder}: {NAME} has num_train_timesteps {steps!r}, not a whole number from 2 to {MAX_STEPS}"
        )
    if not config.get("use_dynamic_shifting"):
        return Shift(_number(folder, config, "shift", 100.0), None, steps)
    ends = [
        (int(_number(folder, config, f"{end}_image_seq_len", 1e6)), _number(folder, config, f"{end}_shift", 10.0))
        for end in ("base", "max")
    ]  # fmt: skip
    if ends[0][0] == ends[1][0]:
        raise ModelFolderError(
            f"{folder}: {NAME} has base_image_seq_len and max_image_seq_len {ends[0][0]}; they must differ"
        )
    return Shift(1.0, (ends[0], ends[1]), steps)


class Thresholding(NamedTuple):
    """What a pixel model's sampler does to an estimate of the image (Saharia et al. 2022, section 2.3).

    how : "dynamic", "clip" or "none". ratio : quantile of dynamic thresholding, in (0, 1].
    bound : of dynamic thresholding and of "clip", above 0.
    """

    how: str
    ratio: float
    bound: float


def read_thresholding(folder: Path, config: dict[str, Any]) -> Thresholding:
    """Thresholding as DDPMScheduler.step has it: `thresholding` wins over `clip_sample`.

    Raises
    ------
    ModelFolderError : a key is not stated, or out of its range.
    """
    how, ratio, bound = "none", 0.995, 1.0
    if _stated(folder, config, "thresholding"):
        how = "dynamic"
        ratio = _number(folder, config, "dynamic_thresholding_ratio", 1.0)
        bound = _number(folder, config, "sample_max_value", 1000.0)
    elif _stated(folder, config, "clip_sample"):
        how, bound = "clip", _number(folder, config, "clip_sample_range", 1000.0)
    return Thresholding(how, ratio, bound)


def _number(folder: Path, config: dict[str, Any], key: str, most: float) -> float:
    value = _stated(folder, config, key)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value <= most:
        raise ModelFolderError(f"{folder}: {NAME} has {key} {value!r}; above 0, at most {most:g}")
    return float(value)


def check_scale(folder: Path, config: dict[str, Any]) -> None:
    """Refuse a VAE that does not state by what its latents are scaled.

    A config of a diffusers older than the key means 0.18215, the only scale of its time (and the
    library's default since).
    """
    if config.get("scaling_factor") is None and not written_before(config, SCALE_SINCE):
        _stated(folder, config, "scaling_factor", "vae/config.json")
