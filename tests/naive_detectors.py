"""Every detector written out plainly: one caption, one seed, the bare UNet, and diffusers' own DDIM."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch

GUIDANCE = 7.5
WEIGHTS = {"epsilon": [1.0, 2.0], "v_prediction": [1.0, 0.1]}


class Naive:
    """A UNet of a folder that diffusers made, its scheduler, and two captions' states: told and empty."""

    def __init__(self, denoiser: Any, folder: Any, caption: str, seed: int, steps: int):
        from diffusers import DDIMScheduler

        self.d, self.caption, self.steps = denoiser, caption, steps
        self.scheduler = DDIMScheduler.from_pretrained(
            folder, subfolder="scheduler", timestep_spacing="leading", steps_offset=1,
            set_alpha_to_one=False, clip_sample=False, thresholding=False, variance_type="fixed_small",
        )  # fmt: skip
        self.scheduler.set_timesteps(steps)
        self.t = self.scheduler.timesteps.tolist()
        self.noise = torch.randn(
            (1, *denoiser.shape), generator=torch.Generator().manual_seed(seed)
        )
        self.told, self.empty = (denoiser.encode([text]).states for text in (caption, ""))

    def alpha(self, t: int) -> float:
        return float(self.scheduler.alphas_cumprod[t])

    def raw(self, x: torch.Tensor, t: int, states: torch.Tensor) -> torch.Tensor:
        out = self.d.unet(x, torch.tensor([t]), encoder_hidden_states=states).sample
        return out[:, : self.d.shape[0]]

    def eps(self, x: torch.Tensor, t: int, states: torch.Tensor) -> torch.Tensor:
        out = self.raw(x, t, states)
        if self.d.prediction_type == "v_prediction":
            out = math.sqrt(self.alpha(t)) * out + math.sqrt(1 - self.alpha(t)) * x
        return out

    def walk(self) -> list[tuple[torch.Tensor, torch.Tensor, int]]:
        """(eps_c, eps_u, t) of every step of a guided DDIM generation."""
        x, found = self.noise, []
        for t in self.t:
            raw_c, raw_u = self.raw(x, t, self.told), self.raw(x, t, self.empty)
            found.append((self.eps(x, t, self.told), self.eps(x, t, self.empty), t))
            x = self.scheduler.step(raw_u + GUIDANCE * (raw_c - raw_u), t, x).prev_sample
        return found

    def jacobian(self, states: torch.Tensor) -> torch.Tensor:
        """d eps / d x at pure noise and the first step, a full matrix, by central differences in float64."""
        unet, single = copy.deepcopy(self.d.unet).double(), self.d.unet
        self.d.unet = unet
        size, step = self.noise.numel(), 1e-4
        columns = []
        for first in range(0, size, 64):
            moved = torch.eye(size, dtype=torch.float64)[first : first + 64].view(-1, *self.d.shape)
            told = states.double().expand(len(moved), -1, -1)
            above, below = (
                self.eps(self.noise.double() + sign * step * moved, self.t[0], told)
                for sign in (1, -1)
            )
            columns.append(((above - below) / (2 * step)).flatten(1))
        self.d.unet = single
        return torch.cat(columns).T.float()

    @torch.no_grad()
    def scores(self) -> dict[str, float]:
        steps = self.walk()
        norms = [float((c - u).norm()) for c, u, _ in steps]
        sigmas = [math.sqrt((1 - self.alpha(t)) / self.alpha(t)) for t in self.t]
        c0, u0, _ = steps[0]
        change = (c0 - u0).flatten()
        of_c, of_u = self.jacobian(self.told), self.jacobian(self.empty)
        noisy = 1 - self.alpha(self.t[0])
        kind = self.d.prediction_type
        low = self.t[-3]
        network = self.raw if kind == "v_prediction" else self.eps
        c, u = (network(self.noise, low, states) for states in (self.told, self.empty))
        cosines = [
            float(torch.cosine_similarity(u[0, :, i, j], (c - u)[0, :, i, j], dim=0))
            for i in range(u.shape[2])
            for j in range(u.shape[3])
        ]
        cosine = sum(cosines) / len(cosines)
        norm = norms[0] / noisy if kind == "v_prediction" else norms[0]
        weights = WEIGHTS.get(kind, WEIGHTS["epsilon"])
        return {
            "wen_ddim_1": norms[0],
            "wen_ddim_2": norms[1],
            "wen": sum(norms) / len(norms),
            "x0_change": sum(s * n for s, n in zip(sigmas, norms, strict=True)) / len(norms),
            "sharpness": float(((of_c - of_u) @ change).norm()) / noisy,
            "sharpness_transposed": float(((of_c - of_u).T @ change).norm()) ** 2,
            "hessian_difference": float((of_c.T @ c0.flatten() - of_u.T @ u0.flatten()).norm()) ** 2,
            "dsm_01": float((steps[1][0] - c0).norm()) ** 2,
            "dsm_12": float((steps[2][0] - steps[1][0]).norm()) ** 2,
            "anisotropy": weights[0] * norm + weights[1] * cosine,
            "anisotropy_cosine": cosine,
        }  # fmt: skip

    @torch.no_grad()
    def attention(self) -> list[dict[str, torch.Tensor]]:
        """Weights (heads, queries, tokens) of every layer of cross-attention, of the conditional half of every step."""
        from diffusers.models.attention_processor import AttnProcessor

        kept: list[dict[str, torch.Tensor]] = []
        layers = {n: m for n, m in self.d.unet.named_modules() if n.endswith("attn2")}

        def storing(name: str, plain: Any) -> Any:
            def weigh(*args: Any) -> torch.Tensor:
                weights = plain(*args)
                kept[-1][name] = weights
                return weights

            return weigh

        before = self.d.unet.attn_processors
        self.d.unet.set_attn_processor(AttnProcessor())
        for name, layer in layers.items():
            layer.get_attention_scores = storing(name, layer.get_attention_scores)
        found, x = [], self.noise
        for t in self.t:
            kept.append({})
            raw_c = self.raw(x, t, self.told)
            found.append(kept[-1])
            kept.append({})
            raw_u = self.raw(x, t, self.empty)
            x = self.scheduler.step(raw_u + GUIDANCE * (raw_c - raw_u), t, x).prev_sample
        for layer in layers.values():
            del layer.get_attention_scores
        self.d.unet.set_attn_processor(before)
        return found

    def attention_scores(self, half: str, finest: list[str]) -> dict[str, float]:
        steps = self.attention()
        ids = self.d.tokenizer(self.caption).input_ids  # begin, words, end of text
        end = len(ids) - 1

        def entropy(weights: list[float]) -> float:
            return -sum(a * math.log(a) for a in weights)

        def of_all(layers: dict[str, torch.Tensor]) -> list[float]:
            return torch.stack([w.mean((0, 1)) for w in layers.values()]).mean(0).tolist()

        every = [of_all(layers) for layers in steps]
        late = max(1, self.steps // 5)
        first = entropy(every[0][end:])
        parts = [entropy(a) + entropy(a[end:]) - first for a in every[-late:]]
        height, width = self.d.shape[1:]
        masks = []
        for name in finest:
            one = steps[-1][name].mean(0)[:, end]
            side = round(math.sqrt(len(one)))
            assert side == height, "the tiny UNet looks at the latent's own size"
            masks.append(one.view(1, 1, height, width))
        mask = torch.stack(masks).mean(0)
        bright = [float(((c - u) * mask).norm()) / float(mask.mean()) for c, u, _ in self.walk()]
        return {
            "attention_entropy": entropy(steps[0][half].mean((0, 1)).tolist()),
            "attention_entropy_late": sum(parts) / len(parts),
            "bright_ending": sum(bright) / len(bright),
        }
