"""Ask an endpoint for many images: cost first, one request at a time, every answer kept before the next request.

A request that may do better a moment later is sent again, with exponential back-off or after the time that the
provider names. A prompt that moderation refuses is recorded and never asked again, and so is an answer that was paid
for and holds no image that can be used.
"""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd
from urllib3.exceptions import HTTPError, MaxRetryError
from urllib3.util import Retry

from verbatim.io import paid_answers
from verbatim.io.images import ImageError, decode_image
from verbatim.io.paid_answers import Answer, BudgetError, PaidAnswers
from verbatim.models.endpoint import Ask, Endpoint, EndpointError, Key, request_key
from verbatim.models.endpoint_client import Client, LostError, UnsentError
from verbatim.models.endpoint_shapes import (
    AnswerError,
    Generated,
    Reply,
    build_body,
    find_message,
    find_refusal,
    lacks_money,
    read_answer,
)

AGAIN = {408, 409, 425, 429, *range(500, 600)}  # HTTP statuses that may be others a moment later
CUT = {408, 502, 504}  # a gateway's: what stands behind it may have generated and billed the image
LONGEST_WAIT = 600.0  # ASSUME: seconds; a provider that asks for more wants its client to come back another day
FIRST = 20  # ASSUME: images of which one at least is usable, or else the settings are wrong
IN_A_ROW = 3  # ASSUME: images without any answer after all retries: the endpoint is down


@dataclass(frozen=True)
class Plan:
    """What a list of images will cost. used, left : of the budget; lost : requests that may have been billed."""

    images: int
    kept: int
    used: int
    left: int
    lost: int

    @property
    def to_ask(self) -> int:
        """Images that are not kept yet."""
        return self.images - self.kept


def full_asks(endpoint: Endpoint, prompts: pd.DataFrame, seeds: Sequence[int]) -> list[Ask]:
    """The full generations of prompts (prompt_id, caption): one for each seed, with the endpoint's own settings."""
    return [
        Ask(int(prompt_id), caption, int(seed), endpoint.steps, endpoint.guidance)
        for prompt_id, caption in zip(prompts["prompt_id"], prompts["caption"], strict=True)
        for seed in seeds
    ]


def one_step_asks(
    endpoint: Endpoint, prompts: pd.DataFrame, seeds: Sequence[int], guidance: float
) -> list[Ask]:
    """One-step generations of prompts. Webster 2023, eq. 3.

    guidance : scale of the one step, where the endpoint takes one.
    """
    scale = guidance if "guidance" in endpoint.takes else None
    return [
        Ask(ask.prompt_id, ask.caption, ask.seed, 1, scale)
        for ask in full_asks(endpoint, prompts, seeds)
    ]


def describe_plan(endpoint: Endpoint, plan: Plan) -> list[str]:
    """The cost in words, for the log, before the first request is sent."""
    minutes = plan.to_ask / endpoint.images_per_minute
    cost = f" = {plan.to_ask * endpoint.price:.2f} {endpoint.currency}" if endpoint.price else ""
    lines = [
        f"{plan.images} images: {plan.kept} are kept and cost nothing, {plan.to_ask} are asked for"
        + (f" at {endpoint.price:g} {endpoint.currency}{cost}" if endpoint.price else "")
        + f", in {minutes:.1f} minutes at least",
        f"budget {endpoint.budget} images: {plan.used} used, {plan.left} left",
    ]
    if plan.lost:
        lines.append(f"{plan.lost} requests without a whole answer may have been billed, and count")
    return lines


@contextlib.contextmanager
def open_asker(
    settings: Mapping[str, Any], answers: str | os.PathLike, environment: Mapping[str, str]
) -> Iterator[Asker]:
    """An `Asker` of an endpoint, for as long as the block lasts; the only one of these answers.

    Parameters
    ----------
    settings
        The fields of `Endpoint`.
    answers
        Folder of `PaidAnswers`.
    environment
        Where the key is looked for.
    """
    endpoint = Endpoint(**settings)
    with PaidAnswers(answers, endpoint.budget) as kept:
        yield Asker(endpoint, kept, environment)


