"""The profiles name rules that exist, ask for what the rules ask for, and the way back touches no one else's jobs.

What the slurm profile does on a cluster: tests/slurm.
"""

import os
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from snakemake_executor_plugin_slurm.partitions import get_best_partition, read_partition_file
from snakemake_runs import Tree

ROOT = Path(__file__).resolve().parents[2]
PROFILES = ROOT / "workflow" / "profiles"
SLURM = yaml.safe_load((PROFILES / "slurm" / "config.yaml").read_text("utf-8"))


def rules_with_needs() -> dict[str, dict[str, str]]:
    """Rule -> what its `resources` say of memory and time, of all rules that can become SLURM jobs."""
    found, local = {}, set()
    for file in [*sorted((ROOT / "workflow" / "rules").glob("*.smk")), ROOT / "Snakefile"]:
        text = file.read_text("utf-8")
        for block in re.findall(r"^localrules:\n((?:    .*\n)+)", text, flags=re.M):
            local |= set(re.findall(r"\w+", block))
        for rule, body in re.findall(r"^rule (\w+):\n((?:(?: .*)?\n)+)", text, flags=re.M):
            found[rule] = dict(re.findall(r"^ +(mem_mb|runtime)=(.+),$", body, flags=re.M))
    return {rule: needs for rule, needs in found.items() if rule not in local}


RULES = rules_with_needs()


def first_need(text: str) -> int | None:
    """What a first attempt asks for, where the rule says a plain number."""
    plain = re.fullmatch(r"grow\((\d+)\)", text)
    return int(plain[1]) if plain else None


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_gets_more_memory_and_time_when_it_is_tried_again(rule):
    for need in ("mem_mb", "runtime"):
        assert RULES[rule].get(need, "").startswith("grow("), f"{rule}: {need}"


def test_the_profile_tries_again():
    assert SLURM["retries"] >= 1


def test_no_job_asks_for_less_than_its_two_snakemakes_take():
    assert SLURM["default-resources"]["mem_mb"] >= 600
    for rule, needs in RULES.items():
        assert (first_need(needs["mem_mb"]) or 600) >= 600, rule


def test_groups_hold_small_rules_that_exist_and_never_a_gpu_or_table_1():
    groups = SLURM["groups"]
    assert set(groups) <= set(RULES)
    assert set(SLURM["group-components"]) <= set(groups.values())
    assert max(SLURM["group-components"].values()) <= 4, "wider than a small node"
    with_gpu = {
        rule
        for file in (ROOT / "workflow" / "rules").glob("*.smk")
        for rule, body in re.findall(
            r"^rule (\w+):\n((?:(?: .*)?\n)+)", file.read_text("utf-8"), flags=re.M
        )
        if "gpu=1" in body
    }
    assert with_gpu
    assert not with_gpu & set(groups)
    assert "count_labels" not in groups
    for rule in groups:
        assert (first_need(RULES[rule]["runtime"]) or 0) <= 60, f"{rule} is not small"


def test_snakemake_plans_groups_of_the_whole_workflow_with_the_profile(tmp_path):
    """Every option of the profile is one, and no group depends on itself."""
    tree = Tree(tmp_path / "tree")
    command = tree.command("--dry-run", "all", results="results")
    start, end = command.index("--cores"), command.index("--cores") + 2
    command[start:end] = ["--workflow-profile", "workflow/profiles/slurm"]
    planned = subprocess.run(
        command, cwd=tree.folder, env=tree.environment, capture_output=True, text=True, timeout=300
    )
    said = planned.stdout + planned.stderr
    assert planned.returncode == 0, said[-3000:]
    assert "gpu=1" in said


def job(**resources: object) -> SimpleNamespace:
    return SimpleNamespace(name="a_job", threads=1, resources=resources)


def test_a_job_goes_to_a_partition_with_gpus_only_if_it_needs_one():
    partitions = read_partition_file(PROFILES / "slurm" / "partitions.yaml")
    quiet = SimpleNamespace(debug=print, info=print, warning=print)
    best = {gpu: get_best_partition(partitions, job(gpu=gpu, mem_mb=8000), quiet) for gpu in (0, 1)}
    limits = {one.name: one.limits.max_gpu for one in partitions}
    assert limits[best[0]] == 0
    assert limits[best[1]] >= 1


def test_the_default_profile_is_what_make_runs_with():
    default = yaml.safe_load((PROFILES / "default" / "config.yaml").read_text("utf-8"))
    slurm = yaml.safe_load((PROFILES / "slurm" / "config.yaml").read_text("utf-8"))
    rate = "max-jobs-per-timespan"
    assert default == {"cores": "all", "rerun-incomplete": True, rate: slurm[rate]}
    shown = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", "all", "PROFILE=slurm"],
        cwd=ROOT, capture_output=True, text=True, check=True,
        env={k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))},
    ).stdout  # fmt: skip
    assert "--workflow-profile workflow/profiles/slurm" in shown
    assert "--cores" not in shown


SQUEUE = """\
#!/bin/sh
# what a cluster shows of this user's jobs, and of those only what scancel has not taken away
while IFS='|' read -r id rest; do
  grep -qx "$id" cancelled 2>/dev/null || echo "$id|$rest"
done < listed
"""


def test_the_way_back_cancels_this_folders_run_and_nothing_else(tmp_path):
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name, text in (("squeue", SQUEUE), ("scancel", '#!/bin/sh\necho "$@" >> cancelled\n')):
        tool = tmp_path / "bin" / name
        tool.parent.mkdir(exist_ok=True)
        tool.write_text(text)
        tool.chmod(0o755)
    lines = [
        f"11|verbatim_c0ffee|{folder}",
        f"12|verbatim_c0ffee|{folder}",
        f"13|verbatim_c0ffee|{folder}2",  # the same name from another checkout
        f"14|other_c0ffee|{folder}",  # the same checkout, another program
        f"15|verbatim|{folder}",
    ]
    (folder / "listed").write_text("\n".join(lines) + "\n")
    done = subprocess.run(
        [PROFILES / "slurm" / "cancel_jobs.sh"], cwd=folder, capture_output=True, text=True,
        env={**os.environ, "PATH": f"{tmp_path}/bin:{os.environ['PATH']}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (folder / "cancelled").read_text().split() == ["11", "12"]
    assert "cancelled 2 SLURM jobs" in done.stdout


def test_the_way_back_needs_no_slurm_where_there_is_none(tmp_path):
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("bash", "env", "dirname", "realpath", "sed"):
        (tools / name).symlink_to(f"/usr/bin/{name}")
    done = subprocess.run(
        [PROFILES / "slurm" / "cancel_jobs.sh"], cwd=tmp_path, capture_output=True, text=True,
        env={"PATH": str(tools)},
    )  # fmt: skip
    assert done.returncode == 0
    assert "no SLURM jobs" in done.stdout
