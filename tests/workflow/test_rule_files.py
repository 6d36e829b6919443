"""What every rule says of itself: read off the rule files."""

import re

from house import (
    ALL_RULES,
    LIBRARY,
    LIGHT,
    LOCAL,
    PARTS,
    ROOT,
    RULES,
    SCRIPT_FILES,
    SCRIPTS,
    SRC,
    STAGES,
    TORCH,
    WORKING,
    directive,
    name,
    stage_of,
    wildcards_of_outputs,
)

from verbatim.config.code import code_of, imported_packages


def test_only_targets_have_no_script():
    assert set(ALL_RULES) - set(WORKING) == LOCAL
    scripts = {str(file.relative_to(SCRIPTS).with_suffix("")) for file in SCRIPT_FILES}
    assert scripts == {f"{stage}/{rule}" for rule, (stage, _) in WORKING.items()}
    verbs = "build fetch train embed denoise search cluster select score merge generate filter label count compare plot check"
    for rule in WORKING:
        assert rule.split("_")[0] in verbs.split()


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
