"""Write config/README.md, or the page that is named, from the schemas and the default config: `make docs`."""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
SOURCES = {
    "world": "No paper describes it: it is the data set and the models of the default run",
    "inputs": "The data are LAION-2B metadata and CLIP embeddings, or the embedded world",
    "prompt_sets": "No paper describes it: published detectors are judged on prompts that captions alone tell apart",
    "dedup": "Source: Webster 2023, section 4 and Fig. 4; Webster et al. 2023, arXiv 2303.12733",
    "sampling": "Source: Karras et al. 2022, algorithm 1",
    "whitebox": "Source: Webster 2023, section 3, eq. 1 and 2 (DCS)",
    "blackbox": "Source: Webster 2023, section 3, eq. 3 (ECS)",
    "detectors": "Sources: Wen 2024, Jeon 2025, Ren 2024, Chen 2025, Hintersdorf 2024, Asthana 2026; of triggers: Hong 2024 (MemBench)",
    "postfilter": "Source: Carlini et al. 2023, section 4.2",
    "labels": "Source: Webster 2023, section 4 (MV, RV, TV)",
    "tables": "Source: Webster 2023, Table 1",
    "figures": "Source: Webster 2023, Fig. 2 and 3",
    "evidence": "Source: Webster 2023, Fig. 5; Benjamini and Hochberg 1995",
    "audit": "Source: Webster 2023, section 4; Dubiński et al. 2025 (CDI) for the test by owner",
    "privacy": "No paper describes it: training images may show people who were never asked",
    "release": "Source: Workflow Run RO-Crate 0.5, profile Provenance Run Crate",
    "sweep": "Source: Somepalli 2022 and 2023",
    "mitigation": "Source: Somepalli 2023, section 5; Wen 2024; of attacked: Jeon 2025, Han 2025, Chen 2025, Hintersdorf 2024",
    "similarity": "Source: Somepalli 2022 and 2023",
    "membership": "Source: Carlini 2022 and 2023",
    "guard": "Source: Wen et al. 2024, section 4.3; Webster 2023, section 6",
    "claims": "Source: Somepalli 2022 and 2023, Carlini 2023",
}
INTRODUCTION = """# Every key of the config

`make docs` writes this page from `workflow/schemas/`.

**The default experiment** is `config.yaml`. The schema `workflow/schemas/config.schema.json` refuses unknown keys and values
out of range before any work.

**An overlay** is a second file that changes some keys and leaves the rest as they are:

```
snakemake --cores all --configfile config/config.yaml config/smoke.yaml
```

- `smoke.yaml`: the whole chain on a very small world, for tests
- `scores.yaml`: scores of other papers beside those of the attack
- `seeds.yaml`: two models in a reduced world, for several seeds (`make seeds`)
- `train.yaml`: the embedded world's models trained instead of loaded (`make world`)
- `study_quick.yaml`: a part of the copying study (`make study-quick`)
- `audit.yaml`: the audit of a public checkpoint (`make audit`)
- `asked.yaml`: a row of Table 1 that is asked for over HTTP, beside direct calls (`make serve`, `make asked`)
- `prompt_sets.yaml`: scores of public checkpoints on published prompt sets (`snakemake prompt_sets`)
- `paper.yaml`: the paper: LAION-2B and public checkpoints, on a cluster

**A single key** is changed on the command line: `--config whitebox="{preset: paper}"`, or with make `CONFIG='whitebox="{preset: paper}"'`.

A description gives the meaning, the unit, and the source: a paper and its section, the reference implementation
(the public code of Webster 2023), or `ASSUME`, which marks a value that no source gives.

## The models sheet

`models.tsv` has one row for each model. `models_train.tsv` and `models.paper.tsv` are the sheets of `train.yaml` and `paper.yaml`.

"""
STUDY_SHEET = """
## The points sheet of the copying study

`sweep.tsv` has one row for each point, that is for each model that the study trains. An empty cell has the value of
`sweep.base`.

- `point`: The name of the point, in small letters, digits and _.
- `images`, `ddf`, `duplication`, `conditioning`, `text_encoder`, `steps`, `mitigation`: The settings of the point, as the
  keys of `sweep.base` of the same name.
- `subset`: The number of a shadow model, which is trained on a random half of the images; empty for other points.
- `description`: A sentence on the point, for the tables.

## Printed values

`paper_values.tsv` is Table 1 of Webster 2023 as printed, and `claims_paper_values.tsv` is Table 1 of Somepalli 2023. They are
compared with results and never used in a computation. `review.csv` holds people's decisions on candidates.
"""


