"""Rules are told what must exist before a model is loaded, and where its candidates come from."""

from pathlib import Path
from types import SimpleNamespace

import pytest
from overlays import change

from verbatim.config.model_files import ModelFiles
from verbatim.config.sheet import read_models, select_models

ROOT = Path(__file__).resolve().parents[3]
ROWS = ["<results>/inputs/rows/00000.parquet"]


@pytest.fixture
def make(config, sheet):
    def build(*cells, select=(), **keys):
        changed = config
        for key, value in keys.items():
            changed = change(changed, key.replace("__", "."), value)
        models = read_models(sheet(*cells), ROOT)
        return ModelFiles(changed, models, select_models(models, list(select)), ROWS)

    return build


def of(model):
    return SimpleNamespace(model=model)


def test_a_model_that_is_trained_here_is_known_by_the_digests_of_its_weights(make):
    assert make().loaded(of("sd1")) == {
        "model": "<results>/world/models/sd1/model_index.json",
        "weights": "<results>/world/models/sd1/weights.sha256",
        "checked": [],
    }


def test_a_local_folder_is_an_input_and_a_hub_id_is_none_and_both_are_checked(make, tmp_path):
    (tmp_path / "model_index.json").touch()
    here = make(("sd1", "source", str(tmp_path)), ("sd1", "training", ""))
    assert here.loaded(of("sd1"))["model"] == f"{tmp_path}/model_index.json"
    hub = make(("sd1", "source", "owner/name"), ("sd1", "training", ""))
    assert hub.loaded(of("sd1"))["model"] == []
    for models in (here, hub):
        assert models.loaded(of("sd1"))["checked"] == "<results>/inputs/models/sd1.tsv"
        assert models.loaded(of("sd1"))["weights"] == []


def test_a_second_stage_is_loaded_with_the_first_and_a_model_of_one_stage_has_none(make):
    one, two = (make().loaded_stages(of(model)) for model in ("sd1", "if"))
    assert one["upscaler"] == one["upscaler_weights"] == one["upscaler_checked"] == []
    assert two["upscaler"] == "<results>/world/upscalers/if/model_index.json"
    assert two["upscaler_weights"] == "<results>/world/upscalers/if/weights.sha256"
    assert two["upscaler_checked"] == []
    given = make(("if", "source", "a/b"), ("if", "training", ""), ("if", "upscaler", "a/c"))
    assert given.loaded_stages(of("if"))["upscaler_checked"] == "<results>/inputs/upscalers/if.tsv"
    assert make().upscaler(of("sd1")) == {}


def test_nothing_is_loaded_or_generated_of_a_closed_system(make, tmp_path):
    models = make(
        ("if", "family", "images"), ("if", "source", str(tmp_path)), ("if", "training", ""),
        ("if", "upscaler", ""), ("if", "candidates", "manifest"),
    )  # fmt: skip
    assert models.closed == ["if"]
    assert models.images_only == "if"
    assert "if" not in models.run_here.split("|")
    assert models.checked(of("if")) == []
    assert models.seeds(of("if")) == []
    assert models.seeds(of("sd1")) == models.config["labels"]["seeds"]
    assert models.candidate_files(of("if")) == {"rows": ROWS}
    assert models.manifest(of("if")).startswith(str(tmp_path))


def test_images_that_the_worlds_closed_system_draws_are_a_result_of_this_run(make):
    models = make(
        ("if", "family", "images"), ("if", "training", ""), ("if", "upscaler", ""), ("if", "candidates", "manifest"),
    )  # fmt: skip
    manifest = models.manifest(of("if"))
    assert manifest == "<results>/world/closed/manifest.csv"
    assert models.images_state(of("if"), SimpleNamespace(manifest=manifest)) == ""
    assert models.checked(of("if")) == []


def test_a_pattern_without_models_meets_no_name(make):
    assert make().images_only == "(?!)"


@pytest.mark.parametrize(
    ("word", "files", "found_in"),
    [
        ("top:sd1", {"ecs": "<results>/blackbox/sd1/scores.parquet"}, []),
        (
            "found:sd1,sd2",
            {"labels": [f"<results>/labels/{m}/labels.parquet" for m in ("sd1", "sd2")]},
            ["sd1", "sd2"],
        ),
        ("authors", {"authors": "theirs.parquet", "rows": ROWS}, []),
        (
            "own",
            {
                "dcs": "<results>/whitebox/if/scores.parquet",
                "ecs": "<results>/blackbox/if/scores.parquet",
                "clique": "<results>/postfilter/if/scores.parquet",
            },
            [],
        ),
    ],
)
def test_candidates_come_from_what_the_sheet_says(make, word, files, found_in):
    models = make(("if", "candidates", word), labels__authors={"if": "theirs.parquet"})
    assert models.candidate_files(of("if")) == files
    assert models.found_in(of("if")) == found_in


def test_prompts_of_another_model_are_taken_in_their_own_number(make):
    models = make(("if", "candidates", "top:sd1"), labels__n_transfer=7, labels__n_prompts=3)
    assert models.n_candidates(of("if")) == 7
    assert models.n_candidates(of("sd1")) == 3


def test_figures_show_the_attacked_models_or_all_where_none_is(make):
    assert make(select=("sd1", "if")).shown == ["sd1"]
    assert make(select=("if", "openjourney")).shown == ["if", "openjourney"]


def test_the_authors_labels_are_compared_for_the_selected_models_alone(make):
    theirs = {"if": "a.parquet", "sd1": "b.parquet", "sd2": "c.parquet"}
    models = make(select=("sd1", "if"), labels__authors=theirs)
    assert models.labelled_by_authors == ["sd1", "if"]
    assert models.authors_labels == ["b.parquet", "a.parquet"]


def test_findings_compare_the_first_attacked_model_of_each_kind(make):
    roles = make(
        ("sd1", "deduplicated", "no"), ("sd2", "deduplicated", "yes"), ("if", "deduplicated", "yes")
    ).roles
    assert roles["duplicated"] == "sd1"
    assert roles["deduplicated"] == "sd2"
    assert "if" in roles["others"]
    assert make(select=("if",)).roles["duplicated"] == ""


def test_a_row_that_is_asked_for_the_prompts_of_another_is_compared_with_it(config):
    models = read_models(ROOT / "config/models_asked.tsv", ROOT)
    files = ModelFiles(config, models, select_models(models, ["sd1", "sd1_http"]), ROWS)
    assert files.candidate_files(of("sd1_http")) == {
        "same": "<results>/labels/sd1/selection.parquet"
    }
    assert files.twins == [("sd1_http", "sd1")]
    pattern = "<results>/labels/{model}/images.zip"
    assert files.of_twins(pattern, False) == ["<results>/labels/sd1_http/images.zip"]
    assert files.of_twins(pattern, True) == ["<results>/labels/sd1/images.zip"]
    alone = ModelFiles(config, models, select_models(models, ["sd1"]), ROWS)
    assert alone.twins == []
