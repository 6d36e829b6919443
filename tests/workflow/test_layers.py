"""The house's own rules, read off the code: who imports whom, and what every rule says of itself."""

import ast
import re
from functools import cache
from pathlib import Path

from verbatim.config.code import CHANGES_NO_NUMBER, code_of, imported_packages

ROOT = Path(__file__).resolve().parents[2]
SRC, SCRIPTS, RULES = (ROOT / "workflow" / name for name in ("src/verbatim", "scripts", "rules"))
# the copying study; a stage of it may also import the attack's stages
STUDY = ["sweep", "mitigation", "similarity", "membership", "claims"]
STAGES = [
    "world",
    "inputs",
    "dedup",
    "whitebox",
    "blackbox",
    "detectors",
    "postfilter",
    "labels",
    "tables",
    "figures",
    "evidence",
    *STUDY,
    "audit",
    "guard",
]
SHARED = {
    "config", "io", "metrics", "models",
}  # fmt: skip
# file -> the other stage's module that it may import, and why
EXCEPTIONS = {
    # which rows are relatives of a row is what dedup's pairs say
    "scripts/labels/select_images.py": {"verbatim.dedup.relatives"},
    # a run is attacked behind the defence that its images were generated behind
    "scripts/membership/score_point.py": {"verbatim.mitigation.defences"},
    # the captions of a point's images are what its training read, not only the first of each
    "scripts/similarity/count_dataset.py": {"verbatim.sweep.pool"},
    # images behind urls, row by row, broken ones recorded
    "scripts/labels/fetch_images.py": {"verbatim.inputs.url_cache"},
    "scripts/labels/fetch_urls.py": {
        "verbatim.inputs.archives",
        "verbatim.inputs.download",
        "verbatim.inputs.fetching",
        "verbatim.inputs.url_cache",
    },
    # the audit is the attack from the other end: what a match, its mask, its placement, its null and a caption's
    # score are has one implementation
    "src/verbatim/audit/comparison.py": {
        "verbatim.evidence.matching",
        "verbatim.evidence.null",
        "verbatim.labels.masks",
    },
    "src/verbatim/audit/nearest.py": {
        "verbatim.evidence.matching",
        "verbatim.evidence.null",
        "verbatim.evidence.pairing",
        "verbatim.evidence.placements",
    },
    "src/verbatim/audit/related_images.py": {"verbatim.labels.masks"},
    "src/verbatim/audit/given_back.py": {
        "verbatim.evidence.matching",
        "verbatim.evidence.placements",
        "verbatim.evidence.rules",
        "verbatim.labels.fetched_images",
        "verbatim.labels.label",
        "verbatim.labels.masks",
    },
    "src/verbatim/audit/audit_panels.py": {"verbatim.evidence.placements"},
    "scripts/audit/compare_audit.py": {
        "verbatim.evidence.matching",
        "verbatim.evidence.placements",
        "verbatim.labels.masks",
    },
    "scripts/audit/score_audit.py": {"verbatim.whitebox.dcs"},
    # a generation is judged alone as the labels judge it, with the relatives that dedup's pairs give
    "src/verbatim/evidence/attribution.py": {
        "verbatim.labels.checking",
        "verbatim.labels.fetched_images",
    },
    "scripts/evidence/build_attribution.py": {
        "verbatim.labels.checking",
        "verbatim.labels.fetched_images",
    },
    "scripts/evidence/search_attribution.py": {
        "verbatim.dedup.relatives",
        "verbatim.labels.checking",
        "verbatim.labels.fetched_images",
    },
    # the guard puts parts of the other stages one behind the other: defences, the labels' check, the verifier
    "src/verbatim/guard/regeneration.py": {
        "verbatim.mitigation.defences",
        "verbatim.mitigation.generation",
    },
    "src/verbatim/guard/outputs.py": {
        "verbatim.evidence.matching",
        "verbatim.labels.checking",
    },
    "scripts/guard/label_guarded.py": {
        "verbatim.dedup.relatives",
        "verbatim.evidence.matching",
        "verbatim.evidence.placements",
        "verbatim.labels.checking",
        "verbatim.labels.fetched_images",
    },
    "scripts/guard/plot_guard.py": {
        "verbatim.evidence.contact_sheet",
        "verbatim.labels.checking",
    },
    # a bundle has one form, so that one program checks it
    "scripts/audit/build_findings.py": {
        "verbatim.evidence.bundle_null",
        "verbatim.evidence.bundle",
        "verbatim.evidence.bundle_manifest",
        "verbatim.evidence.rules",
    },
}
# the copying study stands on the attacks: its stages may import these, and no stage imports one of the study's
STUDY_IMPORTS = {"world", "whitebox", "blackbox", "postfilter", "labels", "tables", "figures"}
TORCH = {"torch", "diffusers", "transformers", "open_clip", "safetensors"}
LIGHT = {
    "build_checkpoints",  # rewrites weights
    "check_clip_files",
    "check_model",
    "check_upscaler",
}  # networks without numbers, though their modules can load them too
LOCAL = {
    "all", "attacks", "attribution", "audit", "guard", "labels", "evaluation", "prompt_sets", "templates", "study",
}  # fmt: skip
# rules of a stage may be spread over several files, a part of it each
PARTS = {
    "labels_images": "labels", "tables_truth": "tables", "tables_sets": "tables",
    "sweep_images": "sweep",
}  # fmt: skip


