"""The one interface that scores and samplers use, for every family of models.

Conventions (k-diffusion's; Karras et al. 2022): a noisy sample is x = x0 + sigma * eps with eps of
unit variance, sigma = sqrt((1 - abar) / abar). The network sees x / sqrt(sigma^2 + 1) at the
timestep whose log sigma is sigma's, linearly interpolated between the trained ones; at
`sigma_max` that is exactly the last. What it predicts (epsilon, v or x0) is converted to eps,
always in float32 whatever the weights' type: DCS subtracts nearly equal numbers near sigma_max^2.

A rectified flow (`flow`, `FlowDenoiser`) mixes x = (1 - sigma) x0 + sigma n, and its network gives the velocity
v = n - x0. Its `predict` gives v: as eps does above, it is (x - x0) / sigma, the slope dx/dsigma of the sampling ODE, so
that every sampler and every score holds as it is written, with sigma_max = 1.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import torch

from verbatim.models.fitting import Fitting

if TYPE_CHECKING:
    from verbatim.models.upscaling import Upscaler

Network = TypeVar("Network", bound=Any)

PREDICTION_TYPES = ("epsilon", "v_prediction", "sample")


# ASSUME: a caption in a hundred may overflow by itself (half precision); if more do, the network is broken. One rule for
# scores, one-step images, full generations and the study
MOST_BROKEN = 0.01

# why a generation is missing, for tables and archives
NOT_FINITE = "the network gave numbers that are not finite; in float32 its decoder gave none either"


class NetworkError(ValueError):
    """A network gave what cannot be scored; the message says what to change."""


def _cure(dtype: object) -> str:
    """Where numbers come from that are not finite, and what to do: words behind a count of them."""
    name = str(dtype).removeprefix("torch.")
    if name == "float32":
        return f"in {name}: the weights are damaged or of another family; get them again"
    return f"in {name}; set this model's dtype to float32"


def check_broken(broken: int, captions: int, dtype: object, what: str = "captions") -> None:
    """Raises NetworkError if so many captions without a finite number mean that the network is broken.

    One is none too many, in however short a list; else `MOST_BROKEN` of all may be.

    Parameters
    ----------
    broken : those without. captions : all that the job has, done or not.
    dtype : of the network, for the message.
    what : is counted, for the message: captions of scores, `generations` of a job that makes these.
    """
    if broken > max(1, MOST_BROKEN * captions):
        raise NetworkError(
            f"{broken:,} of {captions:,} {what} gave no finite number, more than "
            f"{MOST_BROKEN:.0%}: the network itself is broken {_cure(dtype)}"
        )


def check_unconditional(eps_u: torch.Tensor, dtype: object) -> None:
    """Raises NetworkError if the prediction without a caption, eps_u (n, c, h, w), is not finite."""
    if not torch.isfinite(eps_u).all():
        raise NetworkError(
            f"the prediction without a caption is not finite: the network itself is broken {_cure(dtype)}"
        )


@dataclass(frozen=True)
class Condition:
    """Encoded captions on the denoiser's device.

    states : (n, tokens, width), what the network attends to.
    extra : what else a family's network is told of each caption, by name, (n, ...): a pooled code,
        a mask. Only its adapter looks at it; all else takes captions as a whole.
    """

    states: torch.Tensor
    extra: Mapping[str, torch.Tensor] = field(default_factory=dict)

    def __len__(self) -> int:
        return self.states.shape[0]

    def _of_all(self, change: Callable[[torch.Tensor], torch.Tensor]) -> Condition:
        extra = {name: change(tensor) for name, tensor in self.extra.items()}
        return Condition(change(self.states), extra)

    def __getitem__(self, index: int | slice | Sequence[int] | torch.Tensor) -> Condition:
        """Some of the captions; an int keeps the axis, so that the answer is a Condition of one."""
        if isinstance(index, int):
            index = [index]
        if isinstance(index, Sequence):
            index = torch.as_tensor(list(index), dtype=torch.long, device=self.states.device)
        return self._of_all(lambda tensor: tensor[index])

    def repeat(self, count: int) -> Condition:
        """Each caption `count` times in a row: a, a, b, b, ...; costs no memory for one caption."""
        if len(self) == 1:
            return self._of_all(lambda tensor: tensor.expand(count, *tensor.shape[1:]))
        return self._of_all(lambda tensor: tensor.repeat_interleave(count, dim=0))

    @staticmethod
    def cat(parts: Sequence[Condition]) -> Condition:
        extra = {name: torch.cat([part.extra[name] for part in parts]) for name in parts[0].extra}
        return Condition(torch.cat([part.states for part in parts]), extra)


class Denoiser(ABC):
    """A text-to-image diffusion model.

    Attributes
    ----------
    sigmas : noise level of each trained timestep, (T,) float64, rising.
    shape : (channels, height, width) of what is denoised: a latent, or an image itself.
    size : height and width of a decoded image, pixels.
    tokens : to which captions are padded or cut before they are encoded.
    upscaler : what enlarges full generations, of a family with a second stage; None for others.
        One-step scores and images are of this model alone.
    rows : network rows spent so far by `predict`, both halves of a guided step counted.
    device : where the network is.
    """

    sigmas: torch.Tensor
    shape: tuple[int, int, int]
    size: int
    tokens: int
    rows: int
    device: torch.device
    upscaler: Upscaler | None = None

    def __init__(
        self,
        betas: torch.Tensor,
        prediction_type: str,
        shape: tuple[int, int, int],
        size: int,
        device: str,
        dtype: torch.dtype,
    ):
        if prediction_type not in PREDICTION_TYPES:
            raise NetworkError(
                f"prediction_type {prediction_type!r} is unknown; known: {', '.join(PREDICTION_TYPES)}"
            )
        abar = torch.cumprod(1.0 - betas.double().cpu(), dim=0)
        # ASSUME: diffusers' floor for schedules with zero terminal SNR (EulerDiscreteScheduler),
        # whose sigma_max would be infinite
        abar = abar.clamp(min=2.0**-50) if abar[-1] > 0 else abar.clamp(min=2.0**-24)
        self.prediction_type = prediction_type
        self._set_up(((1.0 - abar) / abar).sqrt(), shape, size, device, dtype)

    def _set_up(
        self,
        sigmas: torch.Tensor,
        shape: tuple[int, int, int],
        size: int,
        device: str,
        dtype: torch.dtype,
    ) -> None:
        self.sigmas, self._log_sigmas = sigmas, sigmas.log()
        self.shape, self.size, self.rows = shape, size, 0
        self.device, self.dtype = torch.device(device), dtype
        self._networks: list[Any] = []
        self._offload = False
        self._fitting = Fitting("denoiser")

    def place(self, networks: Sequence[Any], offload: bool = False) -> None:
        """Move the networks to the device; with `offload` only while `here` asks for one."""
        self._networks, self._offload = list(networks), offload
        for network in self._networks:
            network.to("cpu" if offload else self.device)

    @property
    def networks(self) -> list[Any]:
        """The networks that `place` was given."""
        return list(self._networks)

    def here(self, network: Network) -> Network:
        """`network`, on the device; an adapter calls each network through it.

        When memory is short the others leave first, so that the device holds the largest of them
        and not all (DeepFloyd IF's T5 is larger than its UNet).
        """
        if self._offload:
            for other in self._networks:
                other.to(self.device if other is network else "cpu")
        return network

    @property
    def full_size(self) -> int:
        """Height and width of a full generation, pixels: the upscaler's, where there is one."""
        return self.upscaler.size if self.upscaler else self.size

    @property
    def full_rows(self) -> int:
        """Network rows spent so far, the upscaler's counted."""
        return self.rows + (self.upscaler.rows if self.upscaler else 0)

    @property
    def sigma_max(self) -> float:
        """The highest trained noise level; SD 1: 14.6146."""
        return float(self.sigmas[-1])

    @property
    def sigma_min(self) -> float:
        """The lowest trained noise level, timestep 0; SD 1: 0.0292."""
        return float(self.sigmas[0])

    @abstractmethod
    def encode(self, captions: Sequence[str], batch: int = 256) -> Condition:
        """Captions as the network takes them, `batch` at a time through the text encoder.

        Each is padded to one fixed length, so that a caption's code does not depend on the others.
        """

    def blank(self) -> Condition:
        """A caption of a denoiser without weights, on "meta": shapes alone, by way of the text encoders where they run so."""
        return self.encode(["a caption"])

    @abstractmethod
    def network(self, x: torch.Tensor, t: torch.Tensor, cond: Condition) -> torch.Tensor:
        """The bare network: scaled x (n, *shape), timesteps (n,), n captions."""

    def in_parts(self, x: torch.Tensor, t: torch.Tensor, cond: Condition) -> torch.Tensor:
        """`network`, its rows in as few parts as fit into the device's memory."""
        return self._fitting.run(
            lambda part: self.network(x[part], t[part], cond[part]), x.shape[0]
        )

    @abstractmethod
    def decode(self, x0: torch.Tensor) -> torch.Tensor:
        """Clean samples (n, *shape) as images (n, 3, size, size), float32 in [0, 1], RGB."""

    def decode_in_float32(self, x0: torch.Tensor) -> torch.Tensor:
        """As `decode`, with the network that decodes, if there is one, in float32: half precision may overflow."""
        return self.decode(x0)

    def threshold(self, x0: torch.Tensor) -> torch.Tensor:
        """The family's limit on a guided estimate of x0, (n, c, h, w), while sampling; none by default."""
        return x0

    def own_levels(self, steps: int) -> torch.Tensor | None:
        """Falling noise levels with a last 0, (steps + 1,) float64, of a family that has its own; None by default.

        Where there are none, a sampler's spacing decides.
        """
        return None

    def sigma_to_t(self, sigma: torch.Tensor) -> torch.Tensor:
        """Timesteps (float64, interpolated in log sigma) of noise levels; clamped at both ends."""
        log_sigma = sigma.double().cpu().log()
        high = torch.searchsorted(self._log_sigmas, log_sigma).clamp(1, len(self._log_sigmas) - 1)
        low = high - 1
        below, above = self._log_sigmas[low], self._log_sigmas[high]
        return low + ((log_sigma - below) / (above - below)).clamp(0.0, 1.0)

    def t_to_sigma(self, t: torch.Tensor) -> torch.Tensor:
        """Noise levels (n,) float64 of timesteps (n,); the inverse of `sigma_to_t`."""
        t = t.double().cpu()
        low = t.floor().long().clamp(0, len(self.sigmas) - 2)
        return torch.lerp(self._log_sigmas[low], self._log_sigmas[low + 1], t - low).exp()

    @torch.no_grad()
    def predict(
        self, x: torch.Tensor, sigma: float | torch.Tensor, cond: Condition
    ) -> torch.Tensor:
        """The noise eps in x = x0 + sigma * eps, as the network sees it: float32, as x.

        Karras et al. 2022, eq. 7 with sigma_data 1; Salimans & Ho 2022, appendix D for v.

        Parameters
        ----------
        x : (n, *shape).
        sigma : noise level of all rows, or (n,) of each.
        cond : n captions, or one for all rows.

        Raises
        ------
        ValueError : counts of rows that do not fit together.
        """
        return self.predict_with_gradient(x, sigma, cond)

    def predict_with_gradient(
        self, x: torch.Tensor, sigma: float | torch.Tensor, cond: Condition
    ) -> torch.Tensor:
        """As `predict`, and torch can differentiate it by `x` and by the states of `cond`."""
        n = x.shape[0]
        if len(cond) not in (1, n) or tuple(x.shape[1:]) != self.shape:
            raise ValueError(
                f"predict: x is {tuple(x.shape)}, expected (n, {self.shape}), with {len(cond)} "
                "conditions; give one condition a row, or one for all"
            )
        levels = torch.as_tensor(sigma, dtype=torch.float64).cpu().expand(n)
        t = self.sigma_to_t(levels).to(self.device, torch.float32)
        s = levels.to(self.device, torch.float32).view(n, 1, 1, 1)
        x = x.to(self.device, torch.float32)
        root = (s**2 + 1.0).sqrt()
        scaled, cond = (x / root).to(self.dtype), cond if len(cond) == n else cond.repeat(n)
        out = self.in_parts(scaled, t, cond).float()
        self.rows += n
        if self.prediction_type == "epsilon":
            return out
        if self.prediction_type == "v_prediction":
            return out / root + x * (s / root**2)
        return (x - out) / s
