"""results/README.md explains what a run leaves: every column of every table, by a full sentence."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from verbatim.io.contracts import CONTRACTS
from verbatim.io.records import SCHEMAS

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "results" / "README.md"
TABLES = {kind: table for tables in CONTRACTS.values() for kind, table in tables.items()}


@pytest.mark.parametrize("kind", sorted(SCHEMAS))
def test_the_contract_of_a_table_has_exactly_its_columns_in_order(kind):
    assert list(TABLES[kind].columns) == SCHEMAS[kind].names


def test_a_contract_is_of_a_table_that_stages_write_or_of_a_csv_file():
    assert {kind for kind in TABLES if not kind.endswith(".csv")} == set(SCHEMAS)


@pytest.mark.parametrize("kind", sorted(TABLES))
def test_every_column_is_explained_by_a_full_sentence(kind):
    for column, text in TABLES[kind].columns.items():
        assert re.fullmatch(r"[A-Z].*\.", text), f"{kind}, {column}: {text}"
        assert len(text.split()) >= 3, f"{kind}, {column}: {text}"


def test_the_columns_of_the_page_are_what_the_contracts_say():
    path = ROOT / "workflow" / "schemas" / "describe_tables.py"
    spec = importlib.util.spec_from_file_location("describe_tables", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = PAGE.read_text("utf-8")
    assert module.describe(text) == text
