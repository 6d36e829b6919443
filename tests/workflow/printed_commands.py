"""Every command that this repository prints: in documents, in comments of configs, in messages of the code."""

from __future__ import annotations

import ast
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# programs that a reader may be told to start; a command of another one is a finding
PROGRAMS = (
    "make", "snakemake", ".venv/bin/snakemake", "hf", ".venv/bin/hf", "git", "python", ".venv/bin/python", "./setup.sh",
    "setup.sh", "sha256sum", "pip", ".venv/bin/pip", "snakedeploy", ".", "cd", "ssh-keygen", "openssl", "sbatch", "scancel",
    "scontrol", ".venv/bin/pre-commit", "rocrate-validator", "workflow/profiles/slurm/cancel_jobs.sh", "export", "huggingface-cli",
)  # fmt: skip
ELLIPSIS = "..."


@dataclass(frozen=True)
class Command:
    """words : as a shell splits them. where : file and line."""

    words: tuple[str, ...]
    where: str

    def __str__(self) -> str:
        return f"{self.where}: {shlex.join(self.words)}"


def split(text: str, where: str) -> Iterator[Command]:
    """The commands in a line or a code span: without comments, environment and pipes."""
    text = re.split(r"(?:^|\s)#", text)[0].strip().removeprefix("$ ")
    for part in re.split(r"\s(?:&&|\|\||\||;)\s", text):
        try:
            words = shlex.split(part)
        except ValueError:  # prose with an apostrophe
            continue
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words.pop(0)
        if words:
            yield Command(tuple(words), where)


def is_command(command: Command) -> bool:
    """Whether a code span is meant to be typed: a known program with something behind it."""
    first, *others = command.words
    return first in PROGRAMS and bool(others) and first not in (".", "export", "cd")


def of_markdown(text: str, name: str) -> Iterator[Command]:
    """Lines of fenced blocks without a language or with a shell's, and code spans that are commands."""
    fence, lines, pending = None, [], ""
    for number, line in enumerate(text.splitlines(), 1):
        mark = re.match(r"\s*```(\w*)", line)
        if mark:
            fence = None if fence is not None else mark[1]
            continue
        if fence in ("", "sh", "bash", "console", "shell"):
            pending += line.rstrip("\\") if line.endswith("\\") else line
            if not line.endswith("\\") and pending.strip():
                yield from split(pending, f"{name}:{number}")
                pending = ""
        elif fence is None:
            lines.append((number, line))
    prose = "\n".join(line for _, line in lines)
    for span in re.findall(r"(?<!`)`([^`]+)`(?!`)", prose):
        yield from filter(is_command, split(" ".join(span.split()), f"{name}: `{span}`"))


def of_comments(text: str, name: str) -> Iterator[Command]:
    """Comments of a config that are indented as commands, and their code spans."""
    pending = ""
    for number, line in enumerate(text.splitlines(), 1):
        found = re.match(r"\s*#(\s+)(.*)", line)
        if not found:
            pending = ""
            continue
        said, where = found[2], f"{name}:{number}"
        for span in re.findall(r"`([^`]+)`", said):
            yield from filter(is_command, split(span, where))
        if pending or (len(found[1]) >= 3 and said.split()[0] in PROGRAMS):
            pending += " " + said.rstrip("\\")
            if not said.endswith("\\"):
                yield from split(re.split(r"\s{3,}\(", pending)[0], where)
                pending = ""


# in a message a command stands behind these words or a colon, up to a full stop, a semicolon or the end
IN_MESSAGE = re.compile(
    r"(?<![\w/-])((?:\.venv/bin/)?hf download|git [a-z-]+|\./setup\.sh|(?:\.venv/bin/)?(?:snakemake|python) "
    r"(?=[-\w./]*[-/.=])|make (?=[a-z-]+ in a shell)|ssh-keygen -|openssl [a-z]+|snakedeploy|sha256sum)"
    r"([^`;()\n]*)"
)


def of_python(text: str, name: str) -> Iterator[Command]:
    """Commands in the strings of a module, f-strings with X for what is filled in; code spans too."""
    tree = ast.parse(text)
    docs = set()
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            docs.add(id(body[0].value))
        inner = [part for part in getattr(node, "values", []) if isinstance(node, ast.JoinedStr)]
        docs |= {id(part) for part in inner}
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            said = "".join(
                str(part.value) if isinstance(part, ast.Constant) else "X" for part in node.values
            )
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            said = node.value
        else:
            continue
        where = f"{name}:{node.lineno}"
        for span in re.findall(r"`([^`]+)`", said):
            yield from filter(is_command, split(span, where))
        if id(node) not in docs:
            for found in IN_MESSAGE.finditer(re.sub(r"`[^`]+`", "", said)):
                sentence = re.split(r"\.(?:\s|$)|, ", found[0])[0]
                yield from split(sentence, where)


def all_commands() -> list[Command]:
    """Every command of the repository, each with its place."""
    found: list[Command] = []
    documents = [
        ROOT / "README.md",
        *(ROOT / "workflow/docs").glob("*.md"),
        *ROOT.glob("*/README.md"),
    ]
    for file in documents:
        found += of_markdown(file.read_text("utf-8"), str(file.relative_to(ROOT)))
    configs = [*(ROOT / "config").glob("*.yaml"), *(ROOT / "workflow/profiles").rglob("*.yaml"),
               ROOT / "Makefile", ROOT / "setup.sh", *(ROOT / "workflow/rules").glob("*.smk")]  # fmt: skip
    for file in configs:
        found += of_comments(file.read_text("utf-8"), str(file.relative_to(ROOT)))
    for file in (ROOT / "workflow").rglob("*.py"):
        found += of_python(file.read_text("utf-8"), str(file.relative_to(ROOT)))
    for file in (ROOT / "workflow/schemas").glob("*.json"):
        text = json.dumps(json.loads(file.read_text("utf-8")), ensure_ascii=False)
        found += of_markdown(text, str(file.relative_to(ROOT)))
    return found
