"""What asking an endpoint costs: the plan, the budget, and that a kill pays for nothing twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from api_server import ApiServer
from asked_endpoint import ENVIRONMENT, ask, prompts, settings

from verbatim.io.paid_answers import LEDGER, BudgetError, PaidAnswers
from verbatim.io.seals import DamagedError
from verbatim.models.asking import describe_plan, full_asks, open_asker
from verbatim.models.endpoint import Endpoint

ROOT = Path(__file__).resolve().parents[3]


def test_the_cost_is_told_before_the_first_request(server, tmp_path):
    ask(tmp_path, settings(server), ["a cat"], (0, 1))
    with open_asker(settings(server, price=0.04, budget=10), tmp_path, ENVIRONMENT) as asker:
        plan = asker.plan(full_asks(asker.endpoint, prompts("a cat", "a dog"), [0, 1, 2]))
    said = "\n".join(describe_plan(Endpoint(**settings(server, price=0.04, budget=10)), plan))
    assert "6 images: 2 are kept and cost nothing, 4 are asked for at 0.04 USD = 0.16 USD" in said
    assert "budget 10 images: 2 used, 8 left" in said
    assert len(server.bodies) == 2


@pytest.mark.parametrize("budget", [0, 3])
def test_a_list_beyond_the_budget_is_refused_before_the_first_request(server, tmp_path, budget):
    with pytest.raises(BudgetError, match=r"raise budget .* to at least 4"):
        ask(tmp_path, settings(server, budget=budget), ["a cat", "a dog"], (0, 1))
    assert not server.bodies


def test_the_budget_is_not_exceeded_by_requests_that_are_sent_again(server, tmp_path):
    server.ways = ["cut"] * 9
    for _ in range(4):
        with pytest.raises(BudgetError):
            ask(tmp_path, settings(server, budget=4), ["a cat", "a dog", "a bird", "a cow"])
    assert len(server.paid) == 4


def test_a_deleted_ledger_does_not_give_the_budget_back(server, tmp_path):
    ask(tmp_path, settings(server), ["a cat"], (0, 1))
    (tmp_path / LEDGER).unlink()
    with PaidAnswers(tmp_path, 5) as answers:
        assert answers.left == 3


def test_a_ledger_that_was_cut_by_a_kill_is_read_up_to_its_last_whole_line(server, tmp_path):
    ask(tmp_path, settings(server), ["a cat"])
    ledger = tmp_path / LEDGER
    ledger.write_bytes(ledger.read_bytes() + b'{"time": "2026-11-30T13:0')
    assert ask(tmp_path, settings(server), ["a cat", "a dog"])[1][1].status == "ok"
    assert [json.loads(line)["event"] for line in ledger.read_text().splitlines()] == [
        "asked",
        "kept",
    ] * 2


def test_a_damaged_answer_is_not_paid_for_again_without_being_told(server, tmp_path):
    ask(tmp_path, settings(server), ["a cat"])
    (path,) = tmp_path.glob("??/*")
    data = bytearray(path.read_bytes())
    data[-5] ^= 1
    path.write_bytes(data)
    with pytest.raises(DamagedError, match="delete it and pay for it again"):
        ask(tmp_path, settings(server), ["a cat"])
    assert len(server.paid) == 1


def start(
    folder: Path, server: ApiServer, idempotent: bool, captions: list[str]
) -> subprocess.Popen[str]:
    header = {"idempotency_header": "Idempotency-Key"} if idempotent else {}
    words = [str(folder), json.dumps(settings(server, **header)), json.dumps(captions), "[0, 1]"]
    return subprocess.Popen(
        [sys.executable, str(ROOT / "tests/asking_process.py"), *words], text=True,
        env={**os.environ, **ENVIRONMENT}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("idempotent", [True, False])
def test_kills_in_the_middle_pay_for_nothing_twice(server, tmp_path, idempotent):
    server.delay = 0.05
    server.idempotent = "Idempotency-Key" if idempotent else ""
    captions = [f"caption {i}" for i in range(6)]
    kills = 2
    for kill in range(kills):
        run = start(tmp_path, server, idempotent, captions)
        while len(server.paid) < 3 * (kill + 1):
            time.sleep(0.002)
            assert run.poll() is None
        run.send_signal(signal.SIGKILL)  # the image is billed, and its answer has not come
        run.wait()
    run = start(tmp_path, server, idempotent, captions)
    out, err = run.communicate(timeout=300)
    assert run.returncode == 0, err
    assert len(out.splitlines()) == 12
    assert {*server.paid} == {(caption, seed) for caption in captions for seed in (0, 1)}
    if idempotent:
        assert len(server.paid) == 12
    else:  # an answer in flight at a kill is lost: one a kill, and it counts
        assert len(server.paid) <= 12 + kills
    with PaidAnswers(tmp_path, 100) as answers:
        assert 100 - answers.left >= len(server.paid)
        assert answers.lost <= kills


def test_two_jobs_of_one_model_share_its_budget(server, tmp_path):
    server.delay = 0.02
    captions = [f"caption {i}" for i in range(3)]
    with ThreadPoolExecutor(2) as pool:
        jobs = [pool.submit(ask, tmp_path, settings(server, budget=3), captions) for _ in range(2)]
        assert [len(job.result()) for job in jobs] == [3, 3]
    assert len(server.paid) == 3
