"""One request to an endpoint: encrypted, within limits of time and size, never redirected.

urllib3 speaks HTTP and checks certificates against certifi's authorities. No proxy is used.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from http.client import HTTPException
from typing import Any

import certifi
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError
from urllib3.exceptions import SSLError as TlsError
from urllib3.filepost import encode_multipart_formdata
from urllib3.util.ssl_ import create_urllib3_context

from verbatim.io.clock import Clock
from verbatim.models.endpoint import Endpoint, EndpointError, Key, address
from verbatim.models.endpoint_shapes import Reply

AGENT = "verbatim/0.1 (memorization research)"
CHUNK = 65536


class UnsentError(OSError):
    """No connection: the request was not sent, and nothing can have been billed."""


class LostError(OSError):
    """The request was sent and no whole answer came back: it may have been billed."""


class Client:
    """Sends requests to one endpoint, one at a time.

    Parameters
    ----------
    endpoint
        A description without problems (`endpoint.find_problems`).
    key
        What it is asked with. No message of this class holds it.
    """

    def __init__(self, endpoint: Endpoint, key: Key):
        self._endpoint, self._key = endpoint, key
        self._url = address(endpoint)
        self._tls = create_urllib3_context()
        self._tls.load_verify_locations(certifi.where())

    def hide(self, text: str) -> str:
        """A text from outside without the key."""
        return self._key.hide(text)

    def post(self, body: Mapping[str, Any], identifier: str) -> Reply:
        """The answer to a request, whatever its status.

        identifier : by which the provider recognizes a request that it has answered, where it does.

        Raises
        ------
        UnsentError, LostError
            No answer; another try may get one.
        EndpointError
            The certificate is not the host's, or the answer is larger than `most_bytes`.
        """
        endpoint = self._endpoint
        connection = self._connection()
        with Clock(endpoint.timeout) as clock:
            try:
                self._connect(connection)
                return self._exchange(connection, clock, body, identifier)
            except (HTTPError, HTTPException, OSError, ValueError) as err:
                if isinstance(err, (UnsentError, EndpointError)):
                    raise
                what = (
                    f"no whole answer within {endpoint.timeout:g} s"
                    if clock.over
                    else type(err).__name__
                )
                raise LostError(f"{what}; it may have been billed") from None
            finally:
                connection.close()

    def _connection(self) -> HTTPConnection:
        url, timeout = self._url, self._endpoint.timeout
        host = str(url.host).strip("[]")
        if url.scheme == "https":
            return HTTPSConnection(host, url.port or 443, timeout=timeout, ssl_context=self._tls)
        return HTTPConnection(host, url.port or 80, timeout=timeout)

    def _connect(self, connection: HTTPConnection) -> None:
        try:
            connection.connect()
        except (ssl.SSLError, TlsError) as err:
            raise EndpointError(
                f"{self._url.host}: no encrypted connection ({err}); the certificate must be of this host and of a "
                "known authority"
            ) from None
        except (HTTPError, OSError) as err:
            raise UnsentError(f"no connection to {self._url.host} ({type(err).__name__})") from None

    def _exchange(
        self, connection: HTTPConnection, clock: Clock, body: Mapping[str, Any], identifier: str
    ) -> Reply:
        endpoint = self._endpoint
        assert connection.sock is not None
        clock.watch(connection.sock)
        data, kind = _encode(body, endpoint.form)
        headers = {
            "User-Agent": AGENT, "Accept": _accepts(endpoint), "Accept-Encoding": "identity",
            "Connection": "close", "Content-Type": kind, **self._key.headers(endpoint),
        }  # fmt: skip
        if endpoint.idempotency_header:
            headers[endpoint.idempotency_header] = identifier
        connection.request(
            "POST", self._url.request_uri, body=data, headers=headers,
            preload_content=False, decode_content=False,
        )  # fmt: skip
        response = connection.getresponse()
        sent = {name.lower(): self._key.hide(value) for name, value in response.headers.items()}
        length = sent.get("content-length", "")
        whole = int(length) if length.isascii() and length.isdecimal() else None
        parts: list[bytes] = []
        size = 0
        while part := response.read1(CHUNK, decode_content=False):
            parts.append(part)
            size += len(part)
            if size > endpoint.most_bytes:
                raise EndpointError(
                    f"{self._url.host} sent more than most_bytes = {endpoint.most_bytes}; raise it if images are this "
                    "large, or ask for smaller ones"
                )
        clock.left()
        if whole is not None and size < whole:
            raise LostError("cut short")
        return Reply(response.status, sent, b"".join(parts))


def _accepts(endpoint: Endpoint) -> str:
    bare = endpoint.kind == "template" and not endpoint.answer["image"]
    return "image/*" if bare else "application/json"


def _encode(body: Mapping[str, Any], form: str) -> tuple[bytes, str]:
    """The body as bytes, and its content type."""
    if form == "multipart":
        fields = {name: str(value) for name, value in body.items() if value is not None}
        return encode_multipart_formdata(fields)
    return json.dumps(body).encode("ascii"), "application/json"
