"""Typos are named with their near match; a sheet's errors name the row and the column."""

import copy
from pathlib import Path

import pandas as pd
import pytest
import yaml

from verbatim.config.settings import (
    ConfigError,
    candidate_models,
    check_config,
    check_sources,
    closed_models,
    find_manifest,
    loading_row,
    planned_prompts,
    read_models,
    read_numbers,
    select_models,
    upscaler_row,
)

ROOT = Path(__file__).resolve().parents[3]
MODELS = ["sd1", "sd2", "if", "openjourney", "realisticvision"]


@pytest.fixture
def config() -> dict:
    return yaml.safe_load((ROOT / "config" / "config.yaml").read_text())


def change(config: dict, key: str, value: object) -> dict:
    config = copy.deepcopy(config)
    *path, last = key.split(".")
    block = config
    for part in path:
        block = block[part]
    block[last] = value
    return config


def test_the_default_config_is_sound(config):
    check_config(config, ROOT)


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("whitebox.guidence", "guidance"),
        ("dedup.treshold", "threshold"),
        ("world.planted.singel", "single"),
        ("blackbox.presets.world.sobol", "sobel"),
        ("whiteboxx", "whitebox"),
    ],
)
def test_a_mistyped_key_is_named_with_its_near_match(config, key, near):
    with pytest.raises(ConfigError, match=f"{key!r} is no known key .did you mean {near!r}"):
        check_config(change(config, key, 1), ROOT)


@pytest.mark.parametrize("name", ["rt", "cwr", "rna"])
def test_a_chance_at_inference_is_refused_with_what_to_write_instead(config, name):
    with pytest.raises(
        ConfigError, match=rf"mitigation\.inference\.{name}' is no known key; .*passes"
    ):
        check_config(change(config, f"mitigation.inference.{name}", 0.1), ROOT)


def test_an_unknown_key_is_named_with_the_known_ones(config):
    with pytest.raises(
        ConfigError, match=r"'sampling\.zzz' is no known key; known: batch, guidance"
    ):
        check_config(change(config, "sampling.zzz", 1), ROOT)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("whitebox.seeds", "zero"),
        ("whitebox.seeds", []),
        ("sampling.steps", 0),
        ("sampling.steps", 2.5),
        ("sampling.sampler", "plms"),
        ("dedup.threshold", 1.5),
        ("labels.order", ["MV", "XV"]),
        ("whitebox.batch", None),
    ],
)
def test_a_wrong_value_is_named_with_its_key_and_meaning(config, key, value):
    with pytest.raises(ConfigError) as err:
        check_config(change(config, key, value), ROOT)
    assert key in str(err.value)
    assert repr(value) in str(err.value) or "XV" in str(err.value)


def test_numbers_that_the_command_line_gives_as_text_are_numbers(config):
    """Snakemake reads `--config sampling="{steps: 5}"` as text."""
    for key, text in [
        ("sampling.steps", "5"), ("sampling.guidance", "2.5"), ("dedup.threshold", "9e-1"),
        ("whitebox.seeds", ["3", "4"]), ("postfilter.stop_early", "False"),
        ("labels.presets.paper.mv", "0.2"), ("world.planted.full.times", ["7"]),
    ]:  # fmt: skip
        config = change(config, key, text)
    read_numbers(config, ROOT)
    check_config(config, ROOT)
    assert config["sampling"]["steps"] == 5
    assert config["sampling"]["guidance"] == 2.5
    assert config["dedup"]["threshold"] == 0.9
    assert config["whitebox"]["seeds"] == [3, 4]
    assert config["postfilter"]["stop_early"] is False
    assert config["labels"]["presets"]["paper"]["mv"] == 0.2
    assert config["world"]["planted"]["full"]["times"] == [7]


@pytest.mark.parametrize("text", ["five", "", "[5]", "null", "5x"])
def test_text_that_is_no_number_is_refused_as_it_was_written(config, text):
    config = change(config, "sampling.steps", text)
    read_numbers(config, ROOT)
    assert config["sampling"]["steps"] == text
    with pytest.raises(ConfigError, match=r"sampling\.steps is "):
        check_config(config, ROOT)


def test_a_name_that_looks_like_a_number_stays_a_name(config):
    config = change(config, "results", "2026")
    read_numbers(config, ROOT)
    assert config["results"] == "2026"


