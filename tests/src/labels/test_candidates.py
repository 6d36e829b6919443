"""Which prompts of a model are labelled."""

from __future__ import annotations

import pandas as pd
import pytest

from verbatim.labels.candidates import (
    CandidateError,
    found_copies,
    select_candidates,
    top_ranked,
)


def prompts(extra=(4,)) -> pd.DataFrame:
    ids = [5, 3, 1, 4, 2]
    return pd.DataFrame(
        {
            "prompt_id": ids,
            "caption": [f"caption {i}" for i in ids],
            "row": [i * 10 for i in ids],
            "extra": [i in extra for i in ids],
        }
    )


def test_the_top_of_a_ranking_leaves_extra_prompts_out_without_giving_up_a_place():
    ranks = pd.DataFrame({"prompt_id": [1, 2, 3, 4, 5], "rank": [3, 0, 2, 1, 4]})
    assert top_ranked(ranks, [4], 3) == [2, 3, 1]


def test_a_candidate_is_taken_once_with_every_reason_in_the_order_of_the_prompts():
    table = select_candidates(prompts(), {"dcs": [1, 5], "ecs": [5, 4]})
    assert table["prompt_id"].tolist() == [5, 1, 4]
    assert table["why"].tolist() == ["dcs,ecs", "dcs", "ecs,extra"]
    assert table["row"].tolist() == [50, 10, 40]


def test_no_reason_and_no_extra_prompt_give_an_empty_table_with_all_columns():
    table = select_candidates(prompts(extra=()), {"found:sd1": []})
    assert table.empty
    assert list(table.columns) == ["prompt_id", "caption", "row", "extra", "why"]


def test_found_copies_are_mv_rv_and_tv():
    labels = pd.DataFrame(
        {"prompt_id": [1, 2, 3, 4, 5], "label": ["MV", "N", "RV", "TV", "missing"]}
    )
    assert found_copies(labels) == [1, 3, 4]


def test_a_prompt_from_another_run_is_refused_by_its_key_and_reason():
    with pytest.raises(CandidateError, match=r"prompt_id 77 .* by ecs"):
        select_candidates(prompts(), {"ecs": [77]})
