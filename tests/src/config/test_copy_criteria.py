"""The copy descriptor that the config names: asked for or not, its files, and what is refused before any work."""

import pytest

from verbatim.config.copy_criteria import CopyCriteria
from verbatim.config.settings import ConfigError
from verbatim.models.descriptor_specs import FILES, make_spec


def with_descriptor(config, **entry) -> CopyCriteria:
    config["labels"]["copies"]["descriptor"] |= entry
    return CopyCriteria(config)


def test_the_worlds_descriptor_is_for_the_worlds_images_alone(config):
    assert CopyCriteria(config).asked
    config["inputs"]["source"] = "my/data"
    for source in ("world", "workflow/resources/world/descriptor"):
        assert not with_descriptor(config, source=source).asked
        with_descriptor(config, source=source).check()
    assert with_descriptor(config, source="my/sscd").asked


def test_no_descriptor_is_asked_for_by_the_kind_none(config):
    assert not with_descriptor(config, kind="none", source="nowhere").asked
    with_descriptor(config, kind="none", source="nowhere").check()


def test_files_are_those_of_the_folder_or_of_the_one_that_is_trained(config):
    folder = config["labels"]["copies"]["descriptor"]["source"]
    names = FILES["copy_network"]
    assert CopyCriteria(config).files == [f"{folder}/{name}" for name in names]
    trained = with_descriptor(config, source="world").files
    assert trained == [f"<results>/world/descriptor/{name}" for name in names]
    assert with_descriptor(config, kind="torchscript", source="a.pt").files == ["a.pt"]
    assert with_descriptor(config, kind="pixels", source="").files == []


def test_where_a_descriptor_lies_is_no_param(config):
    spec = CopyCriteria(config).spec
    assert spec == {"kind": "copy_network", "preset": "own", "sha256": ""}
    assert make_spec("a/folder", spec).key == "labels.copies.descriptor"


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ({"source": "no/folder"}, "descriptor.source is 'no/folder', and there is nothing"),
        ({"kind": "torchscript", "source": "no.pt", "preset": "sscd_320"}, "there is nothing"),
        ({"kind": "open_clip", "source": ""}, "descriptor.source is empty; name the folder of a CLIP"),
    ],
)  # fmt: skip
def test_a_descriptor_that_cannot_be_loaded_is_refused_with_its_key_and_two_cures(
    config, entry, told
):
    with pytest.raises(ConfigError, match=r"config: labels\.copies\.descriptor") as err:
        with_descriptor(config, **entry).check()
    assert told in str(err.value)
    assert "'none'" in str(err.value)
