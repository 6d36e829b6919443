"""A config that was written for earlier names is refused with the new ones."""

from pathlib import Path

import pytest
import yaml

from verbatim.config.old_keys import OLD_KEYS
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
