"""Runs the smoke world through workflow/profiles/slurm, on a copy of the tree."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import yaml
from cluster import Cluster
from snakemake_runs import Tree

PROFILE = "workflow/profiles/slurm"
# what the attacks make; the rest of a finished run is what they start from
ATTACKS = ("whitebox", "blackbox", "postfilter", "labels", "tables", "figures")
TOP = ("table1.csv", "checks.txt")


@dataclass(frozen=True)
class SlurmJob:
    """A line of squeue."""

    number: str
    what: str  # rule_NAME or rule_NAME_wildcards_...
    state: str
    node: str
    partition: str
    name: str

    @property
    def rule(self) -> str:
        """The rule's name, or the group's."""
        return self.what.removeprefix("rule_").partition("_wildcards_")[0]


class SlurmTree(Tree):
    """A copy of the repository, and snakemake in it, here or on the cluster."""

    warm = False  # here as there: what differs is the cluster alone

    def __init__(self, folder: Path, cluster: Cluster):
        # an earlier copy's runs are kept, its code is not
        kept = folder.with_name(folder.name + ".kept")
        for name in ("results", ".snakemake", "cache"):
            if (folder / name).exists():
                kept.mkdir(exist_ok=True)
                (folder / name).rename(kept / name)
        shutil.rmtree(folder, ignore_errors=True)
        super().__init__(folder, ("config/smoke.yaml",))
        for one in kept.iterdir() if kept.exists() else ():
            one.rename(folder / one.name)
        shutil.rmtree(kept, ignore_errors=True)
        self.cluster = cluster
        self.earlier: set[str] = set()

    @property
    def environment(self) -> dict[str, str]:
        told = self.cluster.environment
        return super().environment | {name: told[name] for name in ("PATH", "SLURM_CONF")}

    def slurm_command(
        self, *args: str, results: str, profile: str = PROFILE, **config: str
    ) -> list[str]:
        """snakemake's command line through a profile; statuses are asked for early, as jobs are short."""
        settings = [f"{key}={value}" for key, value in {"results": results, **config}.items()]
        return [
            sys.executable, "-m", "snakemake", "--workflow-profile", profile,
            "--slurm-init-seconds-before-status-checks", "3", "--latency-wait", "10", *args,
            "--configfile", "config/config.yaml", *self.overlays, "--config", *settings,
        ]  # fmt: skip

    def start(
        self, *args: str, results: str, profile: str = PROFILE, **config: str
    ) -> subprocess.Popen:
        """Start a run through SLURM; it logs to `<results>.log`."""
        with open(self.folder / f"{results}.log", "a") as log:
            return subprocess.Popen(
                self.slurm_command(*args, results=results, profile=profile, **config), cwd=self.folder,
                env=self.environment, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def log(self, results: str) -> str:
        return (self.folder / f"{results}.log").read_text(errors="replace")

    def jobs(self, *states: str) -> list[SlurmJob]:
        """What squeue knows of the last run's jobs, ended ones too where no states are asked for."""
        asked = ",".join(states) or "all"
        form = "%i|%k|%T|%N|%P|%j|%Z"
        lines = self.cluster.call("squeue", "-h", "-t", asked, "-o", form).splitlines()
        rows = [line.split("|") for line in lines]
        ours = [SlurmJob(*row[:-1]) for row in rows if row[-1] == str(self.folder.resolve())]
        return [job for job in ours if job.number not in self.earlier]

    def with_gpu(self) -> set[str]:
        """Numbers of the jobs that were given a GPU of their own."""
        form = "jobid:20,tres-per-job:40"
        rows = [
            line.split()
            for line in self.cluster.call("squeue", "-h", "-t", "all", "-O", form).splitlines()
        ]
        return {number for number, gres in rows if gres == "gres:gpu:1"}

    def forget_jobs(self) -> None:
        """Count from here: leave the jobs so far out of `jobs`."""
        self.earlier |= {job.number for job in self.jobs()}

    def way_back(self, results: str) -> str:
        """What the README says to do after a killed run, but for starting it again; what the first step said."""
        done = subprocess.run(
            [f"{PROFILE}/cancel_jobs.sh"], cwd=self.folder, env=self.environment,
            capture_output=True, text=True, timeout=330,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        unlocked = subprocess.run(
            self.slurm_command("--unlock", results=results), cwd=self.folder, env=self.environment,
            capture_output=True, text=True, timeout=120,
        )  # fmt: skip
        assert unlocked.returncode == 0, unlocked.stderr
        return done.stdout.strip()

    def trained(self, source: Path, results: str) -> Path:
        """A copy of a finished run without what the attacks made."""
        copy = self.folder / results
        shutil.rmtree(copy, ignore_errors=True)
        (self.folder / f"{results}.log").unlink(missing_ok=True)
        shutil.copytree(source, copy)
        for name in ATTACKS:
            shutil.rmtree(copy / name)
        for name in TOP:
            (copy / name).unlink()
        return copy

    def changed_profile(self, rule: str, **resources: str) -> str:
        """A copy of the profile in which a rule asks for something else; its folder."""
        settings = yaml.safe_load((self.folder / PROFILE / "config.yaml").read_text("utf-8"))
        settings.setdefault("set-resources", {})[rule] = resources
        folder = self.folder / "changed_profile"
        folder.mkdir(exist_ok=True)
        (folder / "config.yaml").write_text(yaml.safe_dump(settings))
        return str(folder.relative_to(self.folder))

    def report(self, what: str, seconds: float, **counts: object) -> None:
        """Say what a run took; also to `report.txt` beside the tree."""
        line = f"{what}: {seconds:.0f} s" + "".join(f", {k} {v}" for k, v in counts.items())
        print(line)
        with open(self.folder.parent / "report.txt", "a") as file:
            file.write(line + "\n")


def contents(file: Path) -> str:
    """A table's text; without the column `seconds` where it has one, as that is measured."""
    table = pd.read_csv(file, dtype=str, keep_default_na=False)
    if "seconds" in table:
        return table.drop(columns="seconds").to_csv(index=False)
    return file.read_text("utf-8")


def assert_same_tables(one: Path, two: Path) -> None:
    """Table 1 and every other table: the same bytes, but for the seconds of costs.csv; and the checks, where run."""
    names = ["table1.csv", *sorted(str(p.relative_to(one)) for p in (one / "tables").glob("*.csv"))]
    assert len(names) > 4
    made = sorted(p.name for p in (two / "tables").glob("*.csv"))
    assert made == [Path(name).name for name in names[1:]]
    differ = [name for name in names if contents(one / name) != contents(two / name)]
    assert differ == []
    assert (one / "checks.txt").exists() == (two / "checks.txt").exists()
    checks = (two / "checks.txt").read_text().splitlines() if (two / "checks.txt").exists() else []
    assert not [line for line in checks if line.lower().startswith(("fail", "error"))]
