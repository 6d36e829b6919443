"""Laws of the search for triggers, on energies whose best prompts are planted, and on a tiny model."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from law_examples import examples

from verbatim.detectors.trigger_prompts import choose_captions, choose_prompts
from verbatim.detectors.trigger_search import (
    Chain,
    SearchSettings,
    Tried,
    count_chains,
    draw_word,
    propose,
    run_chains,
    try_random,
    try_words,
)
from verbatim.io.keys import prompt_id

WORDS = [f"word{i:03d}" for i in range(200)]
SEARCH = SearchSettings(chains=8, length=3, steps=6, candidates=20, temperature=0.1, keep=3, seed=0)
TRIGGER = set(WORDS[3:160:12])  # every word of the trigger adds to a prompt's energy


class Planted:
    """An energy that counts the words of a trigger, with a little noise from the seed; what it was asked is kept."""

    def __init__(self):
        self.asked: list[tuple[str, float]] = []

    def __call__(self, prompts, seed):
        noise = 0.01 * np.random.default_rng(seed % 2**32).random()
        values = np.array([len(TRIGGER & set(p.split())) ** 2 + noise for p in prompts])
        self.asked += list(zip(prompts, values.tolist(), strict=True))
        return values


def test_a_chain_keeps_the_highest_energy_that_it_was_told():
    energy = Planted()
    (best, *_) = run_chains(energy, WORDS, [0], SEARCH)
    assert best.energy == max(value for prompt, value in energy.asked if prompt)


@given(
    values=st.lists(st.floats(-5, 5) | st.just(float("nan")), min_size=1), keep=st.integers(1, 4)
)
@examples(50)
def test_the_best_that_is_kept_never_falls_and_is_the_best_so_far(values, keep):
    chain = Chain(0, np.random.default_rng(0), [""])
    highest = -np.inf
    for place, value in enumerate(values):
        chain.keep(Tried(0, f"p{place}", value, place), keep)
        highest = max(highest, value) if np.isfinite(value) else highest
        kept = chain.ranked()
        assert len(kept) <= keep
        assert (kept[0].energy if kept else -np.inf) == highest
        assert [one.energy for one in kept] == sorted((one.energy for one in kept), reverse=True)


@pytest.mark.slow
@given(cut=st.integers(1, 7), seed=st.integers(0, 5))
@examples(10)
def test_equal_seeds_give_equal_chains_however_they_are_cut_into_parts(cut, seed):
    settings = SearchSettings(8, 3, 4, 10, 0.1, 3, seed)
    for method in (run_chains, try_random, try_words):
        whole = method(Planted(), WORDS, range(8), settings)
        parts = method(Planted(), WORDS, range(cut), settings)
        parts += method(Planted(), WORDS, range(cut, 8), settings)
        assert parts == whole
    other = SearchSettings(8, 3, 4, 10, 0.1, 3, seed + 1)
    assert run_chains(Planted(), WORDS, range(8), other) != run_chains(
        Planted(), WORDS, range(8), settings
    )


def test_a_planted_trigger_is_found_more_often_by_the_search_than_by_as_many_random_prompts():
    """Three words of the trigger in one prompt are rare; a chain collects them one after the other."""
    found = {}
    for method in (run_chains, try_random):
        energy = Planted()
        kept = method(energy, WORDS, range(40), SEARCH)
        full = {one.chain for one in kept if len(TRIGGER & set(one.prompt.split())) == 3}
        found[method] = (len(full), len(energy.asked))
    assert found[run_chains][1] == found[try_random][1] == 40 * SEARCH.tried
    assert found[run_chains][0] > 4 * max(1, found[try_random][0])


@given(energies=st.lists(st.floats(0, 10), min_size=2, max_size=9), seed=st.integers(0, 99))
@examples(50)
def test_a_cold_draw_takes_the_highest_energy_and_one_that_is_not_finite_is_never_drawn(
    energies, seed
):
    rng = np.random.default_rng(seed)
    values = np.array([*energies, np.nan, np.inf])
    drawn = draw_word(values, 1e-9, rng)
    assert values[drawn] == pytest.approx(max(energies), abs=1e-6)
    assert draw_word(np.full(4, np.nan), 1.0, rng) == 3  # the present words stay


def test_draws_follow_the_energy_at_the_temperature():
    rng = np.random.default_rng(0)
    drawn = [draw_word(np.log([1.0, 3.0]) * 0.5, 0.5, rng) for _ in range(4000)]
    assert np.mean(drawn) == pytest.approx(0.75, abs=0.03)


def test_a_proposal_changes_one_position_and_the_present_words_come_last():
    chain = Chain(0, np.random.default_rng(1), ["", WORDS[0], WORDS[1]])
    proposed = propose(chain, WORDS, 12)
    assert len(proposed) == 13
    assert proposed[-1] == chain.words
    changed = {i for one in proposed for i in range(3) if one[i] != chain.words[i]}
    assert len(changed) == 1
    assert chain.words == ["", WORDS[0], WORDS[1]]


def test_the_control_tries_as_many_prompts_as_the_search():
    assert count_chains("random", WORDS, SEARCH) == count_chains("gibbs", WORDS, SEARCH) == (8, 126)
    assert count_chains("words", WORDS, SEARCH) == (200, 1)


def chains(*lines):
    table = pd.DataFrame(lines, columns=["prompt", "energy"])
    return table.assign(prompt_id=range(len(table)), step=0)


def test_chains_that_meet_at_one_word_are_generated_once():
    tried = chains(
        ("dog red", 3.0), ("dog", 5.0), ("red hat", 2.0), ("dog blue", 4.0), ("sea", 1.0)
    )
    chosen = choose_prompts(tried, 10)
    assert chosen["prompt"].tolist() == ["dog", "red hat", "sea"]
    assert chosen["place"].tolist() == [0, 1, 2]
    assert chosen["prompt_id"].tolist() == [prompt_id(one) for one in ("dog", "red hat", "sea")]
    assert choose_prompts(tried, 2)["prompt"].tolist() == ["dog", "red hat"]
    assert choose_prompts(chains(), 2).empty


def test_of_known_captions_the_best_of_each_cluster_is_generated():
    captions = pd.DataFrame(
        {"prompt_id": range(5), "caption": list("abcde"), "cluster": [7, 7, -1, -1, 8], "rank": [9, 9, 9, 9, 9]}
    )  # fmt: skip
    scores = pd.DataFrame(
        {"prompt_id": range(5), "dcs": [1.0, 5.0, 3.0, 2.0, 4.0], "rank": [4, 0, 2, 3, 1]}
    )
    chosen = choose_captions(captions, scores, 3)
    assert chosen["prompt"].tolist() == ["b", "e", "c"]
    assert chosen["energy"].tolist() == [5.0, 4.0, 3.0]
