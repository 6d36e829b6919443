"""Write config/README.md from the schema and the defaults: `make docs`."""

import json
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
SOURCES = {
    "world": "no paper: the data set and models of the default run",
    "inputs": "LAION-2B metadata and CLIP embeddings",
    "dedup": "Webster 2023, section 4, Fig. 4; arXiv 2303.12733",
    "sampling": "full generations: Karras et al. 2022, algorithm 1",
    "whitebox": "Webster 2023, section 3, eq. 1 and 2 (DCS)",
    "blackbox": "Webster 2023, section 3, eq. 3 (ECS)",
    "postfilter": "Carlini et al. 2023, section 4.2",
    "labels": "Webster 2023, section 4 (MV, RV, TV)",
    "tables": "Webster 2023, Table 1",
    "figures": "Webster 2023, Fig. 2 and 3",
    "evidence": "Webster 2023, Fig. 5; Benjamini and Hochberg 1995",
    "privacy": "no paper: images of people who were never asked",
    "sweep": "Somepalli 2022 and 2023: the copying study's models",
    "mitigation": "Somepalli 2023, section 5; Wen 2024",
    "similarity": "Somepalli 2022 and 2023",
    "membership": "Carlini 2022 and 2023",
    "claims": "Somepalli 2022 and 2023, Carlini 2023",
}
INTRODUCTION = """# Every key of the config

`config.yaml` is the default experiment; an overlay (`--configfile config/config.yaml config/smoke.yaml`) changes some of its
keys, and `--config whitebox="{preset: paper}"` a single one. The schema `workflow/schemas/config.schema.json` refuses what is
not here. `models.tsv` has one row a model (`workflow/schemas/models.schema.json` says what each column takes);
`paper_values.tsv` is Table 1 as printed, to compare with and never to feed a run. This page is made by `make docs`.
"""


def list_keys(schema: dict[str, Any], default: Any, path: str = "") -> list[tuple[str, str, str]]:
    """(key, description, default as JSON) of every leaf, in the schema's order; `*` is any name."""
    keys = []
    for name, part in schema.get("properties", {}).items():
        key = f"{path}.{name}" if path else name
        value = default.get(name) if isinstance(default, dict) else None
        if "properties" in part:
            keys += list_keys(part, value, key)
        elif isinstance(part.get("additionalProperties"), dict):
            names = ", ".join(value) if isinstance(value, dict) else ""
            keys.append((key, part.get("description", ""), names))
            keys += list_keys(part["additionalProperties"], None, f"{key}.*")
        else:
            shown = "" if value is None else json.dumps(value)
            keys.append((key, part.get("description", ""), shown))
    return keys


def main() -> None:
    schema = json.loads((ROOT / "workflow/schemas/config.schema.json").read_text())
    default = yaml.safe_load((ROOT / "config/config.yaml").read_text())
    lines, section = [INTRODUCTION], None
    for key, description, value in list_keys(schema, default):
        stage = key.split(".")[0] if "." in key else ""
        if stage != section:
            section = stage
            lines += ["", f"## {stage or 'top level'}", ""]
            lines += [f"{SOURCES[stage]}.", ""] if stage in SOURCES else []
            lines += ["| key | meaning | default |", "|---|---|---|"]
        lines.append(f"| `{key}` | {description} |" + (f" `{value}` |" if value else " |"))
    (ROOT / "config/README.md").write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