def test_a_missing_key_is_named(config):
    del config["postfilter"]["n_images"]
    with pytest.raises(ConfigError, match="postfilter: 'n_images' is a required property"):
        check_config(config, ROOT)


def test_all_that_is_wrong_is_told_at_once(config):
    config = change(change(config, "dedup.k", 0), "labels.sise", 3)
    with pytest.raises(ConfigError) as err:
        check_config(config, ROOT)
    assert "dedup.k" in str(err.value)
    assert "labels.sise" in str(err.value)


@pytest.mark.parametrize("stage", ["blackbox", "postfilter", "labels"])
def test_a_preset_that_is_not_listed_is_refused_with_the_listed_ones(config, stage):
    with pytest.raises(ConfigError, match=rf"{stage}\.preset is 'mine'; known: "):
        check_config(change(config, f"{stage}.preset", "mine"), ROOT)


def test_the_reference_score_needs_guidance(config):
    with pytest.raises(ConfigError, match=r"whitebox\.guidance is 1.*preset 'paper'"):
        check_config(change(config, "whitebox.guidance", 1), ROOT)
    check_config(change(change(config, "whitebox.guidance", 1), "whitebox.preset", "paper"), ROOT)


@pytest.fixture
def sheet(tmp_path):
    """Write a copy of the models sheet with changed cells: (row, column, value)."""

    def write(*cells: tuple[str, str, str]) -> Path:
        table = pd.read_csv(
            ROOT / "config" / "models_train.tsv", sep="\t", dtype=str, keep_default_na=False
        )
        for model, column, value in cells:
            table.loc[table.model == model, column] = value
        table.to_csv(tmp_path / "models.tsv", sep="\t", index=False)
        return tmp_path / "models.tsv"

    return write


def test_the_default_sheet_is_sound_and_a_job_is_told_what_it_loads_and_no_more(sheet):
    models = read_models(sheet(), ROOT)
    assert list(models.index) == MODELS
    assert loading_row(models, "sd2") == {
        "model": "sd2", "family": "sd", "source": "train", "revision": "", "dtype": "float32",
        "memory": "full",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        (("sd2", "family", "sdxl"), ["line 3", "family", "'sdxl'"]),
        (("if", "model", "IF 1"), ["line 4", "model", "'IF 1'"]),
        (("if", "candidates", "top sd1"), ["line 4", "candidates", "'top sd1'"]),
        (("if", "candidates", "top:sd9"), ["if refers to 'sd9'", "no row"]),
        (("openjourney", "init", "sd9"), ["openjourney refers to 'sd9'"]),
        (("openjourney", "candidates", "found:sd1,sd9"), ["'sd9'"]),
        (("sd2", "model", "sd1"), ["['sd1'] stand twice"]),
        (("sd1", "training", ""), ["sd1 is trained here", "`training`"]),
        (("sd1", "dtype", "float8"), ["line 2", "dtype", "'float8'"]),
        (("sd1", "whitebox", "YES"), ["line 2", "whitebox", "'YES'"]),
        (("if", "candidates", "manifest"), ["if has the candidates 'manifest'", "'images'"]),
        (("if", "upscaler", ""), ["if has the family 'if'", "no upscaler", "e.g. train"]),
        (("if", "upscaler_revision", "abc"), ["if has the upscaler_revision 'abc'", "empty"]),
        (("if", "source", "a/b"), ["if has the upscaler 'train'", "'a/b'", "a hub id"]),
        (("sd1", "upscaler", "a/b"), ["sd1 has the upscaler 'a/b'", "only family if"]),
        (("sd2", "upscaler_revision", "abc"), ["sd2 has the upscaler_revision 'abc'"]),
        (("if", "family", "images"), ["if has the family 'images'", "source", "give the folder"]),
    ],
    ids=lambda value: "-".join(value)[:30],
)
def test_a_wrong_cell_is_named_with_its_file_row_and_column(sheet, cell, words):
    with pytest.raises(ConfigError) as err:
        read_models(sheet(cell), ROOT)
    for word in ["models.tsv", *words]:
        assert word in str(err.value)


def closed(sheet, source, *cells):
    """A sheet whose row `if` is a folder of images."""
    changed = [("family", "images"), ("source", str(source)), ("training", ""), ("upscaler", "")]
    return sheet(*(("if", column, value) for column, value in changed), *cells)


