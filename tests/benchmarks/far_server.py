"""A web server in a process of its own: it answers every request after a delay, as one far away does, for little CPU.

Connections are kept, as HTTP/1.1 has it, until the other side says `Connection: close`. `/cpu` answers at once with
the CPU seconds that the server has used, so that what is measured beside it is known to be the client's.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import urllib3
from PIL import Image

KINDS = 64  # different images


def photograph(key: int, size: int) -> bytes:
    """A JPEG of smooth shapes and fine noise, about as many bytes a pixel as a photograph has."""
    rng = np.random.default_rng(key)
    coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8))
    smooth = np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC), dtype=np.float32)
    values = np.clip(smooth + rng.normal(0, 6, smooth.shape), 0, 255).astype(np.uint8)
    out = io.BytesIO()
    Image.fromarray(values).save(out, "JPEG", quality=85)
    return out.getvalue()


class Served(asyncio.Protocol):
    """One connection."""

    def __init__(self, images: list[bytes], delay: float):
        self.images, self.delay, self.got = images, delay, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.got += data
        while (end := self.got.find(b"\r\n\r\n")) >= 0:
            head, self.got = self.got[:end], self.got[end + 4 :]
            path = head.split(b" ", 2)[1]
            last = b"connection: close" in head.lower()
            if path == b"/cpu":
                self.answer(str(time.process_time()).encode(), last)
            else:
                image = self.images[int(path[1:]) % len(self.images)]
                asyncio.get_running_loop().call_later(self.delay, self.answer, image, last)

    def answer(self, data: bytes, last: bool) -> None:
        head = f"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: {len(data)}\r\n\r\n"
        self.transport.write(head.encode() + data)
        if last:
            self.transport.close()


class Far(NamedTuple):
    """port; cpu(): seconds that the server has used."""

    port: int
    scheme: str

    def cpu(self) -> float:
        urllib3.disable_warnings()  # its certificate is of this run
        with urllib3.PoolManager(cert_reqs="CERT_NONE") as pool:
            return float(pool.request("GET", f"{self.scheme}://127.0.0.1:{self.port}/cpu").data)


@contextlib.contextmanager
def far_server(size: int, delay: float, certificate: Path | None = None) -> Iterator[Far]:
    """The server in a process of its own. certificate : a PEM file with its key, for TLS."""
    command = [sys.executable, __file__, str(size), str(delay), str(certificate or "")]
    paths = {"PYTHONPATH": ":".join(path for path in sys.path if path)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=paths) as process:
        try:
            assert process.stdout is not None
            yield Far(int(process.stdout.readline()), "https" if certificate else "http")
        finally:
            process.terminate()


async def _serve(size: int, delay: float, certificate: str) -> None:
    images = [photograph(i, size) for i in range(KINDS)]
    context = None
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
    server = await asyncio.get_running_loop().create_server(
        lambda: Served(images, delay), "0.0.0.0", 0, backlog=1024, ssl=context
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("size", type=int)
    parser.add_argument("delay", type=float)
    parser.add_argument("certificate")
    args = parser.parse_args()
    asyncio.run(_serve(args.size, args.delay, args.certificate))
