"""What is sent to an endpoint and what its answer means, for each kind of endpoint.

openai: POST /v1/images/generations. a1111: POST /sdapi/v1/txt2img of stable-diffusion-webui. template: any JSON or
multipart request whose answer holds the image.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from verbatim.models.endpoint import Ask, Endpoint

REFUSALS = (
    "moderation_blocked", "content_policy_violation", "content_moderation", "content_filtered",
)  # fmt: skip
NO_MONEY = ("insufficient_quota", "billing_hard_limit_reached")
# keys of an answer whose value may be one of these words
_WORD_KEYS = {"code", "type", "name", "finish_reason", "finishreason", "reason", "status"}
_DEEPEST = 8  # ASSUME: answers of providers are nested three deep at most
_LONGEST = 300  # ASSUME: characters of a provider's message that are kept
# what stable-diffusion-webui reads in a prompt: attention, schedules, escapes; extra networks; conjunctions
_SYNTAX = re.compile(r"[\\()\[\]]")
_NETWORK = re.compile(r"<(?=\w+:[^>]+>)")
_WORDS = re.compile(r"\b(AND|BREAK)\b")


class AnswerError(ValueError):
    """An answer holds no image that can be used; the message says why, for a table's `reason`."""


@dataclass(frozen=True)
class Reply:
    """An HTTP answer. headers : names in small letters."""

    status: int
    headers: Mapping[str, str]
    data: bytes

    def json(self) -> Any:
        """The body as JSON; None where it is none."""
        try:
            return json.loads(self.data)
        except (ValueError, RecursionError):
            return None


@dataclass(frozen=True)
class Generated:
    """An image in an answer. seed : the one that the endpoint says it used; None if it says none."""

    image: bytes
    response_id: str
    seed: int | None = None


def escape_prompt(caption: str) -> str:
    """A caption that stable-diffusion-webui reads as plain words.

    Parentheses, brackets and backslashes get a backslash. `<lora:x>` gets a blank behind `<`, AND and BREAK become
    small letters: CLIP's tokenizer reads both forms as the same tokens.
    """
    text = _NETWORK.sub("< ", _SYNTAX.sub(lambda found: "\\" + found[0], caption))
    return _WORDS.sub(lambda found: found[0].lower(), text)


def build_body(endpoint: Endpoint, ask: Ask) -> dict[str, Any]:
    """The body of the request for one image."""
    return _BODIES[endpoint.kind](endpoint, ask)


def _openai_body(endpoint: Endpoint, ask: Ask) -> dict[str, Any]:
    body = {"model": endpoint.model, "prompt": ask.caption, "n": 1}
    if endpoint.size:
        body["size"] = "x".join(map(str, endpoint.size))
    return {name: value for name, value in body.items() if value != ""} | dict(endpoint.more)


def _a1111_body(endpoint: Endpoint, ask: Ask) -> dict[str, Any]:
    assert endpoint.size is not None
    body: dict[str, Any] = {
        "prompt": escape_prompt(ask.caption), "negative_prompt": "", "seed": ask.seed, "steps": ask.steps,
        "cfg_scale": ask.guidance, "width": endpoint.size[0], "height": endpoint.size[1], "batch_size": 1, "n_iter": 1,
    }  # fmt: skip
    if endpoint.sampler:
        body["sampler_name"] = endpoint.sampler
    if endpoint.model:
        body["override_settings"] = {"sd_model_checkpoint": endpoint.model}
    return body | dict(endpoint.more)


def _template_body(endpoint: Endpoint, ask: Ask) -> dict[str, Any]:
    width, height = endpoint.size or (None, None)
    values = {
        "prompt": ask.caption, "seed": ask.seed, "steps": ask.steps, "guidance": ask.guidance,
        "width": width, "height": height, "model": endpoint.model,
    }  # fmt: skip

    def fill(value: Any) -> Any:
        if isinstance(value, str):
            whole = re.fullmatch(r"\{(\w+)\}", value)
            if whole:
                return values[whole[1]]
            return re.sub(r"\{(\w+)\}", lambda found: str(values[found[1]]), value)
        if isinstance(value, Mapping):
            return {name: fill(inner) for name, inner in value.items()}
        return [fill(inner) for inner in value] if isinstance(value, (list, tuple)) else value

    return {name: fill(value) for name, value in endpoint.body.items()}