def list_keys(schema: dict[str, Any], default: Any, path: str = "") -> list[dict[str, str]]:
    """Key, meaning, range and default (as JSON) of every leaf, in the schema's order; `*` is any name."""
    keys = []
    for name, part in schema.get("properties", {}).items():
        key = f"{path}.{name}" if path else name
        value = default.get(name) if isinstance(default, dict) else None
        if "properties" in part:
            keys += list_keys(part, value, key)
        elif isinstance(part.get("additionalProperties"), dict):
            names = ", ".join(value) if isinstance(value, dict) else ""
            meaning = part.get("description", "")
            keys.append({"key": key, "meaning": meaning, "range": "", "default": names})
            keys += list_keys(part["additionalProperties"], None, f"{key}.*")
        else:
            shown = "" if value is None else json.dumps(value)
            meaning = part.get("description", "")
            keys.append(
                {"key": key, "meaning": meaning, "range": name_range(part), "default": shown}
            )
    return keys


def name_range(part: dict[str, Any]) -> str:
    """The values that a schema allows, in words; empty for free text."""
    if "anyOf" in part:
        return " or ".join(name_range(one) for one in part["anyOf"])
    if "const" in part:
        return f"`{part['const']}`"
    if "enum" in part:
        return ", ".join(f"`{value}`" for value in part["enum"])
    kind = part.get("type")
    if kind == "boolean":
        return "true, false"
    if kind == "array":
        inner = name_range(part.get("items", {}))
        return f"list: {inner}" if inner else "list"
    if kind not in ("integer", "number"):
        return ""
    low, above = part.get("minimum"), part.get("exclusiveMinimum")
    high, below = part.get("maximum"), part.get("exclusiveMaximum")
    lower = f"from {low}" if low is not None else f"above {above}" if above is not None else ""
    upper = f"to {high}" if high is not None else f"below {below}" if below is not None else ""
    word = "whole number" if kind == "integer" else "number"
    return " ".join(filter(None, (word, lower, upper)))


def list_columns(schema: dict[str, Any]) -> list[str]:
    """One item of a Markdown list for each column of a sheet."""
    return [
        f"- `{name}`: {part.get('description', '')}" for name, part in schema["properties"].items()
    ]


def main() -> None:
    schema = json.loads((ROOT / "workflow/schemas/config.schema.json").read_text("utf-8"))
    sheet = json.loads((ROOT / "workflow/schemas/models.schema.json").read_text("utf-8"))
    default = yaml.safe_load((ROOT / "config/config.yaml").read_text("utf-8"))
    lines = [INTRODUCTION.rstrip(), "", *list_columns(sheet)]
    lines.append(STUDY_SHEET.rstrip())
    section = None
    for found in list_keys(schema, default):
        key, value = found["key"], found["default"]
        stage = key.split(".")[0] if "." in key else ""
        if stage != section:
            section = stage
            lines += ["", f"## {stage or 'top level'}", ""]
            lines += [f"{SOURCES[stage]}.", ""] if stage in SOURCES else []
            lines += ["| key | meaning | range | default |", "|---|---|---|---|"]
        shown = f" `{value}` |" if value else " |"
        lines.append(f"| `{key}` | {found['meaning']} | {found['range']} |{shown}")
    page = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "config/README.md"
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
