"""What only the embedded world can give is refused beside a user's own data, with the cure."""

from pathlib import Path

import pytest
from overlays import change

from verbatim.config.settings import ConfigError
from verbatim.config.sheet import closed_models, read_models, select_models
from verbatim.config.sources import check_sources, find_manifest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def own_data(config):
    for key, value in (("source", "laion"), ("clip", "clip"), ("extra_prompts", "mine.txt")):
        config = change(config, f"inputs.{key}", value)
    return config


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
