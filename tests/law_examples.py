"""How many examples a law is tried on: its own count in a whole run, a share of it where a profile asks for fewer."""

from __future__ import annotations

from hypothesis import settings

WHOLE = 50  # examples of a law that names no count; the profiles of conftest.py are measured by it


def examples(count: int) -> settings:
    """Settings of a law that `make test` tries on `count` examples; other profiles take as many in proportion."""
    return settings(max_examples=max(1, count * settings.default.max_examples // WHOLE))
