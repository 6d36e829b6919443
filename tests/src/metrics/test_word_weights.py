"""How much each word of a prompt triggers a copy."""

import numpy as np
import pandas as pd

from verbatim.metrics.word_weights import weigh_words


def tokens(prompt_id, words, gradients):
    places = pd.factorize(pd.Series(words))[0]
    return pd.DataFrame(
        {"prompt_id": prompt_id, "word_position": places, "word": words, "gradient": gradients}
    )


def test_a_word_weighs_as_its_strongest_token_beside_the_strongest_of_its_prompt():
    table = pd.concat(
        [tokens(7, ["red", "umbrella", "umbrella"], [1.0, 4.0, 2.0]), tokens(9, ["a"], [0.5])]
    )
    assert weigh_words(table) == {7: [("red", 0.25), ("umbrella", 1.0)], 9: [("a", 1.0)]}


def test_gradients_that_are_not_finite_or_zero_weigh_nothing_and_divide_nothing():
    assert weigh_words(tokens(1, ["a", "b"], [np.nan, 2.0])) == {1: [("a", 0.0), ("b", 1.0)]}
    assert weigh_words(tokens(1, ["a", "b"], [np.nan, 0.0])) == {1: [("a", 0.0), ("b", 0.0)]}


def test_words_stay_in_the_order_of_the_prompt():
    table = tokens(1, [f"w{i}" for i in range(12)], np.arange(12.0))
    assert [word for word, _ in weigh_words(table)[1]] == [f"w{i}" for i in range(12)]
