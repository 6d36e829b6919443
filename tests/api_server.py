"""A web server on this machine that generates images for a price, in the shapes of three interfaces, and misbehaves."""

from __future__ import annotations

import base64
import contextlib
import http.server
import json
import threading
import time
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
from image_server import Server, huge_png

from verbatim.io.images import encode_png

KEY = "sk-secret-0123456789-never-written"


def drawn(prompt: str, seed: int, size: tuple[int, int] = (16, 16)) -> bytes:
    """A PNG that is a function of prompt and seed."""
    rng = np.random.default_rng([zlib.crc32(prompt.encode()), seed])
    return encode_png(rng.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))


class ApiServer:
    """Use as a context manager.

    ways : what happens to the next requests, a name of `_ways` each; then images are sent.
    of_prompt : word in a prompt -> way of every request that has it.
    paid : (prompt, seed) of every image that was generated and billed, in order.
    idempotent : header whose value is billed once; "" for none.
    generate : PNG of a request's body, as a checkpoint that is served makes it; None draws a function of prompt and seed.
    """

    def __init__(self, generate: Callable[[bytes], bytes] | None = None) -> None:
        self.generate = generate
        self.ways: list[str] = []
        self.of_prompt: dict[str, str] = {}
        self.paid: list[tuple[str, int]] = []
        self.times: list[float] = []
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.idempotent = ""
        self.delay = 0.0
        self.size = (16, 16)
        self._answered: dict[str, bytes] = {}
        self._lock, self._stop = threading.Lock(), threading.Event()
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def log_message(self, *_: Any) -> None:
                pass

            def do_POST(self) -> None:
                with contextlib.suppress(OSError):  # the other side has had enough
                    server.serve(self)

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> ApiServer:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._server.shutdown()
        self._server.server_close()

    def serve(self, request: Any) -> None:
        data = request.sent = request.rfile.read(int(request.headers["Content-Length"]))
        kind = request.headers["Content-Type"]
        body = json.loads(data) if kind == "application/json" else {"multipart": data.decode()}
        with self._lock:
            self.times.append(time.monotonic())
            self.bodies.append(body)
            self.headers.append({name.lower(): value for name, value in request.headers.items()})
            prompt = str(body.get("prompt", body.get("text", body.get("multipart"))))
            always = next((way for word, way in self.of_prompt.items() if word in prompt), "")
            way = always or (self.ways.pop(0) if self.ways else "good")
        getattr(self, f"_{way}")(request, prompt, int(body.get("seed", 0)))

    def _bill(self, request: Any, prompt: str, seed: int, image: bytes = b"") -> bytes:
        """The answer's body, billed; not again for a request that is known by its identifier."""
        known = request.headers.get(self.idempotent, "") if self.idempotent else ""
        with self._lock:
            if known and known in self._answered:
                return self._answered[known]
            self.paid.append((prompt, seed))
            made = image or (self.generate and self.generate(request.sent))
            text = base64.b64encode(made or drawn(prompt, seed, self.size)).decode()
            said: dict[str, Any]
            if request.path.startswith("/v1"):
                said = {"created": 1, "data": [{"b64_json": text}]}
            elif request.path.startswith("/sdapi"):
                info = {"all_seeds": [seed], "index_of_first_image": 0}
                said = {"images": [text], "parameters": {}, "info": json.dumps(info)}
            else:
                said = {
                    "id": f"made-{len(self.paid)}",
                    "artifacts": [{"base64": text, "seed": seed}],
                }
            self._answered[known] = json.dumps(said).encode()
            return self._answered[known]

    def send(self, request: Any, status: int, data: bytes, **headers: str) -> None:
        request.send_response(status)
        sent = {
            "Content-Type": "application/json",
            "Content-Length": str(len(data)),
            "x-request-id": "req-7",
        }
        for name, value in {**sent, **{n.replace("_", "-"): v for n, v in headers.items()}}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(data)

    def error(
        self, request: Any, status: int, code: str, message: str = "no", **headers: str
    ) -> None:
        said = {"error": {"message": message, "type": "an_error", "code": code}}
        self.send(request, status, json.dumps(said).encode(), **headers)

    def _good(self, request: Any, prompt: str, seed: int) -> None:
        data = self._bill(request, prompt, seed)
        time.sleep(self.delay)
        self.send(request, 200, data)

    def _busy(self, request: Any, prompt: str, seed: int) -> None:
        self.error(request, 429, "rate_limit_exceeded", Retry_After="1")

    def _busy_for_days(self, request: Any, prompt: str, seed: int) -> None:
        self.error(request, 429, "rate_limit_exceeded", Retry_After="99999")

    def _poor(self, request: Any, prompt: str, seed: int) -> None:
        self.error(request, 429, "insufficient_quota", "You exceeded your quota")

    def _broken(self, request: Any, prompt: str, seed: int) -> None:
        self.error(request, 500, "server_error")

    def _stranger(self, request: Any, prompt: str, seed: int) -> None:
        self.error(
            request, 401, "invalid_api_key", f"no such key: {request.headers.get('Authorization')}"
        )

    def _invalid(self, request: Any, prompt: str, seed: int) -> None:
        self.error(
            request,
            400,
            "invalid_value",
            f"too long; you sent {request.headers.get('Authorization')}",
        )

    def _moderated(self, request: Any, prompt: str, seed: int) -> None:
        self.error(request, 400, "moderation_blocked", "refused by the safety system")

    def _moved(self, request: Any, prompt: str, seed: int) -> None:
        self.send(request, 307, b"", Location="https://elsewhere.example/take")

    def _hang(self, request: Any, prompt: str, seed: int) -> None:
        self._stop.wait(30)

    def _trickle(self, request: Any, prompt: str, seed: int) -> None:
        data = self._bill(request, prompt, seed)
        request.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not self._stop.wait(0.05) and data:
            request.wfile.write(b"a")

    def _cut(self, request: Any, prompt: str, seed: int) -> None:
        data = self._bill(request, prompt, seed)
        request.send_response(200)
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data[: len(data) // 2])

    def _large(self, request: Any, prompt: str, seed: int) -> None:
        self._image(request, prompt, seed, drawn(prompt, seed, (32, 16)))

    def _page(self, request: Any, prompt: str, seed: int) -> None:
        self._image(request, prompt, seed, b"<html>no image</html>")

    def _bomb(self, request: Any, prompt: str, seed: int) -> None:
        self._image(request, prompt, seed, huge_png(30000, 30000))

    def _empty(self, request: Any, prompt: str, seed: int) -> None:
        self.send(request, 200, b'{"data": [], "images": [], "artifacts": []}')

    def _bare(self, request: Any, prompt: str, seed: int) -> None:
        self.paid.append((prompt, seed))
        self.send(request, 200, drawn(prompt, seed), Content_Type="image/png")

    def _filtered(self, request: Any, prompt: str, seed: int) -> None:
        self.send(request, 200, drawn(prompt, seed), finish_reason="CONTENT_FILTERED")

    def _image(self, request: Any, prompt: str, seed: int, image: bytes) -> None:
        self.send(request, 200, self._bill(request, prompt, seed, image))