class Asker:
    """Asks for images, or takes them from what is kept.

    Attributes
    ----------
    endpoint, answers
        What is asked, and where answers are kept.
    backoff
        Seconds before the second further try, doubled for each.
    """

    def __init__(self, endpoint: Endpoint, answers: PaidAnswers, environment: Mapping[str, str]):
        self.endpoint, self.answers = endpoint, answers
        self.backoff = 1.0
        self._environment = environment
        self._next = 0.0

    def request(self, ask: Ask) -> tuple[str, dict[str, Any]]:
        """The key and the body of a request."""
        body = build_body(self.endpoint, ask)
        return request_key(self.endpoint, body, ask.seed), body

    def settings(self, seeds: Sequence[int], guidance: float) -> list[str]:
        """What the one-step images of any prompt depend on beside the prompt: the keys of an empty one's requests."""
        empty = pd.DataFrame({"prompt_id": [0], "caption": [""]})
        asks = one_step_asks(self.endpoint, empty, seeds, guidance)
        return [self.request(ask)[0] for ask in asks]

    def plan(self, asks: Sequence[Ask]) -> Plan:
        """What these images will cost."""
        kept = sum(self.answers.read(self.request(ask)[0]) is not None for ask in asks)
        return Plan(len(asks), kept, self.answers.used, self.answers.left, self.answers.lost)

    def check_plan(self, plan: Plan) -> None:
        """Refuse a list of images that the budget cannot pay for, before the first request.

        Raises
        ------
        BudgetError
            With how much is lacking.
        """
        if plan.to_ask > plan.left:
            raise BudgetError(
                f"{plan.to_ask} images have to be asked for, but {plan.left} are left of the budget of "
                f"{self.endpoint.budget}; raise budget in the description of the endpoint to at least "
                f"{plan.used + plan.to_ask}, or ask for fewer images (labels.n_transfer, labels.seeds, "
                "blackbox.n_prompts; of an audit audit.generations, audit.least_prompts). Nothing was asked"
            )

    def ask_all(self, asks: Sequence[Ask]) -> Iterator[tuple[Ask, Answer, bytes]]:
        """Each image in turn with what came of it, and its bytes as they were sent.

        Raises
        ------
        EndpointError
            Where asking on is of no use: the key is refused, the account is empty, nothing answers, or not one of the
            first images is usable. All answers so far are kept.
        BudgetError
            Where requests that were sent again have used the budget up.
        """
        client: Client | None = None
        usable = silent = 0
        for done, ask in enumerate(asks, 1):
            key, body = self.request(ask)
            found = self.answers.read(key)
            if found is None:
                client = client or Client(self.endpoint, Key(self.endpoint, self._environment))
                found = self._ask(client, key, body, ask)
                silent = silent + 1 if found[0].status == "failed" else 0
            usable += found[0].status == "ok"
            yield ask, *found
            if silent >= IN_A_ROW or (done >= FIRST and not usable):
                what = (
                    f"{silent} images in a row got no answer"
                    if silent >= IN_A_ROW
                    else f"none of the first {done} images is usable"
                )
                raise EndpointError(
                    f"{self.endpoint.url}: {what}; the last one: {found[0].reason}. What is kept is not asked for "
                    "again: correct the description of the endpoint or wait, and run the same command again"
                )

    def _ask(
        self, client: Client, key: str, body: dict[str, Any], ask: Ask
    ) -> tuple[Answer, bytes]:
        retry = Retry(
            total=self.endpoint.retries,
            backoff_factor=self.backoff,
            backoff_max=60,
            backoff_jitter=0.25,
        )
        request = {"url": self.endpoint.url, "body": body}
        while True:
            self.answers.reserve(key)
            self._pace()
            wait = 0.0
            try:
                reply = client.post(body, key)
            except UnsentError as err:
                self.answers.settle(key, paid_answers.UNBILLED)
                reason = str(err)
            except LostError as err:
                self.answers.settle(key, paid_answers.LOST)
                reason = str(err)
            else:
                found = self._judge(reply, ask)
                if found is not None:
                    answer, data = found
                    named = client.hide(answer.response_id)
                    whole = replace(answer, request=request, response_id=named)
                    return self.answers.keep(key, whole, data), data
                billed = reply.status in CUT or reply.status == 200
                self.answers.settle(key, paid_answers.LOST if billed else paid_answers.UNBILLED)
                reason = client.hide(f"HTTP {reply.status} {find_message(reply)}".strip())
                self._check_hopeless(reply, reason)
                if reply.status not in AGAIN and reply.status != 200:
                    return Answer("rejected", reason, request=request), b""
                wait = self._wait_asked(reply, retry)
            try:
                retry = retry.increment("POST", "", error=HTTPError(reason))
            except MaxRetryError:
                return Answer("failed", reason, request=request), b""
            time.sleep(max(wait, retry.get_backoff_time()))

    def _pace(self) -> None:
        """Wait until the pace allows another request."""
        time.sleep(max(0.0, self._next - time.monotonic()))
        self._next = time.monotonic() + 60.0 / self.endpoint.images_per_minute

    def _judge(self, reply: Reply, ask: Ask) -> tuple[Answer, bytes] | None:
        """What an HTTP answer is, if it is final: an image, a refusal, or nothing that can be used."""
        word = find_refusal(self.endpoint, reply)
        if word:
            return Answer(
                "refused", f"moderation: {word}", response_id=reply.headers.get("x-request-id", "")
            ), b""
        if reply.status != 200:
            return None
        bare = self.endpoint.kind == "template" and not self.endpoint.answer["image"]
        if not bare and reply.json() is None:
            return None  # cut short, or a page of something between: as good as no answer
        try:
            made = read_answer(self.endpoint, reply)
        except AnswerError as err:
            return Answer("unusable", str(err)), b""
        why = self._wrong(made, ask)
        return Answer("unusable" if why else "ok", why, response_id=made.response_id), made.image

    def _wrong(self, made: Generated, ask: Ask) -> str:
        """Why an image cannot be used, "" if it can."""
        try:
            height, width = decode_image(made.image).shape[:2]
        except ImageError as err:
            return f"no image that can be used: {err}"
        if self.endpoint.size and (width, height) != tuple(self.endpoint.size):
            asked = "x".join(map(str, self.endpoint.size))
            return f"an image of {width}x{height} pixels, not of {asked} as asked"
        if "seed" in self.endpoint.takes and made.seed not in (None, ask.seed):
            return f"made with seed {made.seed}, not with {ask.seed} as asked"
        return ""

    def _check_hopeless(self, reply: Reply, reason: str) -> None:
        """Raise EndpointError for an answer that every further request would get, too."""
        url, variable = self.endpoint.url, self.endpoint.key_variable
        kept = "What is kept is not asked for again: run the same command again afterwards"
        if lacks_money(reply):
            raise EndpointError(f"{url}: {reason}: the account has no credit left; fill it. {kept}")
        if reply.status in (401, 403):
            named = (
                f"the environment variable {variable}"
                if variable
                else "key_variable, which names none"
            )
            raise EndpointError(f"{url}: {reason}: the key is refused; look at {named}. {kept}")
        if reply.status in (404, 405):
            raise EndpointError(
                f"{url}: {reason}: no such address, model or sampler; correct the description. {kept}"
            )
        if 300 <= reply.status < 400:
            raise EndpointError(
                f"{url}: {reason}: a redirect to {reply.headers.get('location', 'nowhere')!r}, which is not followed; "
                f"write the address that is meant as url. {kept}"
            )

    def _wait_asked(self, reply: Reply, retry: Retry) -> float:
        """Seconds that the provider wants to be left alone, 0 if it names none.

        Raises EndpointError where they are more than `LONGEST_WAIT`.
        """
        wait = 0.0
        with contextlib.suppress(ValueError, HTTPError):
            if "retry-after-ms" in reply.headers:
                wait = float(reply.headers["retry-after-ms"]) / 1000
            elif "retry-after" in reply.headers:
                wait = _seconds(reply.headers["retry-after"], retry)
        if not math.isfinite(wait):
            return 0.0
        if wait > LONGEST_WAIT:
            raise EndpointError(
                f"{self.endpoint.url}: HTTP {reply.status}: the provider asks to wait {wait:.0f} s; run the same command "
                "again then. What is kept is not asked for again"
            )
        return max(0.0, wait)


def _seconds(text: str, retry: Retry) -> float:
    """Retry-After in seconds: a number, with or without decimals, or a date."""
    try:
        return float(text)
    except ValueError:
        return retry.parse_retry_after(text)
