"""Descriptions of HTTP endpoints, which the models sheet names as the source of a model of family `api`."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from verbatim.config.settings import ConfigError, explain, load_schema
from verbatim.config.sheet import asked_models, candidate_models, needed_models
from verbatim.models.endpoint import Endpoint, EndpointError, Key, find_problems

ROOT = Path(__file__).resolve().parents[4]
LONGEST = 1_000_000  # bytes of a description
SUFFIXES = (".yaml", ".yml", ".json")  # of a description's name


def read_endpoint(path: str | Path) -> dict[str, Any]:
    """The fields of `Endpoint` that a description gives, checked.

    A description is YAML; JSON is YAML too.

    Raises
    ------
    ConfigError
        Naming the file, everything that is wrong with it, and the cures.
    """
    from jsonschema import Draft202012Validator

    path = Path(path)
    if path.suffix not in SUFFIXES:
        raise ConfigError(
            f"{path}: no description of an endpoint; its name must end in .yaml, .yml or .json"
        )
    try:
        if path.stat().st_size > LONGEST:
            raise ConfigError(
                f"{path}: more than {LONGEST} bytes; no description of an endpoint is that long"
            )
        described = yaml.safe_load(path.read_text("utf-8"))
    except OSError as err:
        raise ConfigError(
            f"{path}: cannot be read ({err.strerror}); it describes the endpoint"
        ) from err
    except (UnicodeError, yaml.YAMLError, RecursionError) as err:
        where = getattr(err, "problem_mark", None)
        line = f", line {where.line + 1}" if where else ""
        raise ConfigError(f"{path}{line}: neither YAML nor JSON in UTF-8; correct it") from err
    validator = Draft202012Validator(load_schema("endpoint.schema.json", ROOT))
    errors = sorted(
        validator.iter_errors(described), key=lambda err: [str(p) for p in err.absolute_path]
    )
    if errors:
        raise ConfigError("\n".join(explain(err, str(path)) for err in errors))
    problems = find_problems(Endpoint(**described))
    if problems:
        raise ConfigError("\n".join(f"{path}: {problem}" for problem in problems))
    return dict(described)


def check_endpoints(config: Mapping[str, Any], needed: pd.DataFrame) -> None:
    """Refuse rows of family `api` that cannot be asked as written, before any work.

    needed : rows of the sheet. Raises ConfigError naming every row, and the cure.
    """
    problems = []
    sources = {source for row in needed["candidates"] for source in _ecs_sources(row)}
    for model in asked_models(needed):
        try:
            endpoint = Endpoint(**read_endpoint(needed.source[model]))
        except ConfigError as err:
            problems.append(f"{config['models']}: {model}: {err}")
            continue
        lacking = sorted({"seed", "steps"} - endpoint.takes)
        if model in sources and lacking:
            problems.append(
                f"{config['models']}: {model} is to rank prompts by its own ECS (candidates top:{model}), which needs one "
                f"step from given seeds, but its endpoint does not take {' and '.join(lacking)}; name another model there"
            )
    if problems:
        raise ConfigError("\n".join(problems))


def _ecs_sources(candidates: str) -> Sequence[str]:
    return candidate_models(candidates) if candidates.startswith("top:") else ()


def check_keys(sheet: pd.DataFrame, selected: pd.DataFrame, results: str | Path) -> None:
    """Refuse to start where a key is not set and is still needed: not hours later, when the first image is asked for.

    Raises ConfigError naming the variable; its value is not in the message.
    """
    problems = []
    for model in asked_models(needed_models(sheet, selected)):
        done = Path(results) / "labels" / model / "asked" / "manifest.jsonl"
        if done.is_file():
            continue
        try:
            Key(Endpoint(**read_endpoint(sheet.source[model])), os.environ)
        except EndpointError as err:
            problems.append(f"{model}: {err}. Or leave it out (select_models)")
    if problems:
        raise ConfigError("\n".join(problems))