@cache
def parsed(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"))


@cache
def modules_of(file: Path) -> list[str]:
    """Every module that a file imports, also inside functions."""
    found = []
    for node in ast.walk(parsed(file)):
        if isinstance(node, ast.Import):
            found += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: imports by full name only"
            found += [
                f"{node.module}.{alias.name}" if node.module == "verbatim" else str(node.module)
                for alias in node.names
            ]
    return sorted(set(found))


def name(file: Path) -> str:
    return str(file.relative_to(ROOT / "workflow"))


LIBRARY, SCRIPT_FILES = sorted(SRC.rglob("*.py")), sorted(SCRIPTS.rglob("*.py"))


def stage_of(file: Path) -> str:
    folder = file.relative_to(SRC if file.is_relative_to(SRC) else SCRIPTS).parts[0]
    return folder if folder in STAGES else ""


def may_import(file: Path) -> set[str]:
    """Packages of the library that a file may import."""
    allowed = SHARED | {stage_of(file)}
    if stage_of(file) in STUDY:
        allowed |= STUDY_IMPORTS
    return allowed | {"runtime"} if file.is_relative_to(SCRIPTS) else allowed


def test_a_stage_imports_no_other_stage():
    """What stages hand each other are files; a stage can be read, tested and replaced alone."""
    offenders = [
        f"{name(file)} imports {module}"
        for file in LIBRARY + SCRIPT_FILES
        for module in modules_of(file)
        if module.startswith("verbatim.")
        and module not in EXCEPTIONS.get(name(file), ())
        and module.split(".")[1] not in may_import(file)
    ]
    assert offenders == []


def test_every_exception_is_still_needed():
    for file, modules in EXCEPTIONS.items():
        assert modules <= set(modules_of(ROOT / "workflow" / file)), file


def test_the_library_knows_nothing_of_snakemake_and_prints_nothing():
    offenders = []
    for file in LIBRARY:
        for module in modules_of(file):
            if module.startswith("snakemake") or module == "verbatim.runtime":  # of scripts only
                offenders.append(f"{name(file)} imports {module}")
        for node in ast.walk(parsed(file)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "print":
                offenders.append(f"{name(file)}, line {node.lineno}: print")
    assert offenders == []


def is_unsafe(node: ast.AST) -> bool:
    """Whether a piece of code unpickles, or lets code from elsewhere run."""
    if isinstance(node, ast.Attribute):
        return ast.unparse(node) == "torch.load"
    if isinstance(node, ast.keyword):
        pickled = node.arg == "allow_pickle" and ast.unparse(node.value) != "False"
        return pickled or node.arg == "trust_remote_code"
    return False


def test_no_weights_are_unpickled_and_no_foreign_code_is_run():
    offenders = []
    for file in LIBRARY + SCRIPT_FILES:
        packages = {module.split(".")[0] for module in modules_of(file)}
        unsafe = packages & {"pickle", "dill", "joblib", "cloudpickle", "shelve"}
        offenders += [f"{name(file)} imports {package}" for package in sorted(unsafe)]
        offenders += [
            f"{name(file)}, line {node.lineno}: {ast.unparse(node)}"
            for node in ast.walk(parsed(file))
            if is_unsafe(node)
        ]
    assert offenders == []


def test_code_that_unpickles_or_runs_foreign_code_is_seen():
    for line in ("torch.load(p)", "np.load(p, allow_pickle=True)", "f(trust_remote_code=no)"):
        assert any(is_unsafe(node) for node in ast.walk(ast.parse(line))), line
    assert not any(is_unsafe(node) for node in ast.walk(ast.parse("f(allow_pickle=False)")))


def test_a_script_is_thin():
    wanted = {
        "at most 80 lines": lambda file, text: text.count("\n") <= 80,
        "a docstring": lambda file, text: ast.get_docstring(parsed(file)),
        "main(smk: Any) -> None": lambda file, text: re.search(
            r"^def main\(smk: Any\) -> None:", text, flags=re.M
        ),
        "with script(smk)": lambda file, text: "with script(smk)" in text,
        "settings as params": lambda file, text: (
            not re.search(r"snakemake\.config|smk\.config", text)
        ),
    }
    offenders = [
        f"{name(file)}: {what}"
        for file in SCRIPT_FILES
        for what, holds in wanted.items()
        if not holds(file, file.read_text("utf-8"))
    ]
    assert offenders == []


def rules() -> dict[str, tuple[str, str]]:
    """Rule -> (its file's stage, its text)."""
    found = {}
    for file in [*sorted(RULES.glob("*.smk")), ROOT / "Snakefile"]:
        parts = re.split(r"^rule (\w+):\n", file.read_text("utf-8"), flags=re.M)
        for rule, text in zip(parts[1::2], parts[2::2], strict=True):
            assert rule not in found
            found[rule] = (PARTS.get(file.stem, file.stem), re.split(r"^\S", text, flags=re.M)[0])
    return found


ALL_RULES = rules()
WORKING = {rule: one for rule, one in ALL_RULES.items() if rule not in LOCAL}


def directive(text: str, word: str) -> str:
    match = re.search(rf"^    {word}:(.*?)(?=^    \w|\Z)", text, flags=re.M | re.S)
    return re.sub(r"^ *#.*\n?", "", match[1], flags=re.M) if match else ""


def test_only_targets_have_no_script():
    assert set(ALL_RULES) - set(WORKING) == LOCAL
    scripts = {str(file.relative_to(SCRIPTS).with_suffix("")) for file in SCRIPT_FILES}
    assert scripts == {f"{stage}/{rule}" for rule, (stage, _) in WORKING.items()}
    verbs = "build fetch train embed denoise search cluster select score merge generate filter label count compare plot check"
    for rule in WORKING:
        assert rule.split("_")[0] in verbs.split()


def wildcards_of_outputs(text: str) -> set[str]:
    """Wildcards of a rule's outputs; names that an `expand` fills in are none."""
    outputs = re.sub(r"{{(\w+)}}", r"", directive(text, "output"))
    outputs = re.sub(r"\.of_\w+\([^)]*\)", "", outputs)  # a path of each shard, no wildcard
    filled = set(re.findall(r"\bfor (\w+) in", outputs)) | set(re.findall(r"(\w+)=", outputs))
    return set(re.findall(r"{(\w+)}", outputs)) - filled


def test_a_rule_names_its_script_log_and_benchmark_after_itself():
    offenders = []
    for rule, (stage, text) in WORKING.items():
        if f"../scripts/{stage}/{rule}.py" not in directive(text, "script"):
            offenders.append(f"{rule}: script")
        for word, folder, suffix in (("log", "logs", "log"), ("benchmark", "benchmarks", "tsv")):
            path = directive(text, word).strip().strip('",')
            named = re.match(rf"<results>/{folder}/{stage}/{rule}(/.+)?\.{suffix}$", path)
            if not named or set(re.findall(r"{(\w+)}", path)) != wildcards_of_outputs(text):
                offenders.append(f"{rule}: {word} {path}")
    assert offenders == []


def test_a_rule_says_what_it_needs():
    offenders = []
    for rule, (_, text) in WORKING.items():
        env = re.search(r"envs/\w+\.yaml", directive(text, "conda"))
        if not env or not (ROOT / env[0]).is_file():
            offenders.append(f"{rule}: conda")
        if not directive(text, "threads"):
            offenders.append(f"{rule}: threads")
        for need in ("mem_mb=", "runtime="):
            if need not in directive(text, "resources"):
                offenders.append(f"{rule}: resources lack {need}")
    assert offenders == []


def test_a_rule_that_calls_a_network_asks_for_a_gpu_and_no_other_does():
    offenders = []
    for rule, (stage, text) in WORKING.items():
        heavy = TORCH & imported_packages(SCRIPTS / stage / f"{rule}.py")
        asks = "gpu=1" in directive(text, "resources")
        if asks != bool(heavy and rule not in LIGHT):
            offenders.append(f"{rule}: {'asks' if asks else 'does not ask'}, {sorted(heavy)}")
    assert offenders == []


def test_a_rule_depends_on_the_code_that_its_own_script_reaches():
    offenders = [
        rule
        for rule, (stage, text) in WORKING.items()
        if code_of(SCRIPTS / stage / f"{rule}.py")
        and f'code=code_of("{stage}/{rule}"' not in directive(text, "input")
    ]
    assert offenders == []


def test_no_rule_lists_modules_by_hand():
    for rule, (_, text) in ALL_RULES.items():
        assert not re.search(r"src/verbatim/\w", text), rule


def test_every_module_that_changes_no_number_is_there():
    for module in CHANGES_NO_NUMBER:
        assert (SRC / f"{module}.py").is_file(), module


def test_only_tables_and_figures_read_the_truth():
    """What was planted may judge an attack, never help it."""
    for rule, (stage, text) in WORKING.items():
        if "truth.parquet" in directive(text, "input"):
            assert stage in ("world", "tables", "figures"), (
                rule
            )  # trainings read what they train on
    for file in LIBRARY + SCRIPT_FILES:
        if "contracts" in file.parts:  # sentences alone: see the next test
            continue
        if "truth.parquet" in file.read_text("utf-8"):
            assert stage_of(file) in ("tables", "figures"), name(file)
    made = [
        rule for rule, (_, text) in WORKING.items() if "truth.parquet" in directive(text, "output")
    ]
    assert made == ["build_dataset"]


def test_contracts_are_sentences_and_read_nothing():
    for file in (ROOT / "workflow/src/verbatim/io/contracts").glob("*.py"):
        text = file.read_text("utf-8")
        imported = set(re.findall(r"^(?:from|import) ([\w.]+)", text, re.M))
        own = {one for one in imported if one.startswith("verbatim.io.contracts.")}
        assert imported - own <= {"__future__", "collections.abc", "dataclasses"}, file
        assert not re.search(r"open\(|read_", text), file


def test_a_path_is_of_the_stage_whose_rule_makes_it():
    for rule, (stage, text) in WORKING.items():
        outputs = re.findall(r"<results>/([\w.]+)", directive(text, "output"))
        assert outputs, rule
        for folder in outputs:
            at_top = stage == "tables" and folder in ("table1.csv", "checks.txt")
            assert folder == stage or at_top, rule


def test_params_are_named_numbers_and_never_a_whole_block_of_a_stage():
    for rule, (_, text) in WORKING.items():
        whole = re.findall(r'config\["\w+"\](?!\s*\[)', directive(text, "params"))
        assert [w for w in whole if w != 'config["results"]'] == [], rule


def test_the_header_of_a_rule_file_says_which_rule_writes_what():
    for file in sorted(RULES.glob("*.smk")):
        text = file.read_text("utf-8")
        if PARTS.get(file.stem, file.stem) not in STAGES:
            continue
        names = re.findall(r"^rule (\w+):", text, re.M)
        header = re.match(r"(#.*\n)+", text)
        assert header, file.name
        inputs, outputs = header[0].split("# OUTPUTS")
        assert "# INPUTS" in inputs, file.name
        said = set(re.findall(r"\w+", " ".join(re.findall(r"^(?:#| ) +of (.*)", outputs, re.M))))
        assert set(names) <= said, file.name


def test_scores_are_written_by_the_rule_that_scores():
    made = {
        stage: rule
        for rule, (stage, text) in WORKING.items()
        if re.search(r"{model}/scores\.parquet", directive(text, "output"))
    }
    assert made == {stage: f"score_{stage}" for stage in ("whitebox", "blackbox", "postfilter")}


def test_rule_files_hold_rules_and_little_else():
    """Helper Python of rules is library code, in verbatim/config, where it has types and tests."""
    assert (RULES / "common.smk").read_text("utf-8").count("\n") <= 150
    for file in sorted(RULES.glob("*.smk")):
        if PARTS.get(file.stem, file.stem) in STAGES:
            text = file.read_text("utf-8")
            assert not re.search(r"^def |\blambda\b|^import |^from ", text, re.M), file.name


def test_nothing_that_cost_model_time_is_temporary():
    for rule, (_, text) in ALL_RULES.items():
        assert "temp(" not in text, rule


def test_every_stage_has_one_word_everywhere():
    for stage in STAGES:
        assert (RULES / f"{stage}.smk").is_file()
        for tree in (SRC, SCRIPTS, ROOT / "tests" / "src"):
            assert (tree / stage).is_dir(), tree / stage
