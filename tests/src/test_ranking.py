"""Ranks without ties, and cuts that extra prompts do not move."""

import numpy as np
import pandas as pd
import pytest

from verbatim.ranking import RankingError, rank_scores, select_top


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
