"""Values in pages: numbers are short, text is escaped, and nothing is missing without a word."""

import numpy as np
import pandas as pd
import pytest
from jinja2 import UndefinedError
from markupsafe import Markup

from verbatim.io.pages import format_interval, format_value, render_template


def test_numbers_are_short_and_what_is_not_known_is_empty():
    values = [0.12345, 217.0, 12345, 1234567.8, np.nan, pd.NA, "a", True]
    assert [format_value(v) for v in values] == [
        "0.123", "217", "12,345", "1,234,568", "", "", "a", "True",
    ]  # fmt: skip


def test_an_interval_stands_behind_its_value_and_is_left_out_where_it_is_not_known():
    assert format_interval(0.5, 0.25, 1.0) == "0.500 [0.250, 1]"
    assert format_interval(0.5, np.nan, np.nan) == "0.500"
    assert format_interval(np.nan, 0.1, 0.2) == ""


def test_text_is_escaped_and_markup_is_not():
    page = render_template("<p>{{ a }}</p>{{ b }}", a="<script> & '", b=Markup("<b>"))
    assert page == "<p>&lt;script&gt; &amp; &#39;</p><b>"


def test_a_value_is_never_read_as_a_template():
    assert render_template("{{ a }}", a=Markup("{{ 7 * 7 }}{% raw %}")) == "{{ 7 * 7 }}{% raw %}"


def test_a_value_that_is_missing_is_an_error():
    with pytest.raises(UndefinedError, match="told"):
        render_template("{{ told }}")


def test_filters_of_a_page_are_beside_those_of_jinja():
    page = render_template("{{ x|twice }} {{ y|upper }}\n", {"twice": lambda x: 2 * x}, x=2, y="a")
    assert page == "4 A\n"
