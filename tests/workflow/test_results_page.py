"""results/README.md explains what a run leaves: every column of every table that a stage hands on."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from verbatim.io.records import SCHEMAS

TEXT = (Path(__file__).resolve().parents[2] / "results" / "README.md").read_text("utf-8")
INTERNAL = {"training_log", "extra_prompts"}  # of a training, and what a user brings
NAMES = set(re.findall(r"`(\w+)`", TEXT))


@pytest.mark.parametrize("kind", sorted(set(SCHEMAS) - INTERNAL))
def test_every_column_of_a_table_is_explained(kind):
    assert set(SCHEMAS[kind].names) <= NAMES, sorted(set(SCHEMAS[kind].names) - NAMES)
