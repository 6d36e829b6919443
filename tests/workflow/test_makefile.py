"""What `make` hands to snakemake, without running it."""

import os
import re
import shlex
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
DEFAULT = yaml.safe_load((ROOT / "config" / "config.yaml").read_text("utf-8"))


# the tests may themselves be run by make, which tells its children how it was called
PLAIN = {
    name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))
}


def commands(target: str, *variables: str) -> list[list[str]]:
    """The snakemake command lines of a target, loops unrolled, as the shell splits them."""
    shown = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", target, *variables],
        cwd=ROOT,
        env=PLAIN,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    # a shell does the loops and the quoting; in place of snakemake it prints what it was given
    lines = [line for line in shown.splitlines() if "setup.sh" not in line]
    told = "\n".join(lines).replace(".venv/bin/snakemake", "printf '%q '")
    told = told.replace("nice -n 10 printf", "printf")
    told = told.replace(".venv/bin/python", "echo .venv/bin/python")
    told = told.replace("|| exit 1", "; echo") + "\n"
    out = subprocess.run(["bash", "-c", told], cwd=ROOT, capture_output=True, text=True, check=True)
    return [shlex.split(line) for line in out.stdout.splitlines()]


def settings(command: list[str]) -> list[str]:
    """The entries of the command's one --config."""
    if "--config" not in command:
        return []
    assert command.count("--config") == 1, "snakemake reads only the last --config"
    start = command.index("--config") + 1
    return command[start : command.index("--", start)]


def test_table_1_is_made_of_the_default_config_or_with_changes():
    (plain,) = commands("table1")
    assert settings(plain) == []
    assert plain[-2:] == ["--", "results/table1.csv"]
    (changed,) = commands("table1", "CONFIG=select_models=[sd2] world='{seed: 4}'", "ARGS=-n")
    assert settings(changed) == ["select_models=[sd2]", "world={seed: 4}"]
    assert "-n" in changed[: changed.index("--config")]
    assert changed[-2:] == ["--", "results/table1.csv"]


def test_table_1_and_the_claims_are_those_of_the_results_folder_that_the_user_names():
    (table,) = commands("table1", "CONFIG=select_models=[sd2] results=else/where")
    assert settings(table) == ["select_models=[sd2]", "results=else/where"]
    assert table[-1] == "else/where/table1.csv"
    for changes, folder in (("results=else/where", "else/where"), ("", DEFAULT["results"])):
        (line,) = commands("claims", f"CONFIG={changes}")  # both commands, one behind the other
        *run, python, tool, checked = line
        assert settings(run) == changes.split()
        assert run[-1] == "all"
        assert [python, tool, checked] == [
            ".venv/bin/python", "workflow/tools/check_claims.py", folder,
        ]  # fmt: skip


def test_the_world_is_trained_and_checked_with_the_overlay_and_the_changes_of_the_user():
    (world,) = commands("world", "CONFIG=world='{seed: 1}'")
    (check,) = commands("world-check", "CONFIG=world='{seed: 1}'")
    for command in (world, check):
        assert "config/train.yaml" in command
        assert settings(command) == ["world={seed: 1}"]
    overlay = yaml.safe_load((ROOT / "config" / "train.yaml").read_text("utf-8"))
    assert world[-1] == f"{overlay['results']}/world/release/provenance.json"
    assert check[-1] == f"{overlay['results']}/tables/findings.csv"


def test_each_seed_is_a_world_with_the_changes_of_the_user():
    *worlds, last = commands("seeds", "CONFIG=select_models=[sd2]")
    runs = DEFAULT["tables"]["seed_runs"]
    assert [settings(world) for world in worlds] == [
        ["select_models=[sd2]", f"results=results/seeds/{seed}", f"world={{seed: {seed}}}"]
        for seed in runs
    ]
    assert all(world[-2:] == ["--", "evaluation"] for world in worlds)
    assert settings(last) == [
        "select_models=[sd2]",
        f"tables={{seed_runs: [{','.join(map(str, runs))}]}}",
    ]
    assert last[-2:] == ["--", "results/tables/seeds.csv"]
    assert 0 not in runs, "settings were tried on seed 0"


def test_other_seeds_are_compared_too():
    *worlds, last = commands("seeds", "SEEDS=7 9")
    assert [settings(world)[-1] for world in worlds] == ["world={seed: 7}", "world={seed: 9}"]
    assert settings(last) == ["tables={seed_runs: [7,9]}"]


def test_the_study_is_asked_for_by_its_target_and_in_short_with_its_overlay():
    (whole,) = commands("study", "CONFIG=sweep='{seeds: [4]}'")
    assert settings(whole) == ["sweep={seeds: [4]}"]
    assert "--configfile" not in whole
    assert whole[-2:] == ["--", "study"]
    (quick,) = commands("study-quick", "CONFIG=results=elsewhere")
    assert settings(quick) == ["results=elsewhere"]
    start = quick.index("--configfile")
    assert quick[start : start + 3] == [
        "--configfile",
        "config/config.yaml",
        "config/study_quick.yaml",
    ]
    assert quick[-2:] == ["--", "study"]


def test_an_audit_takes_a_folder_a_model_and_a_table_and_each_alone():
    (plain,) = commands("audit")
    assert settings(plain) == []
    assert plain[-2:] == ["--", "audit"]
    (own,) = commands("audit", "IMAGES=my images/o'hara", "CONFIG=privacy='{images: none}'")
    assert "config/audit.yaml" not in own
    assert settings(own)[0] == "privacy={images: none}"
    assert yaml.safe_load(settings(own)[1].removeprefix("audit=")) == {"images": "my images/o'hara"}
    (model,) = commands(
        "audit", "IMAGES=i", "MODEL=org/m", "CAPTIONS=c.csv", "AUDIT=generations: 3"
    )
    assert model[model.index("--configfile") + 2] == "config/audit.yaml"
    assert yaml.safe_load(settings(model)[0].removeprefix("audit=")) == {
        "images": "i", "model": "org/m", "captions": "c.csv", "generations": 3,
    }  # fmt: skip


