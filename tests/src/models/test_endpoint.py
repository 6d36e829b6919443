"""Descriptions of endpoints, what is sent, and what an answer means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verbatim.models.endpoint import Endpoint, Key, find_problems
from verbatim.models.endpoint_shapes import dig, escape_prompt, find_message

GOOD = {
    "kind": "template", "url": "https://host.example/make", "budget": 1, "body": {"text": "{prompt}"},
    "answer": {"image": "images.0"},
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"url": "http://host.example/make"}, "would travel unencrypted"),
        ({"url": "http://host.example/make", "allow_http": True}, "Only http to this machine"),
        ({"url": "http://127.0.0.1.host.example/make", "allow_http": True}, "unencrypted"),
        ({"url": "http://127.0.0.1:7860/make"}, "with allow_http: true"),
        ({"url": "https://me:secret@host.example/make"}, "holds a user name or password"),
        (
            {"url": "https://host.example/make?api_key=secret@1"},
            "may hold a secret behind its question mark",
        ),
        ({"body": {"text": "x"}}, "no {prompt}"),
        ({"body": {"text": "{prompt} {mood}"}}, "body has {mood}"),
        ({"answer": {}}, "answer has no image"),
        ({"headers": {"X-Api-Key": "sk-123"}}, "may hold a secret; write {key}"),
        ({"headers": {"Authorization": "Bearer {key}"}}, "key_variable is empty"),
        ({"steps": 4}, "steps is given, but the endpoint does not take it"),
        ({"body": {"text": "{prompt}", "steps": "{steps}"}}, "steps is not given"),
        ({"body": {"text": "{prompt}", "width": "{width}"}}, "size is not given"),
    ],
)
def test_a_description_that_cannot_be_asked_is_refused_with_the_cure(change, why):
    problems = find_problems(Endpoint(**{**GOOD, **change}))
    assert len(problems) == 1
    assert why in problems[0]
    assert "secret@" not in problems[0]


def test_good_descriptions_have_no_problems():
    assert not find_problems(Endpoint(**GOOD))
    assert not find_problems(Endpoint("openai", "https://host.example/v1/images/generations", 5))
    local = {"url": "http://127.0.0.1:7860/sdapi/v1/txt2img", "allow_http": True}
    assert not find_problems(
        Endpoint("a1111", budget=5, steps=4, guidance=3.0, size=[64, 64], **local)
    )


def test_a_field_that_this_program_sets_cannot_be_given_twice():
    problems = find_problems(Endpoint("openai", "https://host.example/x", 5, more={"n": 10}))
    assert problems == ["more has 'n', which this program sets itself; take it away"]


def unescape(text: str) -> str:
    """What stable-diffusion-webui's attention parser makes of escapes: a backslash is dropped before what it guards."""
    read, i = "", 0
    while i < len(text):
        i += text[i] == "\\"
        read += text[i]
        i += 1
    return read


@given(st.text(alphabet="ab ()[]\\:<>|", max_size=30))
def test_no_caption_is_syntax_for_the_server(caption):
    sent = escape_prompt(caption)
    assert unescape(sent).replace("< ", "<").replace(" ", "") == caption.replace(" ", "")


def test_words_that_are_syntax_are_read_as_words():
    assert escape_prompt("salt AND pepper BREAK") == "salt and pepper break"
    assert escape_prompt("BRAND <b> <lora:x:1>") == "BRAND <b> < lora:x:1>"


def test_a_path_leads_to_a_value_or_to_nothing():
    said = {"data": [{"b64_json": "x"}]}
    assert dig(said, "data.0.b64_json") == "x"
    assert [
        dig(said, path) for path in ("data.1.b64_json", "data.b64_json", "none", "data.-1")
    ] == [None] * 4


def test_a_key_is_never_printed():
    key = Key(
        Endpoint("openai", "https://host.example/x", 5, key_variable="K"), {"K": "sk-12345678"}
    )
    assert "sk-" not in repr(key) + str(key) + str(vars(key).keys())
    assert key.hide("you sent sk-12345678!") == "you sent [key]!"


def test_messages_of_errors_are_found_in_the_forms_of_several_providers():
    from verbatim.models.endpoint_shapes import Reply

    forms = [
        b'{"error": {"message": "why"}}', b'{"error": "why"}', b'{"errors": ["why"]}', b'{"detail": "why"}',
    ]  # fmt: skip
    assert {find_message(Reply(400, {}, data)) for data in forms} == {"why"}
    assert find_message(Reply(500, {}, b"<html>")) == ""