def test_a_closed_system_is_a_row_of_images_and_nothing_else(sheet, tmp_path, config):
    models = read_models(closed(sheet, tmp_path), ROOT)
    assert closed_models(models) == ["if"]
    with pytest.raises(ConfigError, match=r"if has the family 'images'.*no folder with a manifest"):
        check_sources(config, models, models)
    check_sources(config, models, select_models(models, ["sd1"]))
    (tmp_path / "manifest.csv").write_text("file,prompt\na.png,a red heart, blue\n")
    with pytest.raises(ConfigError, match=r"if: .*manifest\.csv, line 2: 3 cells"):
        check_sources(config, models, models)
    (tmp_path / "manifest.csv").write_text("file,prompt\na.png,a red heart\n")
    check_sources(config, models, models)
    assert find_manifest(tmp_path).name == "manifest.csv"
    (tmp_path / "manifest.parquet").touch()
    assert find_manifest(tmp_path).name == "manifest.parquet"
    wrong = [("whitebox", "yes"), ("candidates", "own"), ("init", "sd1"), ("training", "all")]
    for column, value in wrong:
        with pytest.raises(ConfigError, match=rf"'images'.*{column} cannot be '{value}'"):
            read_models(closed(sheet, tmp_path, ("if", column, value)), ROOT)


def test_a_sheet_may_say_how_to_save_memory(sheet):
    models = read_models(sheet(("sd1", "memory", "offload")), ROOT)
    assert loading_row(models, "sd1")["memory"] == "offload"
    assert loading_row(models, "sd2")["memory"] == "full"
    with pytest.raises(ConfigError, match=r"line 2: memory is 'less'"):
        read_models(sheet(("sd1", "memory", "less")), ROOT)


def test_a_job_is_told_of_a_second_stage_and_how_it_generates(sheet, config):
    models, sampling = read_models(sheet(), ROOT), config["sampling"]
    assert upscaler_row(models, "sd1", sampling) == {}
    assert upscaler_row(models, "if", sampling) == {
        "source": "train", "revision": "", **sampling["upscaler"]
    }  # fmt: skip
    assert set(sampling["upscaler"]) == {"sampler", "steps", "guidance", "noise_level"}


def test_a_sheet_without_the_columns_of_a_second_stage_has_none(sheet, tmp_path):
    path = sheet()
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    table = table[table.family == "sd"].drop(columns=["upscaler", "upscaler_revision"])
    table.to_csv(path, sep="\t", index=False)
    assert read_models(path, ROOT)["upscaler"].tolist() == [""] * 4


def test_a_mistyped_column_is_named_with_its_near_match(sheet):
    path = sheet()
    path.write_text(path.read_text().replace("\trevision\t", "\trevison\t"))
    with pytest.raises(ConfigError, match=r"models\.tsv.*\['revision'\]"):
        read_models(path, ROOT)
    path.write_text(path.read_text().replace("\trevison\t", "\trevision\t").replace("\n", "\tx\n"))
    with pytest.raises(ConfigError, match=r"models\.tsv, line 2: 'x' is no known key"):
        read_models(path, ROOT)


def test_a_missing_sheet_and_one_with_commas_are_named(tmp_path, sheet):
    with pytest.raises(
        ConfigError, match=r"none\.tsv: no such file\. It is the models sheet \(`models`"
    ):
        read_models(tmp_path / "none.tsv", ROOT)
    path = sheet()
    columns = len(path.read_text().splitlines()[0].split("\t"))
    path.write_text(path.read_text().replace("\t", ","))  # a cell of line 5 has one of its own
    with pytest.raises(
        ConfigError,
        match=rf"line 5: {columns + 1} cells .* the header has {columns} .* comma-separated",
    ):
        read_models(path, ROOT)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("name", "SD #2"),
        ("source", "/data/models#1/sd"),
        ("source", "/data/models #1"),
        ("reference", "SD V1#"),
    ],
)
def test_a_number_sign_in_a_cell_is_part_of_the_cell(sheet, column, value):
    path = sheet(("sd1", column, value), ("sd1", "training", "all"))
    if column == "source":
        path = sheet(("sd1", "source", value), ("sd1", "training", ""))
    path.write_text("# a comment\n" + path.read_text() + "#sd9\tleft out\n")
    models = read_models(path, ROOT)
    assert models.loc["sd1", column] == value
    assert list(models.index) == MODELS


