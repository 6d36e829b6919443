"""A change to any file or line of a bundle is told, and named."""

from __future__ import annotations

import json

import pytest

from verbatim.evidence.bundle_manifest import (
    NAME,
    START,
    canonical,
    chain_files,
    check_chain,
    read_canonical,
    sha256,
)

FILES = {"run.json": b"{}", "findings/1/finding.json": b"[1]", "findings/1/a.png": b"image"}
MANIFEST, HEAD = chain_files(FILES.items())


def faults(manifest=None, files=None, head=HEAD):
    text = MANIFEST if manifest is None else manifest
    return check_chain(text.encode(), FILES if files is None else files, head).faults


def test_an_untouched_bundle_has_no_fault():
    assert faults() == []
    assert faults(head=None) == []


def test_every_hash_covers_the_line_before_it():
    previous = START
    for line in MANIFEST.splitlines():
        entry = json.loads(line)
        assert entry["previous"] == previous
        body = {key: value for key, value in entry.items() if key != "hash"}
        previous = sha256(json.dumps(body, sort_keys=True, separators=(",", ":")).encode())
        assert entry["hash"] == previous
    assert previous == HEAD


def test_a_changed_an_added_and_a_missing_file_are_named():
    assert faults(files=FILES | {"findings/1/a.png": b"Image"}) == [
        "findings/1/a.png: its bytes were changed (5, 5 listed)"
    ]
    assert faults(files=FILES | {"extra": b""}) == ["extra: is there and not listed"]
    fewer = {path: data for path, data in FILES.items() if path != "run.json"}
    assert faults(files=fewer) == ["run.json: is listed and not there"]


def test_a_line_taken_out_or_moved_breaks_the_chain():
    lines = MANIFEST.splitlines(keepends=True)
    gone = faults("".join([lines[0], lines[2]]))
    assert any(f"{NAME}, line 2: does not follow the line before it" in fault for fault in gone)
    assert any("is there and not listed" in fault for fault in gone)
    assert faults("".join([lines[1], lines[0], lines[2]]))
    assert any(fault.startswith("head:") for fault in faults("".join(lines[:2])))


def test_a_file_and_its_line_changed_together_are_told_by_the_lines_after_and_the_head():
    entries = [json.loads(line) for line in MANIFEST.splitlines()]
    entries[1] |= {"sha256": sha256(b"[2]")}
    body = {key: value for key, value in entries[1].items() if key != "hash"}
    entries[1]["hash"] = sha256(canonical(body).encode())
    forged = "".join(canonical(entry) + "\n" for entry in entries)
    told = faults(forged, FILES | {"findings/1/finding.json": b"[2]"})
    assert told == [f"{NAME}, line 3: does not follow the line before it"]


def test_a_manifest_made_anew_is_told_by_the_head_alone():
    other = FILES | {"run.json": b"{ }"}
    forged, head = chain_files(other.items())
    assert faults(forged, other, head=None) == []
    (fault,) = faults(forged, other)
    assert fault.startswith("head:")
    assert head != HEAD


@pytest.mark.parametrize(
    "line",
    [b"", b"[]", b"{", b'{"n":0}', b"\xff\xfe", b"[" * 100_000, b'{"n":NaN}', b'{"n":1e999}'],
)
def test_no_line_of_a_manifest_can_make_the_check_fail(line):
    told = check_chain(line + b"\n", FILES, HEAD).faults
    assert told[0] == f"{NAME}, line 1: changed, it is no entry as it was written"


def test_a_file_that_is_listed_twice_is_told():
    twice, head = chain_files([*FILES.items(), ("run.json", b"{}")])
    assert faults(twice, head=head) == [f"{NAME}, line 4 (run.json): is listed twice"]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b'{"a":1,"a":2}', "key 'a' twice"),
        (b'{"a":NaN}', "NaN is no number"),
        (b'{"a":-Infinity}', "-Infinity is no number"),
        (b'{"a":1e999}', "Out of range"),
        (b"[" * 100_000 + b"]" * 100_000, "nested too deeply"),
        (b'{"b":1,"a":2}', "not written as"),
        (b'{"a": 1}', "not written as"),
        (b'{"a":' + b"9" * 5000 + b"}", "4300 digits"),
        (b"\xff", "ascii"),
    ],
)
def test_json_is_read_in_one_form_only_and_the_reason_is_said(text, why):
    with pytest.raises(ValueError, match=why):
        read_canonical(text)


def test_what_is_written_canonically_is_read_back():
    data = {"b": [1, 2.5, None, True, "\x1b[2J", "\ud800", "日本"], "a": {"c": -(2**62)}}
    assert read_canonical(canonical(data).encode()) == data
