"""Reads and checks the config; an error names the key, the value and the cure."""

from __future__ import annotations

import contextlib
import difflib
import json
from pathlib import Path
from typing import Any

from verbatim.config.old_keys import cure_of

MOVED = {
    "evidence.bundle": "privacy (images: full, blurred or none; only: prompt_ids)"
}  # key -> where it is


class ConfigError(ValueError):
    """The experiment that is asked for cannot be run as written."""


def load_schema(name: str, base: str | Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((Path(base) / "workflow/schemas" / name).read_text())
    return data


def explain(err: Any, where: str) -> str:
    """One sentence for one finding of jsonschema."""
    key = ".".join(str(p) for p in err.absolute_path)
    if err.validator == "additionalProperties":
        known = sorted(err.schema.get("properties", {}))
        unknown = sorted(k for k in map(str, err.instance) if k not in known)
        parts = [
            f"{name!r} is no known key{_cure(name, err.instance[k], known)}"
            for k in unknown
            for name in [".".join(filter(None, (key, k)))]
        ]
        return f"{where}: " + "; ".join(parts)
    if err.validator == "required":
        return f"{where}: {key or 'top level'}: {err.message}"
    what = err.schema.get("description", "")
    return f"{where}: {key} is {err.instance!r}: {err.message}" + (f" [{what}]" if what else "")


def _cure(name: str, value: Any, known: list[str]) -> str:
    """What to write instead of an unknown key, `name` in full, with its value; `known`: the keys of its block."""
    if cure := cure_of(name, value):
        return f"; {cure}"
    near = difflib.get_close_matches(name.rpartition(".")[2], known, 1)
    return f" (did you mean {near[0]!r}?)" if near else f"; known: {', '.join(known)}"


def read_numbers(config: dict[str, Any], base: str | Path) -> None:
    """Turn text into numbers and truth values where the schema asks for them, in place.

    Snakemake reads what is nested in `--config world="{seed: 1}"` as text alone. What cannot be read
    so is left as it is, for `check_config` to refuse.
    """
    _read_numbers(config, load_schema("config.schema.json", base))


def _read_numbers(value: Any, schema: dict[str, Any]) -> Any:
    if isinstance(value, dict):
        known, other = schema.get("properties", {}), schema.get("additionalProperties")
        for key in value:
            inner = known.get(key, other)
            if isinstance(inner, dict):
                value[key] = _read_numbers(value[key], inner)
    elif isinstance(value, list):
        value[:] = [_read_numbers(item, schema.get("items", {})) for item in value]
    elif isinstance(value, str) and schema.get("type") in ("integer", "number", "boolean"):
        with contextlib.suppress(ValueError, RecursionError):
            read = json.loads(value.lower())
            return read if isinstance(read, (int, float)) else value
    return value


def check_config(config: dict[str, Any], base: str | Path) -> None:
    """Hold a config against `workflow/schemas/config.schema.json`, and presets against their lists.

    Raises ConfigError listing everything that is wrong with it.
    """
    from jsonschema import Draft202012Validator

    for key, new in MOVED.items():
        block, _, name = key.rpartition(".")
        if name in (config.get(block) or {}):
            keys = ", ".join(f"{key}.{one}" for one in config[block][name] or []) or key
            raise ConfigError(f"config: {keys} is no key: write {new} instead")
    validator = Draft202012Validator(load_schema("config.schema.json", base))
    errors = sorted(validator.iter_errors(config), key=lambda e: [str(p) for p in e.absolute_path])
    if errors:
        raise ConfigError("\n".join(explain(e, "config") for e in errors))
    for stage in ("blackbox", "postfilter", "labels"):
        preset, known = config[stage]["preset"], sorted(config[stage]["presets"])
        if preset not in known:
            raise ConfigError(f"config: {stage}.preset is {preset!r}; known: {', '.join(known)}")
    if config["privacy"]["only"] and config["privacy"]["images"] == "full":
        raise ConfigError(
            "config: privacy.only names prompts, and privacy.images is 'full': nothing of them would be hidden; set it to "
            "'blurred' or 'none', or leave privacy.only empty"
        )
    if config["whitebox"]["preset"] == "reference" and config["whitebox"]["guidance"] <= 1:
        raise ConfigError(
            f"config: whitebox.guidance is {config['whitebox']['guidance']}: preset 'reference' needs "
            "more than 1; use preset 'paper' for the conditional prediction alone"
        )
