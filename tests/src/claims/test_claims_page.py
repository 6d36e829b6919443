"""The page opens from the disk, holds everything, and shows no text of a table unescaped."""

import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_claims import made_grid, made_measures, made_states, row

from verbatim.claims.claims import compare_claims, compare_measures
from verbatim.claims.claims_page import CAPTIONS, PageTables, Template, render_page, usual_table
from verbatim.claims.mitigation_table import mitigation_table
from verbatim.claims.papers import CLAIMS

ROOT = Path(__file__).resolve().parents[3]
REPORT = ROOT / "workflow/report"
TEMPLATE = Template(
    (REPORT / "claims/page.html").read_text("utf-8"), (REPORT / "tables.css").read_text("utf-8")
)


@pytest.fixture(scope="module")
def tables():
    paper = pd.read_csv(
        ROOT / "config" / "claims_paper_values.tsv", sep="\t", keep_default_na=False
    )
    measures, states, grid = made_measures(), made_states(), made_grid()
    return (
        compare_claims(CLAIMS, measures, states, grid, 0.95),
        compare_measures(CLAIMS, measures, states, grid, 0.95),
        mitigation_table(measures, states, grid, paper, 0.95),
        states,
        usual_table(measures, grid),
    )


class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.words, self.addresses = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data):
        self.words.append(data)


def read(page):
    reader = Reader()
    reader.feed(page)
    return reader


@pytest.mark.slow
def test_the_page_has_every_claim_every_mitigation_and_what_failed(tables):
    claims, _, mitigations, _, usual = tables
    page = read(render_page(TEMPLATE, PageTables(*tables), {"data": b"png"}, 2, 0.95))
    text = " ".join(page.words)
    assert all(words in text for words in claims["words"])
    assert page.tags.count("tr") == len(claims) + len(mitigations) + 3 + len(usual) + 1
    assert "broken, seed 0: step 31: the loss is nan" in text
    assert CAPTIONS["data"] in text
    assert "by other measures" in text
    assert "What is usual: background, split products, sources" in text
    assert any(words.strip().startswith("pixels, 95 %") for words in page.words)


@pytest.mark.slow
def test_the_page_reaches_for_nothing_outside_itself(tables):
    page = read(render_page(TEMPLATE, PageTables(*tables), {"data": b"png"}, 2, 0.95))
    assert all(address.startswith("data:image/png;base64,") for address in page.addresses)
    assert not {"script", "link", "iframe"} & set(page.tags)


@pytest.mark.slow
def test_text_of_a_table_is_escaped(tables):
    claims, robustness, mitigations, states, usual = (table.copy() for table in tables)
    states.loc[states["status"].eq("failed"), "reason"] = "<script>alert(1)</script>"
    claims.loc[0, "note"] = '<img src="x">'
    page = read(
        render_page(
            TEMPLATE, PageTables(claims, robustness, mitigations, states, usual), {}, 1, 0.95
        )
    )
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert any("<script>" in words for words in page.words)


def test_every_figure_of_the_study_has_a_caption():
    rules = (ROOT / "workflow" / "rules" / "claims.smk").read_text("utf-8")
    listed = re.search(r"^CLAIM_FIGURES = \[(.*?)\]", rules, re.M | re.S)
    assert sorted(re.findall(r'"(\w+)"', listed[1])) == sorted(CAPTIONS)


def test_means_over_seeds_of_points_as_the_base_without_and_with_ten_duplicates():
    rows = [
        row(point, seed, defence, measure, value + seed)
        for point in ("none", "full5", "full10", "mc_full10", "fixed")
        for seed in (0, 1)
        for defence in ("none", "gni")
        for measure, value in (("background:p50", 0.2), ("background:p95", 0.4), ("recall", 0.5))
        if defence == "none" or point == "none"
    ]
    measures = pd.DataFrame(rows)
    measures.loc[measures["defence"].eq("gni"), "value"] = 100.0
    rows = [
        row("full10", 0, "none", "split_top:p95", 0.1),
        row("none", 0, "none", "cross:p50", np.nan),
    ]
    found = usual_table(pd.concat([measures, pd.DataFrame(rows)]), made_grid())
    assert found.columns.tolist() == ["none", "full10"]  # image10 was not run
    assert found.index.get_level_values("measure").tolist() == [
        "background:p50", "background:p95", "split_top:p95",
    ]  # fmt: skip
    assert found["none"].tolist()[:2] == pytest.approx([0.7, 0.9])
    assert np.isnan(found["none"].iloc[2])
    assert found["full10"].iloc[2] == 0.1


def test_a_run_of_other_points_has_nothing_to_show():
    assert usual_table(pd.DataFrame([row("mc", 0, "none", "split:p50", 0.1)]), made_grid()).empty
