"""Every command that a document, a comment or a message prints can be run: program, options, targets, keys."""

from __future__ import annotations

import ast
import functools
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from printed_commands import ELLIPSIS, PROGRAMS, ROOT, Command, all_commands, of_markdown, of_python

COMMANDS = sorted(set(all_commands()), key=str)
SCHEMA = json.loads((ROOT / "workflow/schemas/config.schema.json").read_text("utf-8"))
RULES = "".join(
    file.read_text("utf-8")
    for file in [ROOT / "Snakefile", *(ROOT / "workflow/rules").glob("*.smk")]
)
EXTERNAL = {
    "sha256sum", "pip", ".venv/bin/pip", "snakedeploy", ".", "cd", "export", "ssh-keygen", "openssl", "sbatch", "scancel",
    "scontrol", ".venv/bin/pre-commit", "rocrate-validator",
}  # fmt: skip


class UnknownError(Exception):
    """What of a command does not exist here."""


def check(command: Command) -> None:
    """Raises UnknownError for a command that cannot be run."""
    program, *words = command.words
    if program not in PROGRAMS:
        raise UnknownError(f"{program} is no program that is known here")
    if program == "make":
        check_make(words)
    elif program.endswith("snakemake"):
        check_snakemake(words)
    elif program.endswith("hf"):
        check_hf(words)
    elif program == "git":
        check_git(words)
    elif program.endswith("python"):
        check_python(words)
    elif program.endswith(".sh"):
        check_file(program)
    elif program not in EXTERNAL:
        raise UnknownError(f"{program} is not used here")
    for word in words if program in ("snakedeploy", ".venv/bin/pip", "pip") else ():
        if "/" in word and not word.startswith("-") and "<" not in word:
            check_file(word)


def check_file(name: str) -> None:
    placeholder = re.search(r"\b[A-Z]{3,}\b", name)
    if not placeholder and not (ROOT / name).exists() and not name.startswith(".venv/"):
        raise UnknownError(f"there is no {name}")


def check_make(words: list[str]) -> None:
    text = (ROOT / "Makefile").read_text("utf-8")
    for word in words:
        name, is_variable, _ = word.partition("=")
        pattern = (
            rf"^(?:export )?{re.escape(name)}\s*\??[:+]?="
            if is_variable
            else rf"^{re.escape(name)}:"
        )
        if word != ELLIPSIS and not re.search(pattern, text, re.M):
            raise UnknownError(f"the Makefile has no {name}")


@functools.cache
def parser():
    from snakemake.cli import get_argument_parser

    return get_argument_parser()


def check_snakemake(words: list[str]) -> None:
    """Options as snakemake's own parser knows them; config keys by the schema; targets by the rules."""
    words = [word for word in words if word != ELLIPSIS]
    known = {option: action for action in parser()._actions for option in action.option_strings}
    values: dict[str, list[str]] = {}
    option, targets = "", []
    for word in words:
        name, given, value = word.partition("=")
        if word == "--":
            option = ""
        elif word.startswith("-"):
            if name not in known:
                raise UnknownError(f"snakemake has no option {name}")
            option = name
            values.setdefault(option, []).extend([value] if given else [])
        elif option and takes_more(known[option], values[option]):
            values[option].append(word)
        else:
            targets.append(word)
    # without "--" snakemake reads a last word of a list as its option's; a rule's name is meant as a target
    for name in values.get("--configfile", []) + values.get("--workflow-profile", []):
        check_file(name)
    for entry in values.get("--config", []):
        check_entry(entry)
    for target in targets:
        check_target(target)


def takes_more(action, values: list[str]) -> bool:
    if action.nargs in ("*", "+"):
        return True
    if action.nargs == "?":
        return not values
    return action.nargs is None and action.const is None and not values


def check_entry(entry: str) -> None:
    """An entry of --config: a key of the schema, and a value's keys too."""
    key, _, value = entry.partition("=")

    def keys(block, schema, path):
        if not isinstance(block, dict) or "properties" not in schema:
            return
        for name, inner in block.items():
            if name not in schema["properties"] and not schema.get("additionalProperties", True):
                raise UnknownError(f"the config has no {path}{name}")
            keys(inner, schema["properties"].get(name, {}), f"{path}{name}.")

    keys({key: yaml.safe_load(value)}, SCHEMA, "")


