# What is checked before any work, and the one object that answers what rules need: `run` (verbatim/config/run.py).
import functools
import os
import sys
import zlib
from pathlib import Path

import snakemake.benchmark
from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(Path(workflow.basedir) / "workflow" / "src"))

from verbatim import warm_python
from verbatim.audit import image_folders
from verbatim.config import (
    audits,
    code,
    decisions,
    endpoints,
    settings,
    sheet,
    sources,
    sweep_plan,
    unfinished,
)
from verbatim.config.data_files import DataFiles, WorldSource
from verbatim.config.guard_plan import Guard
from verbatim.config.mitigation_plan import Mitigations
from verbatim.config.release_plan import Release, list_ends
from verbatim.config.run import TRUTH_FIGURES, Run
from verbatim.config.set_plan import Sets
from verbatim.config.sweep_points import GridError
from verbatim.config.trigger_plan import Triggers
from verbatim.inputs import layouts
from verbatim.io import atomic, file_times, locks
from verbatim.world.audited_sample import count_sample
from verbatim.world.plan import count_rows

RESULTS = config["results"]
# categories of the report
TABLE1, FIGURES = "1 Table 1", "2 The paper's figures"
OURS, TABLES = "3 What the paper could not show", "4 Tables"


def read_run():
    """The run that the config asks for, and its audit, checked."""
    settings.read_numbers(config, workflow.basedir)
    settings.check_config(config, workflow.basedir)
    models = sheet.read_models(config["models"], workflow.basedir)
    selected = sheet.select_models(models, config["select_models"])
    models, audited = audits.add_audited(models, config["audit"], workflow.basedir)
    sources.check_sources(config, models, selected)
    sources.check_revisions(config, models, selected)
    sources.check_lists(config, models)
    sources.use_cache(config)
    decisions.read_decisions(config["labels"]["decisions"], models.index)
    clip, inputs = sources.clip_folder(config), config["inputs"]
    if inputs["source"] == "world":
        world = config["world"]
        source = WorldSource.of_rows(
            count_rows(world["planted"]), world["rows_a_shard"]
        )
        folder = inputs["images"] or f"{RESULTS}/world/data"
    else:
        source = layouts.list_files(inputs["source"])
        folder = inputs["images"] or layouts.archive_folder(inputs["source"])
    archives = layouts.list_archives(folder)
    data = DataFiles(config, source, folder, archives, clip)
    found = Run.of(config, models, selected, data)
    found.copies.check()
    images = config["audit"]["images"]
    sample = count_sample(config["audit"]["sample"])
    count = sample if images == "world" else image_folders.count_planned(images)
    return found, audits.Audit(found, audited, count)


try:
    run, audited = read_run()
    SWEEP = sweep_plan.read_plan(config)
    mitigated, guarded, sets = Mitigations(run), Guard(run), Sets(run)
    triggers = Triggers(run)
    released = Release(run, list_ends(audited, mitigated, guarded, sets, triggers))
except (
    settings.ConfigError,
    decisions.DecisionError,
    layouts.InputError,
    image_folders.AuditInputError,
    image_folders.UserTableError,
    GridError,
) as err:
    raise WorkflowError(str(err))


if workflow.is_main_process:
    try:
        file_times.check_times(RESULTS)
    except file_times.FutureError as err:
        raise WorkflowError(str(err))


world_seed = run.training.seed


wildcard_constraints:
    finding=r"all|\d+",
    model="[a-z0-9_]+",
    shard=r"\d{5}",
    part=r"\d{5}",
    figure="[a-z0-9_]+",
    point="[a-z0-9_]+",
    seed=r"\d+",
    defence="[a-z]+",


def code_of(*scripts):
    """Input function: every library module that decides what these scripts compute.

    A script is named "stage/rule", another file by its path from the top folder, with suffix.
    """
    top = Path(workflow.basedir)
    files = [
        top / name if name.endswith(".py") else top / "workflow/scripts" / f"{name}.py"
        for name in scripts
    ]
    # relative where it can be, so that a folder with its results can be moved without reruns
    library = os.path.relpath(top / "workflow" / "src" / "verbatim")
    return lambda wildcards: [f"{library}/{m}.py" for m in code.code_of(*files)]


def hold_results():
    """Keep every other run out of the results folder for as long as this one lasts; look for keys before any work."""
    try:
        endpoints.check_keys(run.models.sheet, run.models.selected, RESULTS)
        locks.lock_results(RESULTS, workflow.basedir)
    except (locks.LockedError, settings.ConfigError, OSError) as err:
        raise WorkflowError(str(err))


def grow(amount):
    """Resource that is asked for again, twice and three times as much, when a job is tried again."""
    return lambda wildcards, attempt: amount * attempt


def shown(path, title, category, caption=""):
    """An output that the report shows; `caption` names its text in workflow/report, by default after the file."""
    text = f"../report/{caption or Path(path).stem}.rst"
    return report(path, caption=text, category=category, labels={"result": title})
