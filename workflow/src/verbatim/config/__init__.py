"""Checks before any work: configuration, sheets, sources, decisions, and which code a rule depends on."""
