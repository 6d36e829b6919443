"""Rules are told which files every stage has, and get the keys of the config that they use and no more."""

from pathlib import Path
from types import SimpleNamespace

import pytest

from verbatim.config.run import ATTACK, pick


def of(model, **more):
    return SimpleNamespace(model=model, **more)


def test_a_rule_gets_the_keys_that_it_names_and_no_other(make):
    run = make(whitebox__guidance=3.0)
    assert run.pick("whitebox", "guidance batch") == {
        "guidance": 3.0,
        "batch": run.config["whitebox"]["batch"],
    }
    assert set(run.pick("inputs.download", "workers retries")) == {"workers", "retries"}
    with pytest.raises(KeyError, match="guidence"):
        pick(run.config["whitebox"], "guidence")


def test_shards_of_a_stage_hold_all_its_planned_prompts_and_the_last_one_knows_it(make):
    run = make(
        dedup__n_prompts=100,
        whitebox__prompts_a_shard=40,
        inputs__extra_prompts="",
    )
    files = run.of_shards("whitebox", ".cost.parquet")(of("sd1"))
    assert files == [f"<results>/whitebox/sd1/shards/0000{i}.cost.parquet" for i in range(3)]
    last = run.last_shard("whitebox")
    assert [last(of("sd1", shard=f"0000{i}")) for i in range(3)] == [False, False, True]


def test_a_stage_has_a_shard_even_where_nothing_is_planned(make):
    run = make(("sd1", "candidates", "authors"), inputs__extra_prompts="")
    assert run.shards("labels", "sd1") == ["00000"]


def test_finished_work_is_kept_in_the_models_folder_of_the_stage(make):
    assert make(results="out").kept("labels")(of("if")) == "out/labels/if/kept"


def test_scores_are_those_of_the_models_that_are_attacked(make):
    run = make(("sd2", "whitebox", "no"), select=("sd1", "sd2", "if"))
    assert run.models.attacked == ["sd1"]
    assert run.all_scores == [f"<results>/{stage}/sd1/scores.parquet" for stage in ATTACK]
    labels = [f"<results>/labels/{m}/cost.parquet" for m in ("sd1", "sd2", "if")]
    assert run.costs == [f"<results>/{stage}/sd1/cost.parquet" for stage in ATTACK] + labels


def test_detectors_are_those_of_the_attacked_models_and_none_where_no_score_is_named(make):
    pattern = "<results>/detectors/{model}/detectors.parquet"
    assert make(select=("sd1", "if")).of_detected(pattern) == []
    asked = make(("sd2", "whitebox", "no"), select=("sd1", "sd2", "if"), detectors__scores=["wen"])
    assert asked.of_detected(pattern) == ["<results>/detectors/sd1/detectors.parquet"]
    assert "<results>/detectors/sd1/cost.parquet" in asked.costs


@pytest.mark.parametrize(
    ("world", "attacked", "has", "lacks"),
    [
        (True, True, ["recall", "evaluation", "precision", "findings"], ["agreement"]),
        (True, False, ["recall", "confusion"], ["precision", "kinds", "findings"]),
        (False, True, ["precision", "costs"], ["recall", "kinds", "findings"]),
        (False, False, ["costs"], ["recall", "precision", "kinds"]),
    ],
)
def test_a_run_has_the_tables_that_its_data_and_its_models_allow(make, world, attacked, has, lacks):
    select = ("sd1",) if attacked else ("openjourney",)
    run = make(select=select, world=world)
    names = {Path(path).stem for path in run.tables}
    assert set(has) <= names
    assert not set(lacks) & names
    assert bool(run.truth_table("recall")) == world
    assert bool(run.detector_table("kinds")) == (world and attacked)
    assert bool(run.precision) == attacked
    assert ("<results>/figures/roc.png" in run.figures) == world
    assert "<results>/figures/table1.pdf" in run.figures


def test_prompts_are_named_to_hide_them_only_where_some_are(make):
    assert make().known_prompts == []
    run = make(
        ("sd2", "candidates", "authors"),
        privacy__only=[1],
        labels__authors={"sd2": "theirs.parquet"},
    )
    assert run.known_prompts == [
        "<results>/dedup/prompts.parquet",
        "<results>/labels/sd2/selection.parquet",
    ]
    assert "<results>/tables/agreement.csv" in run.tables


def test_the_guidance_of_the_ranking_preset_comes_first_and_each_once(make):
    presets = {
        "a": {"guidance": 7.5}, "b": {"guidance": 1.0}, "c": {"guidance": 3.0}, "d": {"guidance": 7.5},
    }  # fmt: skip
    assert make(blackbox__preset="c", blackbox__presets=presets).guidances == [3.0, 1.0, 7.5]


def test_what_a_bundle_says_of_its_finding_is_what_was_used(make):
    run = make(labels__seeds=[4, 5])
    said = run.bundle_settings(of("if"))
    assert said["labels"]["seeds"] == [4, 5]
    assert said["labels"]["thresholds"] == run.thresholds("labels")
    assert said["sampling"]["upscaler"]["source"] == "train"
    assert "batch" not in said["sampling"]  # it changes no image


def test_the_worlds_of_several_seeds_are_compared_table_by_table(make):
    run = make(tables__seed_runs=[1, 2])
    assert run.of_seeds("<results>/seeds/{seed}/table1.csv") == [
        "<results>/seeds/1/table1.csv",
        "<results>/seeds/2/table1.csv",
    ]


def test_checks_know_which_models_are_attacked_and_trained_on_what_is_kept(make):
    run = make(("sd2", "training", "deduplicated"))
    rows = {row["model"]: row for row in run.check_settings["models"]}
    assert [m for m in rows if rows[m]["attacked"]] == run.models.attacked
    assert [m for m in rows if rows[m]["trained_on_kept"]] == run.models.trained_on_kept
    assert "sd2" in run.models.trained_on_kept
    assert "<results>/world/training/sd2/rows.parquet" in run.trained_rows


def test_urls_are_an_input_only_where_they_are_fetched(make):
    assert make(inputs__fetch_urls=False).urls(of("sd1")) == []
    assert make(inputs__fetch_urls=True).urls(of("sd1")) == "<results>/labels/sd1/urls.parquet"
