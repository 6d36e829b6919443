"""The norm of Wen 2024 where the end of the text is looked at: Chen et al. 2025 (bright ending).

Public code: chenchen-usyd/BE-PRSS. The mask m is the attention to the end-of-text token at the last step, of the layers with the
largest side on the way down, averaged over heads and layers; it is not thresholded. The score is the mean over all steps of
||(eps_c - eps_u) m||_2 / mean(m). The public code generates twice with the same seed; here the changes of the first generation are
kept, which gives the same number for half the rows.
"""

from __future__ import annotations

import torch

from verbatim.detectors.evaluations import Evaluations


def bright_ending(made: Evaluations) -> torch.Tensor:
    """(n,) float64, from 0: 2 T - 1 rows of a generation of T steps."""
    mask = made.run_attention()[-1].ending.double()[:, None]
    norms = [
        (made.change(step).double() * mask).flatten(1).square().sum(1).sqrt()
        for step in range(len(made.levels))
    ]
    return torch.stack(norms).mean(0) / mask.flatten(1).mean(1)
