"""What a run of the copying study consists of, and the files that a rule asks of it."""

import copy
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from verbatim.config.sweep_plan import read_plan, seed_for, used_constants
from verbatim.config.sweep_points import COLUMNS, GridError

ROOT = Path(__file__).resolve().parents[3]
LINES = {
    "none": {},
    "full10": {"ddf": "10"},
    "uncond": {"conditioning": "none", "description": "without captions"},
    "large": {"images": "700"},
    "half0": {"subset": "half:0", "images": "400"},
}


@pytest.fixture
def config(tmp_path):
    sheet = tmp_path / "sweep.tsv"
    rows = [[name, *(line.get(key, "") for key in COLUMNS[1:])] for name, line in LINES.items()]
    sheet.write_text("\n".join("\t".join(row) for row in [list(COLUMNS), *rows]) + "\n", "utf-8")
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text("utf-8"))
    config["sweep"] |= {"points": str(sheet), "seeds": [3, 5]}
    config["mitigation"] |= {"defended": ["full10"], "defences": ["gni", "wen"]}
    return config


def test_each_point_is_trained_for_each_seed_and_a_shadow_model_for_the_first(config):
    plan = read_plan(config)
    assert len(plan.trainings) == 4 * 2 + 1
    assert plan.of_shadows("{point}/{seed}/model") == ["half0/3/model"]
    assert plan.of_trainings("<results>/{point}/{seed}")[-1] == "<results>/half0/3"


def test_a_defended_point_has_a_run_for_each_defence_and_a_shadow_model_has_none(config):
    plan = read_plan(config)
    files = plan.of_runs("{point}/{seed}/{defence}")
    assert len(files) == len(plan.runs) == 4 * 2 + 2 * 2
    assert {"full10/3/none", "full10/5/wen"} <= set(files)
    assert not [file for file in files if file.startswith("half0")]
    assert plan.run_seeds == [3, 5]


def test_a_model_without_captions_is_found_by_its_conditioning(config):
    plan = read_plan(config)
    assert plan.of_bare("{point}-{seed}") == ["uncond-3", "uncond-5"]
    assert plan.bare_descriptions == {"uncond": "without captions"}


def test_the_pool_is_as_large_as_the_largest_point_of_the_sheet_wants_whatever_is_selected(config):
    assert read_plan(config).pool_size == 800  # both halves of the shadow model
    config["sweep"]["select_points"] = ["none"]
    config["mitigation"]["defended"] = []
    plan = read_plan(config)
    assert plan.pool_size == 800
    assert list(plan.points) == ["none"]
    assert len(plan.records) == len(LINES)


@pytest.mark.parametrize(
    ("selected", "shown"),
    [([], "none"), (["full10", "uncond"], "full10"), (["uncond"], "uncond")],
)
def test_the_point_that_is_shown_is_the_plainest_of_the_run(config, selected, shown):
    config["sweep"]["select_points"] = selected
    assert read_plan(config).of_shown("{point}/{seed}") == f"{shown}/3"


def test_the_points_of_a_seed_are_those_with_a_run_of_it(config):
    plan = read_plan(config)
    five, four = SimpleNamespace(seed="5"), SimpleNamespace(seed="4")
    assert list(plan.dataset_points(five)) == ["none", "full10", "uncond", "large"]
    assert plan.dataset_points(five)["full10"]["ddf"] == 10
    assert plan.of_dataset("{point}/{seed}")(five)[1] == "full10/5"
    assert plan.dataset_points(four) == {}


def test_a_job_is_told_of_its_point_and_of_the_constants_that_it_reads(config):
    plan = read_plan(config)
    job = SimpleNamespace(point="uncond", seed="3", defence="gni")
    assert plan.settings(job) == plan.every["uncond"].settings()
    assert (plan.conditioning(job), plan.unconditional(job)) == ("none", True)
    assert not plan.unconditional(SimpleNamespace(point="none"))
    assert plan.defence_constants(job) == {"gni": config["mitigation"]["inference"]["gni"]}
    assert plan.training_constants(job) == {}
    assert plan.training_seed(job) == seed_for(3, "training")


def test_users_prompts_are_given_to_a_point_of_the_sheet(config):
    config["mitigation"]["users"]["point"] = "full10"
    assert read_plan(config).of_users("{point}/{seed}/rows.parquet") == "full10/3/rows.parquet"
    wrong = copy.deepcopy(config)
    wrong["mitigation"]["users"]["point"] = "ful10"
    with pytest.raises(
        GridError, match=r"mitigation\.users\.point is 'ful10', which is no point of"
    ):
        read_plan(wrong)


def test_a_mitigation_sees_its_own_constants_alone():
    entries = {"gn": 0.1, "rc": 0.4, "rt": 0.2, "cwr": 0.3, "passes": 2}
    assert used_constants(entries, "mitigations", "rt") == {"rt": 0.2, "passes": 2}
    assert used_constants(entries, "mitigations", "none") == {}


def test_seeds_differ_by_use_and_by_study_seed_and_are_the_same_again():
    made = {seed_for(seed, use) for seed in (0, 1) for use in ("training", "other")}
    assert len(made) == 4
    assert all(0 <= seed < 2**32 for seed in made)
    assert seed_for(0, "training") == seed_for("0", "training")
