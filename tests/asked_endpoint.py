"""Descriptions of the endpoint of `api_server`, and what asking it gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from api_server import KEY, ApiServer

from verbatim.models.asking import full_asks, open_asker

ENVIRONMENT = {"IMAGES_KEY": KEY}


def settings(server: ApiServer, kind: str = "a1111", **more: Any) -> dict[str, Any]:
    paths = {"openai": "/v1/images/generations", "a1111": "/sdapi/v1/txt2img", "template": "/make"}
    made: dict[str, Any] = {
        "kind": kind, "url": server.url + paths[kind], "allow_http": True, "budget": 100,
        "key_variable": "IMAGES_KEY", "size": [16, 16], "images_per_minute": 1e6, "timeout": 5.0,
    }  # fmt: skip
    if kind == "a1111":
        made |= {"steps": 8, "guidance": 3.0}
    if kind == "template":
        made |= {
            "body": {"text": "{prompt}", "seed": "{seed}"}, "headers": {"X-Api-Key": "{key}"},
            "answer": {"image": "artifacts.0.base64", "id": "id", "seed": "artifacts.0.seed"},
        }  # fmt: skip
    return made | more


def prompts(*captions: str) -> pd.DataFrame:
    return pd.DataFrame({"prompt_id": range(len(captions)), "caption": captions})


def ask(folder: Path, settings: dict[str, Any], captions: list[str], seeds: tuple[int, ...] = (0,)):
    """Status, reason and bytes of each image; waits between tries are short."""
    with open_asker(settings, folder, ENVIRONMENT) as asker:
        asker.backoff = 0.01
        asks = full_asks(asker.endpoint, prompts(*captions), seeds)
        asker.check_plan(asker.plan(asks))
        return list(asker.ask_all(asks))
