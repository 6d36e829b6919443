"""Which files the rules of published prompt sets ask for."""

import pytest

from verbatim.config.set_plan import Sets

FILES = {"a": {"positives": {"files": ["p.csv"]}, "negatives": {"files": ["n.csv", "p.csv"]}}}


@pytest.fixture
def plan(make):
    """The plan of a run with one set."""
    return lambda **keys: Sets(make(prompt_sets__sets=FILES, **keys))


def test_every_file_of_a_set_is_asked_for_once(plan):
    assert plan().files == ["p.csv", "n.csv"]


def test_prompts_of_the_run_are_the_sets_only_where_the_config_says_so(plan):
    assert (plan().prompts, plan().prompt_list) == ("prompts_of_sets", [])
    assert plan(dedup__prompt_list="mine.csv").prompt_list == "mine.csv"
    asked = plan(dedup__prompt_list="prompt_sets")
    assert (asked.prompts, asked.prompt_list) == ("prompts", [])


def test_scores_are_a_target_only_where_the_run_scores_the_sets(plan):
    blind = "<results>/tables/prompt_sets.html"
    assert plan().targets == [blind]
    assert plan(dedup__prompt_list="prompt_sets").targets == [
        blind,
        "<results>/tables/set_scores.html",
    ]


def test_the_post_filter_is_compared_only_where_it_is_asked_for(plan):
    assert plan(prompt_sets__postfilter=False).stages == ["whitebox", "blackbox"]
    assert plan(prompt_sets__postfilter=False).cliques == []
    asked = plan(prompt_sets__postfilter=True)
    assert asked.stages == ["whitebox", "blackbox", "postfilter"]
    assert asked.cliques[0] == "<results>/postfilter/sd1/scores.parquet"
