"""A config that was written for earlier names is refused with the new ones."""

from pathlib import Path

import pytest
import yaml

from verbatim.config.old_keys import OLD_KEYS, STUDY_KEYS, new_name
from verbatim.config.settings import ConfigError, check_config

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize("key", sorted(OLD_KEYS))
def test_an_old_key_is_refused_with_what_to_write_instead(key):
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    *blocks, name = key.split(".")
    inside = config
    for block in blocks:
        inside = inside[block]
    inside[name] = 1
    with pytest.raises(ConfigError) as err:
        check_config(config, ROOT)
    assert f"{key!r}" in str(err.value)
    assert OLD_KEYS[key] in str(err.value)


def test_the_cure_of_a_renamed_key_is_a_key():
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    for cure in OLD_KEYS.values():
        if cure.startswith("the name of this key is "):
            inside = config
            for part in cure.split()[-1].split("."):
                assert part in inside, cure
                inside = inside[part]


def test_the_block_of_the_copying_study_is_refused_with_the_new_name_of_each_of_its_keys():
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    config["study"] = {
        "base": {"images": 3},
        "users": {"describes": 1},
        "measures": {"threshold": 1},
    }
    with pytest.raises(ConfigError) as err:
        check_config(config, ROOT)
    for words in (
        "the copying study has the blocks sweep, similarity, mitigation, membership and claims",
        "study.base.images is sweep.base.images",
        "study.users.describes is similarity.describes",
        "study.measures.threshold is similarity.threshold",
    ):
        assert words in str(err.value)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("study.users.n", "mitigation.users.n"),
        ("study.membership.fpr", "membership.lira.fpr"),
        ("study.base.pictures", "sweep.base.images"),
        ("study.nonsense", ""),
    ],
)
def test_a_key_of_the_old_block_is_told_its_new_name(old, new):
    assert new_name(old) == new


def test_every_new_name_of_a_key_of_the_old_block_is_a_key():
    config = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    for new in STUDY_KEYS.values():
        inside = config
        for part in new.split("."):
            assert part in inside, new
            inside = inside[part]