def test_a_checkpoint_is_served_and_asked_with_the_overlay_and_the_changes_of_the_user():
    def served(*variables):
        told = subprocess.run(
            ["make", "--no-print-directory", "--dry-run", "serve", *variables], cwd=ROOT, env=PLAIN, capture_output=True,
            text=True, check=True,
        )  # fmt: skip
        return shlex.split(told.stdout.splitlines()[-1])[1:]

    tool = "workflow/tools/serve_checkpoint.py"
    assert served() == [tool, "--port", "7860", "workflow/resources/world/sd1"]
    assert served("MODEL=my models/o'hara", "PORT=1") == [tool, "--port", "1", "my models/o'hara"]
    (asked,) = commands("asked", "CONFIG=select_models=[midjourney,midjourney_http]")
    start = asked.index("--configfile")
    assert asked[start + 1 : start + 3] == ["config/config.yaml", "config/asked.yaml"]
    assert settings(asked) == ["select_models=[midjourney,midjourney_http]"]
    assert asked[-2:] == ["--", "asked"]


def test_an_image_is_asked_about_by_its_name_whatever_is_in_it():
    (asked,) = commands("attribute", "IMAGE=my images/o'hara.png", "CONFIG=results=elsewhere")
    assert settings(asked)[0] == "results=elsewhere"
    told = yaml.safe_load(settings(asked)[1].removeprefix("evidence="))
    assert told == {"attribution": {"images": "my images/o'hara.png"}}
    assert asked[-2:] == ["--", "attribution"]


def test_the_guard_is_a_target_of_its_own_with_the_changes_of_the_user():
    (plain,) = commands("guard", "CONFIG=guard='{false_alarms: 0.05}'")
    assert settings(plain) == ["guard={false_alarms: 0.05}"]
    assert plain[-2:] == ["--", "guard"]


def test_the_mitigations_are_a_target_of_their_own_with_the_changes_of_the_user():
    (plain,) = commands("mitigations", "CONFIG=mitigation='{attacked: {defences: [wen]}}'")
    assert settings(plain) == ["mitigation={attacked: {defences: [wen]}}"]
    assert plain[-2:] == ["--", "mitigations"]


def test_a_release_runs_what_is_missing_then_reports_and_describes_it_anew():
    (line,) = commands("release", "CONFIG=results=else/where", "SBOM=no")  # one behind the other
    starts = [place for place, word in enumerate(line) if word == "--workflow-profile"]
    ran, reported, described = (
        line[start:end] for start, end in zip(starts, [*starts[1:], None], strict=True)
    )
    for command in (ran, reported, described):
        assert settings(command) == ["results=else/where"]
    assert ran[-2:] == ["--", "release_results"]
    assert reported[reported.index("--report") + 1] == "else/where/release/report.html"
    assert reported[-2:] == ["--", "release_results"]
    assert described[described.index("--forcerun") + 1] == "build_crate"
    assert described[-2:] == ["--", "release"]


def test_the_bill_of_materials_is_of_the_lock_by_a_pinned_tool():
    told = subprocess.run(
        ["make", "--no-print-directory", "--dry-run", "release", "CONFIG=results=else/where"],
        cwd=ROOT, env=PLAIN, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    words = shlex.split(told[told.index(".venv/bin/uv tool run") : told.index("release_results")])
    assert re.fullmatch(r"cyclonedx-bom==[\d.]+", words[words.index("--from") + 1])
    assert words[words.index("--output-file") + 1] == "else/where/release/sbom.cdx.json"
    assert "envs/requirements.lock" in words
    assert "--output-reproducible" in words


def test_where_the_home_may_not_be_written_snakemake_keeps_its_cache_in_the_checkout(tmp_path):
    """And models are looked for where they were."""
    more = tmp_path / "more.mk"
    more.write_text("show:\n\t@echo $$XDG_CACHE_HOME; echo $$HF_HOME\n")

    def shown(**env):
        keep = {k: v for k, v in PLAIN.items() if k not in ("XDG_CACHE_HOME", "HF_HOME")}
        done = subprocess.run(
            ["make", "--no-print-directory", "-f", "Makefile", "-f", str(more), "show"],
            cwd=ROOT, env=keep | env, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout.split("\n")[:2]

    assert shown(HOME=str(tmp_path)) == ["", ""]
    nowhere = "/dev/null/home"  # no folder can be made there, not even by root
    assert shown(HOME=nowhere) == [
        f"{ROOT}/.snakemake/cache", f"{nowhere}/.cache/huggingface",
    ]  # fmt: skip
    assert shown(HOME=nowhere, XDG_CACHE_HOME="/dev/null/c") == [
        f"{ROOT}/.snakemake/cache", "/dev/null/c/huggingface",
    ]  # fmt: skip
    assert shown(HOME=nowhere, HF_HOME="/data/hf") == [f"{ROOT}/.snakemake/cache", "/data/hf"]


def test_the_triggers_are_a_target_of_their_own_with_the_changes_of_the_user():
    (plain,) = commands("triggers", "CONFIG=detectors='{triggers: {models: [sd2]}}'")
    assert settings(plain) == ["detectors={triggers: {models: [sd2]}}"]
    assert plain[-2:] == ["--", "triggers"]
