"""Pages to read: jinja2 templates, and how numbers are shown in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd


def render_template(
    template: str, filters: Mapping[str, Callable[..., Any]] | None = None, **values: Any
) -> str:
    """The page of a template; every value is escaped but for `Markup`, and one that is missing is an error.

    filters : name -> function, beside jinja2's own.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters |= filters or {}
    return environment.from_string(template).render(**values)


def format_value(value: object) -> str:
    """Three significant digits for fractions, nothing for what is not known."""
    if value is None or value is pd.NA or (isinstance(value, float) and pd.isna(value)):
        return ""
    if isinstance(value, float) and not value.is_integer():
        return f"{value:.3f}" if abs(value) < 100 else f"{value:,.0f}"
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:.0f}"
    return str(value)


def format_interval(value: object, low: object, high: object) -> str:
    """A value with its interval in brackets; the value alone where there is no interval, "" where there is neither."""
    shown = format_value(value)
    if not shown or pd.isna(low):  # type: ignore[call-overload]  # a cell of a table
        return shown
    return f"{shown} [{format_value(low)}, {format_value(high)}]"
