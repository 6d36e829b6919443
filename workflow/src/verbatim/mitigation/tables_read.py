"""What the rules of the attacked mitigations hand each other, as the library takes it."""

from __future__ import annotations

import os

import numpy as np
import pandas as pd
import torch

from verbatim.io.records import read_table


def read_neurons(path: str | os.PathLike | None) -> dict[str, list[int]]:
    """Union of all prompts' neurons of a `mitigation_neurons` table, by layer; {} without a table."""
    if not path:
        return {}
    table = read_table(path, "mitigation_neurons")
    groups = table.groupby("layer")["neuron"]
    return {str(layer): sorted(set(of.tolist())) for layer, of in groups}


def read_states(path: str | os.PathLike) -> tuple[pd.DataFrame, torch.Tensor]:
    """Adversarial embeddings: prompt_id and start of each, and their states (n, tokens, width) float32."""
    table = read_table(path, "mitigation_embeddings")
    states = [
        np.asarray(one, np.float32).reshape(tokens, -1)
        for one, tokens in zip(table["states"], table["tokens"], strict=True)
    ]
    stack = torch.from_numpy(np.stack(states)) if states else torch.zeros((0, 0, 0))
    return table[["prompt_id", "start"]], stack
