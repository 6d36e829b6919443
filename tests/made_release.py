"""A small checkout that Snakemake itself has run, and the release of it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SNAKEFILE = """
rule all:
    input:
        "results/table1.csv",
        "results/evidence/review/index.html",


rule build_rows:
    input:
        "config/my rows.txt",
        code="workflow/src/verbatim/inputs/rows.py",
    output:
        "results/inputs/rows/00000.parquet",
    log:
        "results/logs/inputs/build_rows/00000.log",
    benchmark:
        "results/benchmarks/inputs/build_rows/00000.tsv"
    shell:
        "sleep 0.3; cp {input[0]:q} {output}; touch {log}"


rule count_labels:
    input:
        "results/inputs/rows/00000.parquet",
    output:
        "results/table1.csv",
        "results/tables/kept.parquet",
    log:
        "results/logs/tables/count_labels.log",
    benchmark:
        "results/benchmarks/tables/count_labels.tsv"
    shell:
        "sleep 0.3; echo Model,Exact > {output[0]}; echo kept > {output[1]}; touch {log}"


rule build_review:
    input:
        "results/inputs/rows/00000.parquet",
        "results/table1.csv",
    output:
        page="results/evidence/review/index.html",
        images=directory("results/evidence/review/images"),
    log:
        "results/logs/evidence/build_review.log",
    benchmark:
        "results/benchmarks/evidence/build_review.tsv"
    shell:
        "sleep 0.3; mkdir {output.images}; echo one > {output.images}/1.png; echo page > {output.page}; touch {log}"


rule build_index:
    output:
        "results/dedup/index.faiss",
    log:
        "results/logs/dedup/build_index.log",
    benchmark:
        "results/benchmarks/dedup/build_index.tsv"
    shell:
        "echo index > {output}; touch {log}"
"""
FILES = {
    "Snakefile": SNAKEFILE,
    "config/my rows.txt": "rows\n",
    "config/models.tsv": "model\tname\nsd1\tSD V1\n",
    "envs/requirements.lock": "numpy==2.5.5 \\\n    --hash=sha256:00\nno-such-package==1.0\n",
    "workflow/src/verbatim/inputs/rows.py": "ROWS = 1\n",
    "workflow/scripts/inputs/build_rows.py": '"""Rows."""\n',
    "workflow/scripts/tables/count_labels.py": '"""Table 1."""\n',
    "workflow/scripts/evidence/build_review.py": '"""Review."""\n',
    "workflow/scripts/dedup/build_index.py": '"""Index."""\n',
    "README.md": "# run\n",
}
TARGETS = ["results/table1.csv", "results/evidence/review/index.html"]


def snakemake(folder: Path, *targets: str, options: tuple[str, ...] = ()) -> None:
    """Run Snakemake in a folder as a user does."""
    program = Path(sys.executable).with_name("snakemake")
    done = subprocess.run(
        [program, "--cores", "1", "--quiet", "all", *options, "--", *targets], cwd=folder, capture_output=True, text=True, timeout=120,
        env=os.environ | {"XDG_CACHE_HOME": str(folder / ".cache")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def make_checkout(folder: Path) -> Path:
    """Write the checkout and run it."""
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    for name in ("CITATION.cff", "pyproject.toml", "LICENSE"):
        shutil.copyfile(ROOT / name, folder / name)
    snakemake(folder, "all", "results/dedup/index.faiss")
    return folder


def params(folder: Path, **changes: Any) -> dict[str, Any]:
    """What the rule gives its script."""
    return {
        "images": "full", "only": [], "agent": "", "digest_mb": 1000, "licence": "CC-BY-SA-4.0",
        "models": "config/models.tsv", "settings": {"results": "results", "privacy": {"images": "full"}},
        "home": str(folder), "records": ".snakemake/metadata",
    } | changes  # fmt: skip


def inputs(**changes: Any) -> dict[str, Any]:
    """What the rule has as inputs."""
    return {"targets": TARGETS, "report": [], "sbom": [], "known_prompts": [], "code": []} | changes
