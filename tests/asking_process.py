"""Asks for images in a process that is meant to be killed: python asking_process.py FOLDER SETTINGS PROMPTS SEEDS.

SETTINGS, PROMPTS (a list of captions) and SEEDS are JSON. Prints a line for each image.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "workflow" / "src")]

import pandas as pd  # noqa: E402

from verbatim.models.asking import full_asks, open_asker  # noqa: E402


def main(folder: str, settings: str, prompts: str, seeds: str) -> None:
    captions = json.loads(prompts)
    table = pd.DataFrame({"prompt_id": range(len(captions)), "caption": captions})
    with open_asker(json.loads(settings), folder, os.environ) as asker:
        asks = full_asks(asker.endpoint, table, json.loads(seeds))
        asker.check_plan(asker.plan(asks))
        for ask, answer, _ in asker.ask_all(asks):
            print(ask.caption, ask.seed, answer.status, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
