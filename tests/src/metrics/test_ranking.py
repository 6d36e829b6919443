"""Ranks without ties, and cuts that extra prompts do not move."""

import numpy as np
import pandas as pd
import pytest

from verbatim.metrics.ranking import RankingError, rank_cliques, rank_scores, select_top


def test_the_highest_score_ranks_first_and_what_is_no_number_last():
    assert rank_scores([1.0, np.nan, 3.0, 2.0], [9, 8, 7, 6]).tolist() == [2, 3, 0, 1]


def test_ties_go_to_the_higher_second_score_then_to_the_lower_prompt_id():
    ranks = rank_scores([5, 5, 5, 5], [4, 3, 2, 1], [0.1, 0.2, np.nan, 0.1])
    assert ranks.tolist() == [2, 0, 3, 1]


def test_ranks_do_not_depend_on_the_order_of_the_table():
    rng = np.random.default_rng(0)
    scores, ids = rng.integers(0, 5, 50).astype(float), np.arange(50)
    order = rng.permutation(50)
    assert (rank_scores(scores, ids)[order] == rank_scores(scores[order], ids[order])).all()


def cliques(*rows):
    names = ["prompt_id", "kept", "clique_size", "clique_distance", "mean_distance"]
    return pd.DataFrame(rows, columns=names)


def in_order(scores):
    return scores["prompt_id"].to_numpy()[np.argsort(rank_cliques(scores))].tolist()


def test_kept_prompts_rank_by_nearness_whatever_the_size_of_their_cliques():
    # prompt 1 stopped early with a tight clique, prompt 2 went on and gathered a larger, looser one
    scores = cliques((2, True, 40, 0.09, 0.1), (1, True, 10, 0.02, 0.5), (3, False, 9, 0.01, 0.1))
    assert in_order(scores) == [1, 2, 3]


def test_ties_of_kept_cliques_go_to_the_larger_then_to_similar_images_then_to_the_id():
    scores = cliques(
        (4, True, 10, 0.05, 0.3),
        (3, True, 10, 0.05, 0.3),
        (2, True, 10, 0.05, 0.2),
        (5, True, 11, 0.05, 0.4),
    )
    assert in_order(scores) == [5, 2, 3, 4]


def test_prompts_not_kept_rank_by_size_then_similar_images_then_the_id_not_by_nearness():
    scores = cliques(
        (10, False, 1, np.nan, 0.5),
        (11, False, 6, 0.02, 0.4),
        (12, False, 6, 0.05, 0.3),
        (13, False, 7, 0.09, 0.4),
        (14, False, 1, np.nan, 0.4),
        (9, False, 1, np.nan, 0.5),
    )
    assert in_order(scores) == [13, 12, 11, 14, 9, 10]


def test_ranks_of_cliques_agree_with_a_plain_sort():
    rng = np.random.default_rng(0)
    n = 60
    scores = pd.DataFrame(
        {"prompt_id": rng.permutation(n), "kept": rng.random(n) < 0.5,
         "clique_size": rng.integers(2, 5, n), "clique_distance": rng.integers(0, 3, n) / 10,
         "mean_distance": rng.integers(0, 3, n) / 10}
    )  # fmt: skip

    def key(one):
        last = (-one.clique_size, one.mean_distance, one.prompt_id)
        return (0, one.clique_distance, *last) if one.kept else (1, *last)

    wanted = [one.prompt_id for one in sorted(scores.itertuples(), key=key)]
    assert in_order(scores) == wanted


def prompts():
    table = pd.DataFrame({"prompt_id": [1, 2, 3, 4], "row": [10, 20, -1, 40]})
    return table.assign(caption=list("abcd"), extra=[False, False, True, False])


def test_extra_prompts_come_along_and_take_nobodys_place():
    ranks = pd.DataFrame({"prompt_id": [4, 3, 2, 1], "rank": [1, 0, 2, 3]})
    chosen = select_top(prompts(), ranks, 2, "dcs")
    assert chosen["prompt_id"].tolist() == [3, 4, 2]
    assert chosen["why"].tolist() == ["extra", "dcs", "dcs"]
    assert list(chosen.columns) == ["prompt_id", "caption", "row", "extra", "why"]
    assert len(select_top(prompts(), ranks, 99, "dcs")) == 4


def test_a_prompt_without_a_rank_or_with_two_is_named():
    ranks = pd.DataFrame({"prompt_id": [1, 2, 3], "rank": [0, 1, 2]})
    with pytest.raises(RankingError, match=r"prompt_id 4 .*no rank"):
        select_top(prompts(), ranks, 2, "dcs")
    twice = pd.DataFrame({"prompt_id": [1, 2, 3, 4, 2], "rank": range(5)})
    with pytest.raises(RankingError, match=r"prompt_id 2 .*more than one rank"):
        select_top(prompts(), twice, 2, "dcs")
