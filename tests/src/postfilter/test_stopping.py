"""When a prompt's images are enough."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from verbatim.postfilter.cliques import search_clique
from verbatim.postfilter.stopping import chance_of_clique, decide, schedule


def test_looks_double_and_end_at_the_whole_count_with_one_more_where_giving_up_begins():
    assert schedule(24, 8, 6) == [8, 16, 20, 24]
    assert schedule(500, 8, 10) == [8, 16, 32, 64, 128, 256, 492, 500]
    assert schedule(4, 8, 6) == [4]
    assert schedule(24, 8, 6, stop_early=False) == [24]


@pytest.mark.parametrize("bad", [(0, 8, 6), (24, 0, 6), (24, 8, 1)])
def test_impossible_counts_are_refused(bad):
    with pytest.raises(ValueError, match="at least"):
        schedule(*bad)


def test_a_clique_large_enough_keeps_a_prompt_for_certain_before_the_end():
    assert decide(found=6, bound=6, seen=8, n_images=24, clique=6) == (True, True, True)


def test_a_prompt_is_given_up_exactly_when_the_images_left_cannot_complete_a_clique():
    assert decide(found=1, bound=1, seen=19, n_images=24, clique=6) == (False, False, False)
    assert decide(found=1, bound=1, seen=20, n_images=24, clique=6) == (False, True, True)
    # a search that was cut short goes by what is still possible
    assert decide(found=1, bound=2, seen=20, n_images=24, clique=6) == (False, False, False)


def test_a_search_cut_short_after_the_last_image_stops_without_certainty():
    assert decide(found=5, bound=7, seen=24, n_images=24, clique=6) == (False, False, True)


def test_a_certain_decision_is_never_overturned_by_the_images_that_follow():
    rng = np.random.default_rng(0)
    certain = 0
    for _ in range(60):
        upper = np.triu(rng.random((10, 10)) < rng.random(), 1)
        graph = upper | upper.T
        kept = len(search_clique(graph).members) >= 4
        for seen in range(1, 10):
            size = len(search_clique(graph[:seen, :seen]).members)
            decision = decide(size, size, seen, n_images=10, clique=4)
            if decision.certain:
                assert decision.kept == kept
                certain += 1
    assert certain > 100


def test_the_chance_of_a_clique_is_that_of_the_model_it_names():
    # p uniform; 2 of 3 images were copies; at least 1 of the next 2 must be: integrate over p
    p = (np.arange(200_000) + 0.5) / 200_000
    weight = p**2 * (1 - p)
    expected = (weight * (1 - (1 - p) ** 2)).sum() / weight.sum()
    assert chance_of_clique(2, 3, n_images=5, clique=3) == pytest.approx(expected, rel=1e-4)


def test_a_clique_of_one_counts_as_no_copy():
    # p uniform; none of 3 was a copy; 2 of the next 2 must be
    p = (np.arange(200_000) + 0.5) / 200_000
    weight = (1 - p) ** 3
    expected = (weight * p**2).sum() / weight.sum()
    assert chance_of_clique(1, 3, n_images=5, clique=2) == pytest.approx(expected, rel=1e-4)


def test_the_chance_falls_with_every_image_that_copies_nothing_and_rises_with_copies():
    falling = [chance_of_clique(1, seen, 500, 10) for seen in (8, 64, 256, 480)]
    rising = [chance_of_clique(found, 8, 24, 6) for found in (1, 2, 4, 6)]
    assert falling == sorted(falling, reverse=True)
    assert rising == sorted(rising)
    assert rising[-1] == 1.0
    assert all(0 <= chance_of_clique(f, s, 30, 6) <= 1 for f, s in product((1, 3), (3, 10, 30)))


def test_futility_is_off_by_default_and_never_certain_when_on():
    facts = {"found": 1, "bound": 1, "seen": 16, "n_images": 24, "clique": 6}
    assert not decide(**facts).stop
    assert decide(**facts, futility=0.05) == (False, False, True)
