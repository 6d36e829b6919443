"""Replay a bundle: recompute every finding from its files alone, and find changes since it was made.

Only NumPy and Pillow are needed: no model, no GPU, no table. A bundle is other people's data: nothing in it is trusted
or executed, and each fault is one sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from verbatim.evidence.bundle_manifest import NAME, check_chain, read_canonical, sha256
from verbatim.evidence.bundle_null import NULL, Null, read_null, replay_null
from verbatim.evidence.finding import Outcome
from verbatim.evidence.folder import FileFault
from verbatim.evidence.pixels import UNREADABLE, BundleImages, replay_images
from verbatim.evidence.rules import Rules, read_rules
from verbatim.evidence.statements import Finding, read_finding, replay_statements

RUN = "run.json"
FINDING = re.compile(r"findings/(0|[1-9]\d{0,18})/finding\.json")
BROKEN = (  # what a file of the right form cannot raise
    AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError, ZeroDivisionError,
)  # fmt: skip
WHY = {"blurred": "its images are blurred", "none": "its images were left out"}


class _Without(Mapping[str, bytes]):
    """Files but for one."""

    def __init__(self, files: Mapping[str, bytes], left_out: str):
        self._files, self._left_out = files, left_out

    def __getitem__(self, name: str) -> bytes:
        if name == self._left_out:
            raise KeyError(name)
        return self._files[name]

    def __contains__(self, name: object) -> bool:
        return name != self._left_out and name in self._files

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._files if name != self._left_out)

    def __len__(self) -> int:
        return len(self._files) - (self._left_out in self._files)


class Replayed(NamedTuple):
    """What became of a bundle.

    faults : what disagrees, a sentence each. outcomes : everything that was to be replayed, in order of the findings.
    head : hash that the manifest ends in, None where it is damaged. rules : what decided the findings, None likewise.
    tested : findings with a p- and a q-value. null : what these were counted in, None where it is damaged.
    """

    faults: list[str]
    outcomes: list[Outcome]
    head: str | None
    rules: Rules | None
    tested: int
    null: Null | None

    @property
    def left(self) -> list[Outcome]:
        """What could not be replayed."""
        return [one for one in self.outcomes if one.why]


def check_bundle(files: Mapping[str, bytes], head: str | None) -> Replayed:
    """Everything that a bundle says, replayed.

    Parameters
    ----------
    files : every file of the folder by its path from it, read one at a time (`folder.Folder`).
    head : see `check_chain`.
    """
    if NAME not in files:
        return Replayed([f"{NAME}: is not there; this is no bundle"], [], None, None, 0, None)
    try:
        manifest = files[NAME]
    except FileFault as err:
        return Replayed([f"{NAME}: {err}"], [], None, None, 0, None)
    others = _Without(files, NAME)
    faults, listed, last = check_chain(manifest, others, head)
    rules: Rules | None = None
    outcomes: list[Outcome] = []
    expected, tested = {RUN, NULL}, 0
    null: Null | None = None
    try:
        rules = read_rules(read_canonical(_line(files[RUN])))
    except BROKEN as err:
        faults.append(f"{RUN}: {_told(err)}")
    if NULL not in files:
        faults.append(f"{NULL}: is missing from the bundle")
    elif rules is not None:
        try:
            null = read_null(files[NULL], rules)
        except BROKEN as err:
            faults.append(f"{NULL}: {_told(err)}")
    images = BundleImages(files)
    for path in sorted(listed | set(others)):
        if not FINDING.fullmatch(path):
            continue
        expected.add(path)
        if rules is None or null is None or path not in files:
            continue
        try:
            finding = read_finding(path, read_canonical(_line(files[path])), rules)
            expected |= set(finding.files)
            outcomes += replay_finding(finding, rules, null, images)
            tested += finding.found["status"] == "ok"
        except BROKEN as err:
            faults.append(f"{path}: {_told(err)}")
    surplus = sorted(listed - expected)  # what is not listed has been told
    if rules is not None and null is not None:  # else nothing is known of what belongs to it
        faults += [f"{path}: belongs to no finding" for path in surplus]
        faults += [f"{path}: is missing from the bundle" for path in sorted(expected - listed)]
        if not outcomes and not faults:
            faults.append("there is no finding in it")
    faults += [f"prompt {one.prompt_id}: {one.fault}" for one in outcomes if one.fault]
    return Replayed(faults, outcomes, last, rules, tested, null)


def replay_finding(
    finding: Finding, rules: Rules, null: Null, images: BundleImages
) -> Iterator[Outcome]:
    """Everything that one finding says: of its text, and of its images where they are in full."""
    yield from replay_statements(finding, rules)
    yield from replay_null(finding, null, rules)
    yield from _originals(finding, images)
    if finding.level == "full":
        yield from replay_images(finding, rules, images)
        return
    for pair in finding.pairs:
        yield Outcome(
            finding.prompt_id, f"{pair['kind']} {pair['distance']:.6f}", why=WHY[finding.level]
        )
    for name in finding.files:
        try:
            images.read(name)
        except UNREADABLE as err:
            yield Outcome(finding.prompt_id, name, fault=f"{name} cannot be read: {err}")


def _originals(finding: Finding, images: BundleImages) -> Iterator[Outcome]:
    """Digests of the images as they lie in the run's archives: those of the files, where these are the originals."""
    for path, name in finding.files.items():
        stored = finding.originals.get(name)
        if (
            finding.level == "full"
            and path in images.files
            and sha256(images.files[path]) != stored
        ):
            yield Outcome(
                finding.prompt_id, name, fault=f"{path} is not the original that finding.json names"
            )
        elif finding.level == "full":
            yield Outcome(finding.prompt_id, f"{name} is the original")


def _told(err: Exception) -> str:
    """One line of what is wrong with a file's form."""
    if isinstance(err, ValueError):
        return str(err)
    return f"not as build_bundle writes it: {type(err).__name__} {err}"


def _line(data: bytes) -> bytes:
    """A JSON file's one line; raises ValueError for anything else."""
    if not data.endswith(b"\n"):
        raise ValueError("its last line is cut off")
    return data[:-1]