def test_a_wrong_cell_is_named_by_its_line_whatever_is_commented_out_before_it(sheet):
    path = sheet(("sd2", "family", "sdxl"), ("if", "name", "IF\u200b"))
    lines = path.read_text().splitlines()
    path.write_text(
        "\n".join(["# first", lines[0], "#" + lines[1], "", lines[1], lines[2], "# x", *lines[3:]])
    )
    with pytest.raises(ConfigError) as err:
        read_models(path, ROOT)
    assert "models.tsv, line 6: family is 'sdxl'" in str(err.value)
    assert (
        "models.tsv, line 8: column name: 'IF\\u200b' holds a character that cannot be seen"
        in str(err.value)
    )


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("sep", ["\t", ";", ","])
def test_a_sheet_that_a_spreadsheet_program_saved_is_the_same_sheet(sheet, sep, encoding):
    path = sheet()
    table = pd.read_csv(path, sep="\t", dtype=str, keep_default_na=False)
    table.to_csv(path, sep=sep, index=False, encoding=encoding, lineterminator="\r\n")
    assert read_models(path, ROOT)[table.columns].equals(table.set_index("model", drop=False))


def test_models_are_selected_in_the_sheets_order_and_unknown_ones_named(sheet):
    models = read_models(sheet(), ROOT)
    assert list(select_models(models, ["if", "sd1"]).index) == ["sd1", "if"]
    assert len(select_models(models, [])) == len(models)
    with pytest.raises(ConfigError, match=r"select_models has \['sd3'\]; rows of the sheet: sd1"):
        select_models(models, ["sd3"])


def test_the_models_behind_a_word_for_candidates():
    assert candidate_models("own") == []
    assert candidate_models("top:sd1") == ["sd1"]
    assert candidate_models("found:sd1,sd2") == ["sd1", "sd2"]


def test_prompts_are_planned_for_the_selected_and_the_held_out(config):
    n = config["dedup"]["n_prompts"]
    planted = config["world"]["planted"]
    held_out = sum(planted["held_out"].values())
    assert held_out >= 300
    assert planned_prompts(config) == n + held_out
    for own, beside in (("", 0), ("captions.txt", held_out)):
        assert planned_prompts(change(config, "inputs.extra_prompts", own)) == n + beside


def test_each_stage_plans_for_what_the_one_before_can_hand_it(config, sheet):
    for key, n in (
        ("dedup.n_prompts", 1000), ("blackbox.n_prompts", 300), ("postfilter.n_prompts", 500),
        ("labels.n_prompts", 40), ("labels.n_transfer", 70), ("inputs.extra_prompts", ""),
    ):  # fmt: skip
        config = change(config, key, n)
    models = read_models(sheet(), ROOT)

    def planned(stage, model="sd1", config=config):
        return planned_prompts(config, models, stage, model)

    assert [planned(s) for s in ("whitebox", "blackbox", "postfilter")] == [1000, 300, 300]
    assert planned("labels", "sd1") == 3 * 40  # by DCS, ECS and cliques
    assert planned("labels", "if") == 70
    assert planned("labels", "openjourney") == 2 * 3 * 40  # all that may be found in sd1 and sd2
    few = change(config, "dedup.n_prompts", 100)
    assert planned("labels", "openjourney", few) == planned("blackbox", config=few) == 100
    planted = config["world"]["planted"]
    held_out = sum(planted["held_out"].values())
    world = change(config, "inputs.extra_prompts", "world")
    assert planned("labels", "if", world) == 70 + held_out


def test_models_that_name_each_other_for_candidates_can_be_planned(config, sheet):
    ring = sheet(("sd1", "candidates", "found:sd2"), ("sd2", "candidates", "found:sd1"))
    config = change(config, "inputs.extra_prompts", "")
    assert planned_prompts(config, read_models(ring, ROOT), "labels", "sd1") == 0


