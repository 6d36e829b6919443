"""The words of workflow/docs/glossary.md, held throughout the repository."""

import re
import subprocess
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BANNED = re.compile(r"pictures?|synthes[ie]s|synthesi[sz]e[ds]?", re.I)
# idioms and inversions that have a plain wording
PHRASES = re.compile(
    r"NaN of nothing|last word on ties|half as dear|stands twice|held against|see the page|"
    r"hang together|told for a member|image images|full generations are generated",
    re.I,
)
# text that is data, not ours to word: a wording of captions that models are trained on
DATA = ('"picture of {}"', "picture of a")
SUFFIXES = {
    ".py",
    ".smk",
    ".md",
    ".yaml",
    ".json",
    ".tsv",
    ".csv",
    ".js",
    ".css",
    ".html",
    ".rst",
    ".toml",
    ".sh",
    "",
}
# files that tell the old word beside the new one
NAMES_OLD_WORDS = (
    "workflow/docs/glossary.md",
    "workflow/src/verbatim/config/old_keys.py",
    "tests/src/config/test_old_keys.py",
)
# modules of one name in several stages, which do the same for each
SAME_WORK = {"__init__", "merge"}


def tracked() -> list[Path]:
    names = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


def test_no_text_or_name_uses_a_word_that_the_glossary_replaces():
    here = {Path(__file__), *(ROOT / name for name in NAMES_OLD_WORDS)}
    found = []
    for path in tracked():
        if path in here or path.suffix not in SUFFIXES or "workflow/resources" in str(path):
            continue
        if BANNED.search(path.name):
            found.append(f"{path.relative_to(ROOT)}: its name")
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            for words in DATA:
                line = line.replace(words, "")
            if match := BANNED.search(line) or PHRASES.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {match[0]}")
    assert found == []


def test_a_module_name_stands_once_unless_its_modules_do_the_same_for_several_stages():
    files = defaultdict(list)
    for path in (ROOT / "workflow/src/verbatim").rglob("*.py"):
        files[path.stem].append(str(path.relative_to(ROOT)))
    twice = {name: paths for name, paths in files.items() if len(paths) > 1}
    assert set(twice) - SAME_WORK == set(), twice
