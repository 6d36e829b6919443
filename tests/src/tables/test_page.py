import re

import numpy as np
import pandas as pd

from verbatim.tables.page import SECTIONS, choose_columns, format_value, render_page


def test_a_value_and_its_interval_share_a_cell():
    table = pd.DataFrame({"auc": [0.9, np.nan], "low": [0.8, np.nan], "high": [0.95, np.nan], "n": [5, 6]})  # fmt: skip
    got = choose_columns(table, ("n", "auc [low, high]", "not there", "tpr [tpr_low, tpr_high]"))
    assert list(got.columns) == ["n", "auc"]
    assert got["auc"].tolist() == ["0.900 [0.800, 0.950]", ""]


def test_numbers_are_short_and_what_is_not_known_is_empty():
    values = [0.12345, 217.0, 12345, 1234567.8, np.nan, pd.NA, "a", True]
    assert [format_value(v) for v in values] == [
        "0.123", "217", "12,345", "1,234,568", "", "", "a", "True",
    ]  # fmt: skip


def test_the_page_has_its_sections_in_order_needs_nothing_else_and_takes_no_markup_from_data():
    tables = {
        "costs": pd.DataFrame({"stage": ["<script>alert(1)</script>"], "unet_rows": [7]}),
        "paper": pd.DataFrame({"Model": ["SD V1"], "Exact": [5]}),
    }
    page = render_page(tables)
    assert re.findall(r"<h2>(.*?)</h2>", page) == ["Table 1 beside the paper&#x27;s", "Cost"]
    assert "<script" not in page
    assert not re.search(r"(src|href)=", page)


def test_long_tables_are_folded():
    long = pd.DataFrame({name: ["x"] * 50 for name in ("model", "kind")})
    assert "50 lines" in render_page({"recall": long})
    assert set(SECTIONS) >= {"recall", "evaluation", "kinds", "depths"}