_BODIES: dict[str, Callable[[Endpoint, Ask], dict[str, Any]]] = {
    "openai": _openai_body, "a1111": _a1111_body, "template": _template_body,
}  # fmt: skip


def _words(value: Any, depth: int = 0) -> Iterator[str]:
    """Texts under keys that name an error or a state, anywhere in an answer."""
    if depth > _DEEPEST:
        return
    if isinstance(value, dict):
        for name, inner in value.items():
            if isinstance(inner, str) and str(name).lower() in _WORD_KEYS:
                yield inner.lower()
            else:
                yield from _words(inner, depth + 1)
    elif isinstance(value, list):
        for inner in value:
            yield from _words(inner, depth + 1)


def find_refusal(endpoint: Endpoint, reply: Reply) -> str:
    """The word by which moderation refuses the prompt, "" if it does not."""
    known = {*REFUSALS, *(word.lower() for word in endpoint.refusals)}
    said = [reply.headers.get("finish-reason", "").lower(), *_words(reply.json())]
    return next((word for word in said if word in known), "")


def lacks_money(reply: Reply) -> bool:
    """Whether the provider says that the account is empty, which waiting does not cure."""
    return reply.status == 402 or any(word in NO_MONEY for word in _words(reply.json()))


def find_message(reply: Reply) -> str:
    """What an error's answer says in words, short; "" if nothing."""
    said = reply.json()
    for path in ("error.message", "error", "errors.0", "detail", "message"):
        found = dig(said, path)
        if isinstance(found, str) and found.strip():
            return " ".join(found.split())[:_LONGEST]
    return ""


def dig(value: Any, path: str) -> Any:
    """What lies at a path such as data.0.b64_json; None if nothing does."""
    for step in path.split("."):
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and step.isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return None
    return value


def read_answer(endpoint: Endpoint, reply: Reply) -> Generated:
    """The image of an answer with status 200.

    Raises AnswerError where the answer has none.
    """
    return _READERS[endpoint.kind](endpoint, reply)


def _identifier(reply: Reply, path: str = "id") -> str:
    found = dig(reply.json(), path) if path else None
    named = found if isinstance(found, (str, int)) else reply.headers.get("x-request-id", "")
    return str(named)[:_LONGEST]


def _decode(text: Any, path: str) -> bytes:
    """Bytes in base64, with or without a data: prefix."""
    if not isinstance(text, str):
        raise AnswerError(f"the answer has no image at {path}")
    if text.startswith("data:"):
        text = text.partition(",")[2]
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError) as err:
        raise AnswerError(f"the text at {path} is not base64") from err


def _openai_answer(endpoint: Endpoint, reply: Reply) -> Generated:
    return Generated(
        _decode(dig(reply.json(), "data.0.b64_json"), "data.0.b64_json"), _identifier(reply)
    )


def _a1111_answer(endpoint: Endpoint, reply: Reply) -> Generated:
    said = reply.json()
    try:
        info = json.loads(dig(said, "info") or "{}")
    except (TypeError, ValueError, RecursionError):
        info = {}
    first = dig(info, "index_of_first_image")
    seed = dig(info, "all_seeds.0")
    path = f"images.{first if isinstance(first, int) else 0}"
    image = _decode(dig(said, path), path)
    return Generated(image, _identifier(reply, ""), seed if isinstance(seed, int) else None)


def _template_answer(endpoint: Endpoint, reply: Reply) -> Generated:
    path = endpoint.answer["image"]
    image = _decode(dig(reply.json(), path), path) if path else reply.data
    where = endpoint.answer.get("seed", "")
    seed = dig(reply.json(), where) if where else reply.headers.get("seed")
    if isinstance(seed, str) and seed.isdecimal():
        seed = int(seed)
    return Generated(
        image,
        _identifier(reply, endpoint.answer.get("id", "")),
        seed if isinstance(seed, int) else None,
    )


_READERS: dict[str, Callable[[Endpoint, Reply], Generated]] = {
    "openai": _openai_answer, "a1111": _a1111_answer, "template": _template_answer,
}  # fmt: skip
