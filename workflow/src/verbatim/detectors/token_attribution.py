"""Which words of a prompt trigger a copy: Wen et al. 2024, section 4.2.

Public code: YuxinWenRick/diffusion_memorization. For each token i with embedding e_i: ||dL / de_i||_2, where L = ||eps_c - eps_u||_2 at the
first step of a generation; here averaged over seeds. The public code also averages over later steps, but steps its latents with
the halves of guidance exchanged, so that only the first step is of a generation of the prompt.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from verbatim.detectors.definitions import LATENT
from verbatim.detectors.evaluations import Shared
from verbatim.models.denoiser import Condition

if TYPE_CHECKING:
    from verbatim.models.denoiser import Denoiser


END_OF_WORD = "</w>"  # of the last token of a word, in CLIP's vocabulary


class Tokens(NamedTuple):
    """The tokens of a prompt, between begin and end, by its number in the list.

    words : place of each token's word, from 0, and its text. gradients : (n,) float64, from 0; NaN if not finite.
    """

    number: int
    tokens: list[str]
    words: list[tuple[int, str]]
    gradients: npt.NDArray[np.float64]


def attribute_tokens(
    denoiser: Denoiser, captions: Sequence[str], seeds: Sequence[int], steps: int, batch: int
) -> Iterator[Tokens]:
    """The tokens of each caption. 1 row a prompt and seed, differentiated backwards, and 1 row a seed.

    Parameters
    ----------
    steps : of the generation whose first step is taken.
    batch : captions in one forward.
    """
    if not captions:
        return
    shared, tokenizer = Shared(denoiser, steps), _tokenizer(denoiser)
    for start in range(0, len(captions), batch):
        some = list(captions[start : start + batch])
        cond = denoiser.encode(some)
        norms = [_gradient_norms(shared, cond, seed) for seed in seeds]
        mean = torch.stack(norms).mean(0).cpu().numpy()
        for i, caption in enumerate(some):
            ids = tokenizer(caption, truncation=True, max_length=denoiser.tokens).input_ids[1:-1]
            found = np.where(np.isfinite(mean[i]), mean[i], np.nan)[1 : 1 + len(ids)]
            tokens = tokenizer.convert_ids_to_tokens(ids)
            yield Tokens(start + i, tokens, join_words(tokenizer, tokens), found)


def attribute_prompts(
    load: Callable[[], Denoiser],
    prompts: pd.DataFrame,
    seeds: Sequence[int],
    how: tuple[int, int],
    watch: Callable[[Iterable[Tokens]], Iterable[Tokens]] = iter,
) -> pd.DataFrame:
    """Table `detector_tokens` of prompts (prompt_id, caption); nothing is loaded where there are none.

    how : steps and batch of `attribute_tokens`. watch : wraps the loop, for progress.
    """
    captions = prompts["caption"].tolist()
    found = attribute_tokens(load(), captions, seeds, *how) if captions else ()
    return token_table(watch(found), prompts["prompt_id"].tolist())


def token_table(found: Iterable[Tokens], prompt_ids: Sequence[int]) -> pd.DataFrame:
    """Table `detector_tokens` of `attribute_tokens`, a row a token; `prompt_ids` are those of its captions."""
    columns = ("prompt_id", "position", "token", "word_position", "word", "gradient")
    rows = [
        (prompt_ids[one.number], position, token, place, word, gradient)
        for one in found
        for position, (token, (place, word), gradient) in enumerate(
            zip(one.tokens, one.words, one.gradients, strict=True)
        )
    ]
    return pd.DataFrame(rows, columns=list(columns))


def join_words(tokenizer: Any, tokens: Sequence[str]) -> list[tuple[int, str]]:
    """Place and text of the word that each token is a part of. In a vocabulary without ends of words, and behind the last end, each token is a word."""
    parts: list[list[str]] = [[]]
    for token in tokens:
        parts[-1].append(token)
        if token.endswith(END_OF_WORD):
            parts.append([])
    whole, rest = parts[:-1], [[token] for token in parts[-1]]
    return [
        (place, tokenizer.convert_tokens_to_string(word).removesuffix(END_OF_WORD).strip())
        for place, word in enumerate([*whole, *rest])
        for _ in word
    ]


def has_tokens(family: str) -> bool:
    """Whether a family's prompts are tokens of CLIP, one an embedding."""
    return family in LATENT


def _tokenizer(denoiser: Denoiser) -> Any:
    return denoiser.tokenizer  # type: ignore[attr-defined]  # of the families with tokens of CLIP


def _gradient_norms(shared: Shared, cond: Condition, seed: int) -> torch.Tensor:
    """||dL / de_i||_2 of every position, (n, tokens) float64."""
    eps_u = shared.eps(seed, 0)
    x = shared.noise(seed) * shared.root(0)
    with torch.enable_grad():
        states = cond.states.detach().clone().requires_grad_(True)
        told = Condition(states, cond.extra)
        eps = shared.denoiser.predict_with_gradient(
            x.expand(len(cond), *x.shape[1:]), shared.levels[0], told
        )
        norms = (eps - eps_u).flatten(1).double().square().sum(1).sqrt()
        (gradient,) = torch.autograd.grad(norms.sum(), states)
    return gradient.double().square().sum(2).sqrt()
