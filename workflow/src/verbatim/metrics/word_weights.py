"""How much each word of a prompt triggers a copy, from the gradients at its tokens: Wen et al. 2024, section 4.2."""

from __future__ import annotations

import pandas as pd


def weigh_words(tokens: pd.DataFrame) -> dict[int, list[tuple[str, float]]]:
    """The words of each prompt of a `detector_tokens` table in order, and how much each triggers the copy.

    The weight of a word is the largest gradient of its tokens as a share of the largest of the prompt, 0 to 1; 0 if none is finite.
    """
    words: dict[int, list[tuple[str, float]]] = {}
    for prompt_id in tokens["prompt_id"].unique().tolist():
        some = tokens[tokens["prompt_id"].eq(prompt_id)]
        of_word = some.groupby("word_position").agg(
            word=("word", "first"), most=("gradient", "max")
        )
        most = of_word["most"].fillna(0.0)
        weight = most / most.max() if most.max() > 0 else most
        words[int(prompt_id)] = [
            (text, round(share, 3)) for text, share in zip(of_word["word"], weight, strict=True)
        ]
    return words
