"""The description of an HTTP endpoint that generates images, and the key that it is asked with.

A closed system behind HTTP is a model whose weights nobody here has: a prompt goes in, an image comes out. The
description is a file that the models sheet names as `source`; `workflow/schemas/endpoint.schema.json` explains its
keys. The key comes from an environment variable and is never in a file, a log or a message.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from urllib3.exceptions import HTTPError
from urllib3.util import Url, parse_url

PLACEHOLDERS = ("prompt", "seed", "steps", "guidance", "width", "height", "model")
LOOPBACK = ("127.0.0.1", "::1", "localhost")
SECRET_NAMES = re.compile(r"authorization|key|token|secret|cookie", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"\{(\w+)\}")
# fields of the two fixed shapes that this program sets
_FIXED = {
    "openai": ("model", "prompt", "n", "size"),
    "a1111": (
        "prompt", "seed", "steps", "cfg_scale", "width", "height", "sampler_name", "batch_size", "n_iter",
    ),
}  # fmt: skip


class EndpointError(ValueError):
    """An endpoint cannot be asked, or asking on is of no use; the message says why and what to do."""


@dataclass(frozen=True)
class Endpoint:
    """How an endpoint is asked. `workflow/schemas/endpoint.schema.json` says what each field means."""

    kind: str
    url: str
    budget: int
    allow_http: bool = False
    key_variable: str = ""
    model: str = ""
    size: Sequence[int] | None = None
    steps: int | None = None
    guidance: float | None = None
    sampler: str = ""
    more: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)
    form: str = "json"
    headers: Mapping[str, str] = field(default_factory=dict)
    answer: Mapping[str, str] = field(default_factory=dict)
    refusals: Sequence[str] = ()
    images_per_minute: float = 60.0
    price: float = 0.0
    currency: str = "USD"
    timeout: float = 120.0
    retries: int = 5
    most_bytes: int = 50_000_000
    idempotency_header: str = ""

    @property
    def takes(self) -> frozenset[str]:
        """Which of seed, steps and guidance the endpoint takes."""
        if self.kind == "template":
            return frozenset(placeholders(self.body)) & {"seed", "steps", "guidance"}
        return frozenset(("seed", "steps", "guidance") if self.kind == "a1111" else ())


@dataclass(frozen=True)
class Ask:
    """One image that is asked for.

    Attributes
    ----------
    seed
        Seed of the generation; where the endpoint takes none, the number of the image among its prompt's.
    steps, guidance
        None for an endpoint that does not take them, or whose default is meant.
    """

    prompt_id: int
    caption: str
    seed: int
    steps: int | None = None
    guidance: float | None = None


def placeholders(value: Any) -> Iterator[str]:
    """Names in braces in every text of a body."""
    if isinstance(value, str):
        yield from _PLACEHOLDER.findall(value)
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from placeholders(inner)
    elif isinstance(value, Sequence):
        for inner in value:
            yield from placeholders(inner)


def address(endpoint: Endpoint) -> Url:
    """The parsed address of an endpoint. Raises EndpointError where it must not be asked."""
    try:
        url = parse_url(endpoint.url)
    except (HTTPError, ValueError) as err:
        raise EndpointError("url is no address; write https://host/path") from err
    if url.auth:
        raise EndpointError(
            "url holds a user name or password; take it away, put it into an environment variable and name "
            "that in key_variable"
        )
    if url.query and SECRET_NAMES.search(url.query):
        raise EndpointError(
            "url may hold a secret behind its question mark; send it in a header of kind template with {key}"
        )
    host = str(url.host or "").strip("[]")
    if url.scheme not in ("http", "https") or not host:
        raise EndpointError(
            f"url has the scheme {url.scheme!r} and host {host!r}; write https://host/path"
        )
    if url.scheme == "http" and not (endpoint.allow_http and host in LOOPBACK):
        raise EndpointError(
            f"url is http to {host!r}: prompts and key would travel unencrypted; write https. Only http to this "
            f"machine ({', '.join(LOOPBACK)}) is possible, with allow_http: true"
        )
    return url


def find_problems(endpoint: Endpoint) -> list[str]:
    """What is wrong with a description that fits its schema, each with its cure."""
    problems = []
    try:
        address(endpoint)
    except EndpointError as err:
        problems.append(str(err))
    if endpoint.kind == "template":
        problems += _template_problems(endpoint)
    else:
        given = [name for name in ("body", "headers", "answer") if getattr(endpoint, name)]
        problems += [f"{name} is for kind template; take it away" for name in given]
        fixed = [name for name in endpoint.more if name in _FIXED[endpoint.kind]]
        problems += [
            f"more has {name!r}, which this program sets itself; take it away" for name in fixed
        ]
    for name in ("steps", "guidance"):
        if getattr(endpoint, name) is not None and name not in endpoint.takes:
            problems.append(f"{name} is given, but the endpoint does not take it; take it away")
    if "steps" in endpoint.takes and endpoint.steps is None:
        problems.append(
            "the endpoint takes steps, but steps is not given; write the number of a full generation"
        )
    if "guidance" in endpoint.takes and endpoint.guidance is None:
        problems.append(
            "the endpoint takes the guidance scale, but guidance is not given; write it"
        )
    asks_size = endpoint.kind == "a1111" or {"width", "height"} & set(placeholders(endpoint.body))
    if asks_size and endpoint.size is None:
        problems.append(
            "the endpoint is asked for a size, but size is not given; write [width, height]"
        )
    return problems


def _template_problems(endpoint: Endpoint) -> list[str]:
    named = set(placeholders(endpoint.body))
    problems = [
        f"body has {{{name}}}, which is none of {', '.join(PLACEHOLDERS)}"
        for name in sorted(named - {*PLACEHOLDERS})
    ]
    if "prompt" not in named:
        problems.append("body has no {prompt}; write it where the prompt belongs")
    if "image" not in endpoint.answer:
        problems.append(
            "answer has no image; write the path of the image in the answer, such as images.0"
        )
    for name, value in endpoint.headers.items():
        if (
            SECRET_NAMES.search(name)
            and "{key}" not in value
            and name.lower() != endpoint.idempotency_header.lower()
        ):
            problems.append(
                f"the header {name!r} may hold a secret; write {{key}} there, and the name of an environment "
                "variable in key_variable"
            )
        if not (name + value).isprintable() or not (name + value).isascii():
            problems.append(f"the header {name!r} has characters that a header cannot have")
    if any("{key}" in value for value in endpoint.headers.values()) and not endpoint.key_variable:
        problems.append(
            "a header has {key}, but key_variable is empty; name the environment variable there"
        )
    return problems


class Key:
    """The key of an endpoint, from an environment variable; nothing prints it.

    Raises
    ------
    EndpointError
        Where the variable is not set, or holds what a header cannot. The value is not in the message.
    """

    def __init__(self, endpoint: Endpoint, environment: Mapping[str, str]):
        name = endpoint.key_variable
        self._key = environment.get(name, "").strip() if name else ""
        if name and not self._key:
            raise EndpointError(
                f"the environment variable {name} is not set: export it with the key of {endpoint.url}"
            )
        if not self._key.isprintable() or not self._key.isascii():
            raise EndpointError(
                f"the environment variable {name} holds characters that a header cannot have; set it to the key alone"
            )
        self._basic = base64.b64encode(self._key.encode()).decode()

    def __repr__(self) -> str:
        return "Key(hidden)"

    def headers(self, endpoint: Endpoint) -> dict[str, str]:
        """The headers that carry the key, and those of a template."""
        if endpoint.kind == "template":
            return {
                name: value.replace("{key}", self._key) for name, value in endpoint.headers.items()
            }
        if not self._key:
            return {}
        word = f"Bearer {self._key}" if endpoint.kind == "openai" else f"Basic {self._basic}"
        return {"Authorization": word}

    def hide(self, text: str) -> str:
        """A text from outside without the key: a provider may repeat it."""
        for secret in filter(None, (self._key, self._basic)):
            text = text.replace(secret, "[key]")
        return text


def request_key(endpoint: Endpoint, body: Mapping[str, Any], number: int) -> str:
    """Digest by which an answer is found again: address, body, and the number of the image among its prompt's.

    Budget, price, pace and time limit are no part of it: to change them pays for nothing again.
    """
    text = json.dumps([endpoint.url, dict(body), number], sort_keys=True)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
