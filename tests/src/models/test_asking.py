"""Asking an endpoint for images: a real server on this machine that misbehaves."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
from api_server import KEY, ApiServer, drawn
from asked_endpoint import ENVIRONMENT, ask, prompts, settings

from verbatim.io.images import decode_image, to_uint8
from verbatim.io.paid_answers import PaidAnswers
from verbatim.models.asking import Asker, full_asks, one_step_asks, open_asker
from verbatim.models.endpoint import Ask, Endpoint, EndpointError


@pytest.mark.parametrize("kind", ["openai", "a1111", "template"])
def test_each_kind_of_endpoint_gives_the_image_that_the_server_made(server, tmp_path, kind):
    found = ask(tmp_path, settings(server, kind), ["a cat", "a dog"], (0, 1))
    assert [answer.status for _, answer, _ in found] == ["ok"] * 4
    for wanted, _, data in found:
        seed = 0 if kind == "openai" else wanted.seed
        prompt = wanted.caption
        assert data == drawn(prompt, seed)
    assert len(server.paid) == 4


def test_requests_have_the_shape_of_their_interface(server, tmp_path):
    ask(
        tmp_path / "a",
        settings(server, "openai", model="gpt-image-1", more={"quality": "low"}),
        ["a cat"],
    )
    ask(
        tmp_path / "b",
        settings(server, "a1111", model="v1-5", sampler="Euler"),
        ["a (cat) <lora:x:1>"],
        (7,),
    )
    ask(tmp_path / "c", settings(server, "template", form="multipart"), ["a cat"], (7,))
    openai, a1111, form = server.bodies
    assert openai == {
        "model": "gpt-image-1",
        "prompt": "a cat",
        "n": 1,
        "size": "16x16",
        "quality": "low",
    }
    assert server.headers[0]["authorization"] == f"Bearer {KEY}"
    assert a1111["prompt"] == r"a \(cat\) < lora:x:1>"
    assert (a1111["seed"], a1111["steps"], a1111["cfg_scale"], a1111["batch_size"]) == (
        7,
        8,
        3.0,
        1,
    )
    assert a1111["override_settings"] == {"sd_model_checkpoint": "v1-5"}
    assert server.headers[1]["authorization"].startswith("Basic ")
    assert 'name="text"\r\n\r\na cat\r\n' in form["multipart"]
    assert server.headers[2]["x-api-key"] == KEY


def test_an_answer_that_is_the_image_itself_is_read(server, tmp_path):
    server.of_prompt = {"cat": "bare", "dog": "filtered"}
    bare = settings(server, "template", answer={"image": ""})
    found = ask(tmp_path, bare, ["a cat", "a dog"])
    assert found[0][2] == drawn("a cat", 0)
    assert found[1][1].status == "refused"


def test_a_second_run_asks_for_nothing_and_gives_the_same(server, tmp_path):
    first = ask(tmp_path, settings(server), ["a cat"], (0, 1))
    again = ask(tmp_path, settings(server, budget=2, images_per_minute=1.0), ["a cat"], (0, 1))
    assert [data for *_, data in again] == [data for *_, data in first]
    assert len(server.bodies) == 2
    record = again[0][1]
    assert record.time.startswith("20")
    assert record.request["body"]["prompt"] == "a cat"
    assert record.response_id == "req-7"
    assert len(record.sha256) == 64


def test_seeds_of_one_prompt_are_different_images_where_the_endpoint_takes_none(server, tmp_path):
    ask(tmp_path, settings(server, "openai"), ["a cat"], (0, 1, 2))
    assert len(server.paid) == 3


def test_a_busy_server_is_left_alone_for_as_long_as_it_asks(server, tmp_path):
    server.ways = ["busy"]
    found = ask(tmp_path, settings(server), ["a cat"])
    assert found[0][1].status == "ok"
    assert server.times[1] - server.times[0] >= 1.0


def test_an_endless_wait_ends_the_job_with_what_to_do(server, tmp_path):
    server.ways = ["good", "busy_for_days"]
    with pytest.raises(
        EndpointError, match="asks to wait 99999 s; run the same command again then"
    ):
        ask(tmp_path, settings(server), ["a cat", "a dog"])
    assert len(ask(tmp_path, settings(server), ["a cat", "a dog"])) == 2
    assert len(server.paid) == 2


@pytest.mark.parametrize("ways", [["broken"], ["broken"] * 3, ["cut"], ["cut", "broken"]])
def test_a_failed_request_is_sent_again(server, tmp_path, ways):
    server.ways = list(ways)
    assert ask(tmp_path, settings(server), ["a cat"])[0][1].status == "ok"
    assert len(server.bodies) == len(ways) + 1


@pytest.mark.parametrize("way", ["hang", "trickle"])
def test_a_server_that_never_ends_its_answer_is_left_after_the_time_limit(server, tmp_path, way):
    server.ways = [way]
    start = time.monotonic()
    assert ask(tmp_path, settings(server, timeout=0.5), ["a cat"])[0][1].status == "ok"
    assert time.monotonic() - start < 4


def test_back_off_grows_with_every_try(server, tmp_path):
    server.ways = ["broken"] * 4
    with open_asker(settings(server), tmp_path, ENVIRONMENT) as asker:
        asker.backoff = 0.05
        list(asker.ask_all(full_asks(asker.endpoint, prompts("a cat"), [0])))
    waits = np.diff(server.times)
    assert (waits[1:] >= [0.1, 0.2, 0.4]).all()  # 0.05 s, doubled for each try


def test_a_request_that_fails_to_the_end_is_recorded_and_asked_again_by_the_next_run(
    server, tmp_path
):
    server.of_prompt = {"dog": "broken"}
    found = ask(tmp_path, settings(server, retries=2), ["a cat", "a dog", "a bird"])
    assert [answer.status for _, answer, _ in found] == ["ok", "failed", "ok"]
    assert "HTTP 500" in found[1][1].reason
    server.of_prompt = {}
    found = ask(tmp_path, settings(server), ["a cat", "a dog", "a bird"])
    assert [answer.status for _, answer, _ in found] == ["ok"] * 3
    assert len(server.paid) == 3


def test_a_server_that_is_down_ends_the_job_soon(server, tmp_path):
    server.of_prompt = {"a": "broken"}
    with pytest.raises(EndpointError, match="3 images in a row got no answer"):
        ask(tmp_path, settings(server, retries=0), [f"a {i}" for i in range(50)])
    assert len(server.bodies) == 3


def test_nobody_listening_costs_nothing_of_the_budget(tmp_path):
    with ApiServer() as gone:
        pass
    with pytest.raises(EndpointError, match="no connection to"):
        ask(tmp_path, settings(gone, retries=1, budget=10), [f"a {i}" for i in range(10)])
    with PaidAnswers(tmp_path, 10) as answers:
        assert answers.left == 10


def test_moderation_is_recorded_with_its_reason_and_never_asked_again(server, tmp_path):
    server.of_prompt = {"dog": "moderated"}
    for _ in range(2):
        found = ask(tmp_path, settings(server, "openai"), ["a cat", "a dog"])
        assert [(a.status, a.reason) for _, a, _ in found] == [
            ("ok", ""), ("refused", "moderation: moderation_blocked"),
        ]  # fmt: skip
    assert len(server.bodies) == 2


@pytest.mark.parametrize(
    ("way", "why"),
    [
        ("large", "an image of 32x16 pixels, not of 16x16 as asked"),
        ("page", "the format is an HTML page"),
        ("bomb", "900000000 pixels"),
        ("empty", "no image at images.0"),
    ],
)
def test_an_image_that_cannot_be_used_is_recorded_and_not_paid_for_again(
    server, tmp_path, way, why
):
    server.of_prompt = {"dog": way}
    for _ in range(2):
        found = ask(tmp_path, settings(server), ["a cat", "a dog"])
        assert [answer.status for _, answer, _ in found] == ["ok", "unusable"]
        assert why in found[1][1].reason
    assert len(server.bodies) == 2


def test_an_answer_made_with_another_seed_is_not_used(server, tmp_path):
    made = settings(server, "template", body={"prompt": "{prompt}", "seed": 5, "n": "{seed}"})
    found = ask(tmp_path, made, ["a cat"], (3,))
    assert found[0][1].reason == "made with seed 5, not with 3 as asked"


@pytest.mark.parametrize(
    ("way", "why"),
    [
        ("stranger", "the key is refused; look at the environment variable IMAGES_KEY"),
        ("poor", "the account has no credit left"),
        ("moved", "a redirect to 'https://elsewhere.example/take', which is not followed"),
    ],
)
def test_what_every_further_request_would_get_ends_the_job(server, tmp_path, way, why):
    server.ways = [way]
    with pytest.raises(EndpointError, match=why) as caught:
        ask(tmp_path, settings(server, "openai"), ["a cat", "a dog"])
    assert KEY not in str(caught.value)
    assert len(server.bodies) == 1


def test_an_endpoint_that_refuses_every_prompt_ends_the_job_after_the_first_of_them(
    server, tmp_path
):
    server.of_prompt = {"a": "moderated"}
    with pytest.raises(EndpointError, match="none of the first 20 images is usable"):
        ask(tmp_path, settings(server), [f"a {i}" for i in range(90)])
    assert len(server.bodies) == 20


def test_an_answer_larger_than_the_limit_ends_the_job(server, tmp_path):
    with pytest.raises(EndpointError, match="more than most_bytes = 100"):
        ask(tmp_path, settings(server, most_bytes=100), ["a cat"])


def test_the_key_is_in_no_file_and_no_message_though_the_server_repeats_it(server, tmp_path):
    server.of_prompt = {"dog": "invalid"}
    found = ask(tmp_path, settings(server, "openai"), ["a cat", "a dog"])
    assert found[1][1].reason == "HTTP 400 too long; you sent Bearer [key]"
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(files) == 2
    assert not [path for path in files if KEY.encode() in path.read_bytes()]


@pytest.mark.parametrize("value", ["", "two\nlines", "schlüssel"])
def test_a_key_that_cannot_be_sent_is_refused_without_being_told(server, tmp_path, value):
    with (
        open_asker(settings(server, "openai"), tmp_path, {"IMAGES_KEY": value}) as asker,
        pytest.raises(EndpointError, match="IMAGES_KEY") as caught,
    ):
        list(asker.ask_all(full_asks(asker.endpoint, prompts("a cat"), [0])))
    assert not value or value not in str(caught.value)
    assert not server.bodies


def test_requests_keep_the_pace(server, tmp_path):
    ask(tmp_path, settings(server, images_per_minute=240), ["a cat"], (0, 1, 2))
    assert server.times[-1] - server.times[0] >= 0.45  # two waits of 0.25 s, the first seen late


def test_one_step_is_asked_for_with_seeds_and_the_guidance_of_the_score(server, tmp_path):
    with open_asker(settings(server), tmp_path, ENVIRONMENT) as asker:
        asks = one_step_asks(asker.endpoint, prompts("a cat"), [0, 1], 7.5)
        found = list(asker.ask_all(asks))
    assert [(b["steps"], b["cfg_scale"], b["seed"]) for b in server.bodies] == [
        (1, 7.5, 0),
        (1, 7.5, 1),
    ]
    assert to_uint8(decode_image(found[0][2])).shape == (16, 16, 3)


def test_the_keys_of_answers_are_of_what_is_sent_and_of_nothing_else(server, tmp_path):
    def key(**more: Any) -> str:
        with PaidAnswers(tmp_path, 1) as answers:
            return Asker(Endpoint(**settings(server, **more)), answers, {}).request(
                Ask(1, "a", 0, 8, 3.0)
            )[0]

    assert key() == key(budget=7, price=1.0, timeout=9.0, images_per_minute=2.0, retries=1)
    assert key() != key(size=[32, 32])
    assert key() != key(model="another")
