"""Rule check_audit: the exit code of a run, from what a program reads."""

from __future__ import annotations

import json

import pytest

from verbatim.audit.audit_report import AuditFailedError


def run(tmp_path, run_script, allowed):
    told = {"summary": {"images": {"given_back": 2, "tested": 10}}}
    (tmp_path / "verdicts.json").write_text(json.dumps(told))
    run_script(
        "audit/check_audit.py",
        input={"verdicts": tmp_path / "verdicts.json"},
        output={"passed": tmp_path / "passed.txt"},
        params={"fail_above": allowed},
    )
    return (tmp_path / "passed.txt").read_text()


def test_a_run_passes_where_no_more_came_back_than_is_allowed(tmp_path, run_script):
    assert "2 of 10" in run(tmp_path, run_script, 0.2)


def test_a_run_fails_and_says_how_many_where_more_came_back(tmp_path, run_script):
    with pytest.raises(AuditFailedError, match="2 of 10"):
        run(tmp_path, run_script, 0.1)
    assert not (tmp_path / "passed.txt").exists()
