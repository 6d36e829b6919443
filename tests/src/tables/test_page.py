import re
from pathlib import Path

import numpy as np
import pandas as pd

from verbatim.tables.page import SECTIONS, choose_columns, render_page

REPORT = Path(__file__).resolve().parents[3] / "workflow/report"
PARTS = [(REPORT / name).read_text("utf-8") for name in ("tables/page.html", "tables.css")]


def test_a_value_and_its_interval_share_a_cell():
    table = pd.DataFrame({"auc": [0.9, np.nan], "low": [0.8, np.nan], "high": [0.95, np.nan], "n": [5, 6]})  # fmt: skip
    got = choose_columns(table, ("n", "auc [low, high]", "not there", "tpr [tpr_low, tpr_high]"))
    assert list(got.columns) == ["n", "auc"]
    assert got["auc"].tolist() == ["0.900 [0.800, 0.950]", ""]


def test_the_page_has_its_sections_in_order_needs_nothing_else_and_takes_no_markup_from_data():
    tables = {
        "costs": pd.DataFrame({"stage": ["<script>alert(1)</script>"], "unet_rows": [7]}),
        "paper": pd.DataFrame({"Model": ["SD V1"], "Exact": [5]}),
    }
    page = render_page(*PARTS, tables)
    assert re.findall(r"<h2>(.*?)</h2>", page) == ["Table 1 beside the paper&#39;s", "Cost"]
    assert "<script" not in page
    assert not re.search(r"(src|href)=", page)


def test_long_tables_are_folded():
    long = pd.DataFrame({name: ["x"] * 50 for name in ("model", "kind")})
    assert "<details><summary>50 lines</summary>" in render_page(*PARTS, {"recall": long})
    assert "<details>" not in render_page(*PARTS, {"recall": long[:40]})
    assert set(SECTIONS) >= {"recall", "evaluation", "kinds", "depths"}