def test_a_users_own_prompts_are_planned_for_by_the_lines_of_their_file(config, tmp_path):
    n, planted = config["dedup"]["n_prompts"], config["world"]["planted"]
    held_out = sum(planted["held_out"].values())
    (tmp_path / "mine.csv").write_text("caption\na cat\na dog\n")
    pd.DataFrame({"caption": ["a", "b"]}).to_parquet(tmp_path / "mine.parquet")
    (tmp_path / "broken.parquet").write_text("no")
    for name, extra in (("mine.csv", 3), ("mine.parquet", 2), ("broken.parquet", 0), ("none", 0)):
        own = change(config, "inputs.extra_prompts", str(tmp_path / name))
        assert planned_prompts(own) == n + held_out + extra, name  # beside the world's
        assert planned_prompts(change(own, "inputs.source", "laion")) == n + extra, name


@pytest.fixture
def own_data(config):
    for key, value in (("source", "laion"), ("clip", "clip"), ("extra_prompts", "mine.txt")):
        config = change(config, f"inputs.{key}", value)
    return config


def test_the_world_has_all_that_it_asks_for_and_own_data_with_own_models_too(
    config, own_data, sheet
):
    models = read_models(sheet(), ROOT)
    check_sources(config, models, models)
    models = read_models(
        sheet(("sd1", "source", "a"), ("if", "source", "b"), ("if", "upscaler", "c")), ROOT
    )
    check_sources(own_data, models, select_models(models, ["sd1", "if"]))


RELEASED_CLIP = "workflow/resources/world/clip"


@pytest.mark.parametrize(
    ("key", "value"),
    [("clip", "world"), ("clip", RELEASED_CLIP), ("extra_prompts", "world")],
)
def test_the_worlds_clip_and_captions_are_refused_beside_own_data(own_data, sheet, key, value):
    models = read_models(sheet(("sd1", "source", "a")), ROOT)
    wrong = change(own_data, f"inputs.{key}", value)
    with pytest.raises(
        ConfigError, match=rf"^config: inputs\.{key} is '{value}', which .*'laion'; name"
    ):
        check_sources(wrong, models, select_models(models, ["sd1"]))


def test_the_worlds_released_models_are_refused_beside_own_data(own_data, config):
    """They would draw nothing that a user asks for, and no file would be missing."""
    models = read_models(ROOT / config["models"], ROOT)
    chosen = select_models(models, ["sd1"])
    check_sources(config, models, chosen)
    with pytest.raises(
        ConfigError, match=r"sd1 has the source 'workflow/resources/world/sd1'.*'laion'"
    ):
        check_sources(own_data, models, chosen)


def test_models_to_train_are_refused_beside_own_data_also_where_another_needs_them(own_data, sheet):
    models = read_models(
        sheet(("sd1", "source", "a"), ("if", "source", "b"), ("if", "upscaler", "c")), ROOT
    )
    with pytest.raises(ConfigError) as err:
        check_sources(own_data, models, models)
    lines = str(err.value).split("\n")
    assert [line.split()[1] for line in lines] == ["sd2", "openjourney", "realisticvision"]
    assert all("'train'" in line and "give it a folder or a hub id" in line for line in lines)

    # candidates from a model that is trained, and that one's start
    cells = [
        ("if", "source", "b"),
        ("if", "upscaler", "c"),
        ("if", "candidates", "top:sd2"),
        ("sd2", "init", "sd1"),
    ]
    models = read_models(sheet(*cells), ROOT)
    with pytest.raises(ConfigError) as err:
        check_sources(own_data, models, select_models(models, ["if"]))
    lines = str(err.value).split("\n")
    assert [line.split()[1] for line in lines] == ["sd1", "sd2"]
    assert all("is needed by a selected model" in line for line in lines)


def test_the_old_key_of_a_bundles_images_names_the_new_one(config):
    config["evidence"]["bundle"] = {"images": "blurred", "only": [1]}
    with pytest.raises(ConfigError) as told:
        check_config(config, ROOT)
    assert "evidence.bundle.images, evidence.bundle.only is no key" in str(told.value)
    assert "privacy (images: full, blurred or none; only: prompt_ids)" in str(told.value)


def test_prompts_named_without_hiding_anything_are_refused(config):
    config["privacy"]["only"] = [1]
    with pytest.raises(ConfigError, match="nothing of them would be hidden"):
        check_config(config, ROOT)
    config["privacy"]["images"] = "blurred"
    check_config(config, ROOT)
    config["privacy"]["images"] = "partly"
    with pytest.raises(ConfigError, match=r"privacy\.images is 'partly'"):
        check_config(config, ROOT)
