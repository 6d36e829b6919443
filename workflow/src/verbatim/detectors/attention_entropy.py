"""How evenly the image attends to the tokens of a prompt: Ren et al. 2024.

Public code: renjie3/MemAttn. a = weights of the cross-attention of the conditional prediction, averaged over queries, heads (and
layers), then the entropy E = -sum_i a_i log a_i over all tokens. A memorized prompt attends to fewer tokens at first, and the
published score is higher for it all the same.

attention_entropy       E at the first step, of one layer (`models.cross_attention.half_layer`).
attention_entropy_late  mean over the last fifth of the steps of E_t + S_t - S_T, of all layers, where S sums over the tokens from
                        the end-of-text token on, and T is the first step. The paper has |S_t - S_T|, the code has not.
"""

from __future__ import annotations

import torch

from verbatim.detectors.attention_reader import Attention
from verbatim.detectors.evaluations import Evaluations

LATE = 5  # the last steps are one in so many: 10 of 50


def _terms(weights: torch.Tensor) -> torch.Tensor:
    """-a log a of each token, (n, tokens) float64; 0 where a is 0."""
    a = weights.double()
    return -torch.special.xlogy(a, a)


def attention_entropy(made: Evaluations) -> torch.Tensor:
    """(n,) float64, in [0, log tokens]: 1 row."""
    made.eps(0)
    return _terms(made.attention[0].half).sum(1)


def _summary(attention: Attention) -> torch.Tensor:
    """S of a step, (n,)."""
    terms = _terms(attention.every)
    place = torch.arange(terms.shape[1], device=terms.device)
    return (terms * (place >= attention.ends[:, None])).sum(1)


def attention_entropy_late(made: Evaluations) -> torch.Tensor:
    """(n,) float64: 2 T - 1 rows of a generation of T steps."""
    steps = made.run_attention()
    first = _summary(steps[0])
    late = steps[-max(1, len(steps) // LATE) :]
    found = [_terms(step.every).sum(1) + _summary(step) - first for step in late]
    return torch.stack(found).mean(0)
