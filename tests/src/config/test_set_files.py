"""Published sets in the config are checked before any work."""

from pathlib import Path

import made_sets
import pytest
from made_sets import headlines, sentences, side
from overlays import change, overlay

from verbatim.config.prompt_plan import planned_prompts
from verbatim.config.set_files import asks_sets, planned_set_prompts, set_files
from verbatim.config.settings import ConfigError, check_config
from verbatim.config.sheet import read_models
from verbatim.config.sources import check_lists

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def named(config, tmp_path):
    nemo = made_sets.write_nemo(tmp_path / "nemo.csv", headlines(8), ["VM", "TM"] * 4)
    lines = made_sets.write_lines(tmp_path / "neg.txt", sentences(10))
    sets = {
        "nemo": {"positives": side(nemo, types=["VM"]), "negatives": side(lines)},
        "alone": {"positives": side(lines, rows=[0, 5]), "pool": side(nemo)},
    }
    return overlay(config, {"prompt_sets": {"sets": sets}})


def test_a_config_with_sets_is_valid_and_names_its_files_once(named, tmp_path):
    check_config(named, ROOT)
    check_lists(named, read_models(ROOT / "config/models.tsv", ROOT))
    assert set_files(named) == [str(tmp_path / "nemo.csv"), str(tmp_path / "neg.txt")]


def test_prompts_of_the_sets_are_planned_for_every_stage_where_they_are_the_prompts(named, sheet):
    most = planned_set_prompts(named)
    assert most >= (8 + 10) + (10 + 2 * 10)  # lines, and two matched negatives a line of the second
    before = planned_prompts(named)
    asked = change(named, "dedup.prompt_list", "prompt_sets")
    assert asks_sets(asked)
    assert not asks_sets(named)
    models = read_models(sheet(), ROOT)
    for stage in ("whitebox", "blackbox", "postfilter"):
        assert planned_prompts(asked, models, stage, "sd1") == most != before


def refused(config):
    with pytest.raises(ConfigError) as err:
        check_lists(config, read_models(ROOT / "config/models.tsv", ROOT))
    return str(err.value)


def test_everything_that_is_wrong_is_told_at_once_with_key_and_cure(named, tmp_path):
    (tmp_path / "other.csv").write_text("name;url\na;b\n")
    named["prompt_sets"]["sets"]["nemo"]["negatives"] = side(
        tmp_path / "other.csv", tmp_path / "none.txt"
    )
    named["prompt_sets"]["sets"]["alone"]["positives"]["rows"] = [5, 5]
    said = refused(named)
    assert "prompt_sets.sets.nemo.negatives.files" in said
    assert "no column caption or prompt or text" in said
    assert "none.txt: no such file; correct the path or take it out" in said
    assert "prompt_sets.sets.alone.positives.rows is [5, 5], which holds no row" in said


def test_a_type_is_asked_of_a_file_that_has_types(named, tmp_path):
    made_sets.write_nemo(tmp_path / "plain.csv", headlines(4))
    named["prompt_sets"]["sets"]["nemo"]["positives"]["files"] = [str(tmp_path / "plain.csv")]
    assert "no column overfit_type or type" in refused(named)


def test_prompts_of_sets_need_a_set_and_take_no_further_prompts(config, named):
    assert "prompt_sets.sets is empty; name the files" in refused(
        change(config, "dedup.prompt_list", "prompt_sets")
    )
    asked = change(named, "dedup.prompt_list", "prompt_sets")
    more = change(
        asked, "inputs.extra_prompts", named["prompt_sets"]["sets"]["nemo"]["negatives"]["files"][0]
    )
    assert "make the file a set of prompt_sets.sets, or empty it" in refused(more)


def test_a_mistyped_side_is_refused_with_the_right_word(named):
    named["prompt_sets"]["sets"]["nemo"]["negative"] = side()
    with pytest.raises(
        ConfigError, match=r"nemo\.negative' is no known key \(did you mean 'negatives'"
    ):
        check_config(named, ROOT)
