"""Script tests know a rule's names: those that Snakemake reads from the same files."""

import json
import subprocess
import sys
from pathlib import Path

from rule_names import KINDS, differences, names_of_rules

ROOT = Path(__file__).resolve().parents[2]
ASK_SNAKEMAKE = """
import json
from pathlib import Path
from snakemake.api import SnakemakeApi
from snakemake.settings.types import OutputSettings, Quietness, ResourceSettings

with SnakemakeApi(OutputSettings(quiet={Quietness.ALL})) as api:
    workflow = api.workflow(resource_settings=ResourceSettings(), snakefile=Path("Snakefile"))._workflow
    kinds = ("input", "output", "params")
    named = {r.name: {k: [n for n, _ in getattr(r, k).items()] for k in kinds} for r in workflow.rules}
print(json.dumps(named))
"""


def test_the_names_are_those_that_snakemake_reads():
    done = subprocess.run(
        [sys.executable, "-c", ASK_SNAKEMAKE], cwd=ROOT, capture_output=True, text=True, check=True
    )
    theirs, ours = json.loads(done.stdout.splitlines()[-1]), names_of_rules()
    assert len(ours) > 60
    for rule, names in ours.items():
        text = "\n".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
        body = text.partition(f"rule {rule}:")[2].partition("output:")[0]
        for kind in KINDS:
            mine, read = getattr(names, kind), set(theirs[rule][kind])
            if kind == "input" and "unpack(" in body:
                assert read < mine, rule  # what is unpacked gets its names with a job
            else:
                assert read == mine, (rule, kind)


def test_a_name_that_the_rule_has_not_is_told_and_so_is_one_that_the_test_forgets():
    names = names_of_rules()["select_blackbox"]
    assert names.params == {"n_prompts"}
    assert differences("select_blackbox", params={"n_prompts"}) == []
    assert differences("select_blackbox", params={"n_prompts", "seed"}) == [
        "select_blackbox: the rule has no params ['seed']"
    ]
    assert differences("select_blackbox", params=set()) == [
        "select_blackbox: the test lacks the params ['n_prompts']"
    ]
    assert differences("select_blackbox", output=set(), input={"scores"}) == [
        "select_blackbox: the test lacks the output ['selection']"
    ]
    assert differences("select_blackbox", input={"score"}) != []


def test_an_unpacked_input_may_be_that_of_any_model():
    assert {"dcs", "ecs", "clique", "labels", "authors", "rows"} <= names_of_rules()[
        "select_candidates"
    ].input
    assert {"model", "weights", "checked"} <= names_of_rules()["denoise_whitebox"].input