def check_target(target: str) -> None:
    """A rule's name, or a file that some rule makes."""
    if re.search(rf"^rule {re.escape(target)}:", RULES, re.M):
        return
    shown = re.sub(r"^results", "<results>", target)
    for pattern in re.findall(r'"(<results>/[^"]+)"', RULES):
        wild = re.sub(r"\\\{\w+\\\}", r"[^\\s]+", re.escape(pattern))
        if re.fullmatch(wild, shown):
            return
    raise UnknownError(f"no rule makes {target}")


@functools.cache
def help_of(*words: str) -> str:
    """What the locked hub client says of itself."""
    client = Path(sys.executable).with_name("hf")
    done = subprocess.run([client, *words, "--help"], capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise UnknownError(f"hf has no {' '.join(words)}")
    return done.stdout


def check_hf(words: list[str]) -> None:
    said, after = help_of(words[0]), ""
    for word in words[1:]:
        if word.startswith("-"):
            if word not in said:
                raise UnknownError(f"hf {words[0]} has no {word}")
            after = word
        elif after == "" and word not in (ELLIPSIS, words[1]):
            raise UnknownError(f"hf {words[0]} takes {word!r} for the name of a file")
        else:
            after = ""


def check_git(words: list[str]) -> None:
    done = subprocess.run(["git", words[0], "-h"], capture_output=True, text=True, timeout=20)
    if "is not a git command" in done.stderr:
        raise UnknownError(f"git has no {words[0]}")
    if words[0] == "ls-remote" and not words[1].startswith("https://huggingface.co/"):
        raise UnknownError(f"{words[1]} is no address of the hub")


def check_python(words: list[str]) -> None:
    """A script of this repository, and the options that it defines."""
    if words[0] == "-m":
        return
    check_file(words[0])
    if not (ROOT / words[0]).exists():
        return
    tree = ast.parse((ROOT / words[0]).read_text("utf-8"))
    texts = {
        n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)
    }
    for word in words[1:]:
        option = word.partition("=")[0]
        if option.startswith("--") and option not in texts:
            raise UnknownError(f"{words[0]} has no option {option}")


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_a_printed_command_can_be_run(command):
    check(command)


def test_commands_of_every_kind_of_place_are_found():
    places = {command.where.partition(":")[0] for command in COMMANDS}
    for place in (
        "README.md",
        "config/paper.yaml",
        "workflow/src/verbatim/config/sources.py",
        "Makefile",
    ):
        assert place in places
    assert {"make", "snakemake", "git"} <= {command.words[0] for command in COMMANDS}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("`make table2`", "no table2"), ("`make all COLOUR=red`", "no COLOUR"),
        ("`snakemake --coers all`", "no option --coers"), ("`snakemake --cores 1 results/table9.csv`", "no rule makes"),
        ("`snakemake --cores 1 --config resutls=x`", "no resutls"),
        ("`snakemake --cores 1 --config whitebox=\"{pre: 1}\" -- all`", "no whitebox.pre"),
        ("`hf download a/b --include \"*.json\" \"*.txt\"`", "for the name of a file"), ("`hf fetch a/b`", "no fetch"),
        ("`git fetsch origin`", "no fetsch"), ("`python workflow/tools/none.py X`", "there is no"),
        ("`python workflow/tools/verify_bundle.py F --haed H`", "no option --haed"),
        ("```\ncurl http://x\n```", "curl is no program"),
    ],
)  # fmt: skip
def test_a_command_that_cannot_be_run_is_a_finding(text, words):
    (command,) = of_markdown(text, "x.md")
    with pytest.raises(UnknownError, match=words):
        check(command)


def test_a_message_is_read_with_what_is_filled_in_and_prose_is_left_alone():
    code = (
        'def f(x):\n    """Make sure that git is there."""\n'
        '    raise ValueError(f"{x}: pin it: git ls-remote https://huggingface.co/{x} HEAD. Or leave it out")\n'
    )
    (command,) = of_python(code, "x.py")
    assert command.words == ("git", "ls-remote", "https://huggingface.co/X", "HEAD")
