"""A web server on this machine that misbehaves in every way that a downloader has to stand."""

from __future__ import annotations

import gzip
import http.server
import ssl
import struct
import threading
import time
import zlib
from collections import Counter

from made_inputs import png


def huge_png(width: int, height: int) -> bytes:
    """A PNG of a few bytes that claims to be that large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = zlib.compress(bytes(1000))
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", body) + chunk(b"IEND", b"")
    )


class Server(http.server.ThreadingHTTPServer):
    """Takes many connections at once, and says nothing of broken ones."""

    request_queue_size = 256
    daemon_threads = True

    def handle_error(self, request, client_address):
        pass


class Imageserver:
    """Use as a context manager.

    images : path -> bytes that are sent as they should be; /ways/<name> misbehaves (see `_ways`).
    asked : paths in order; busiest : most requests at one time; opened, most_open : connections, and most at one time.
    keeps : whether a connection stays open for the next request.
    """

    def __init__(self, address: str = "127.0.0.1", keeps: bool = False):
        self.images: dict[str, bytes] = {"/good": png(100)}
        self.asked: list[str] = []
        self.tries: Counter[str] = Counter()
        self.busy = self.busiest = 0
        self.opened = self.open = self.most_open = 0
        self.delay = 0.0
        self._lock, self._stop = threading.Lock(), threading.Event()
        server = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1" if keeps else "HTTP/1.0"

            def log_message(self, *_):
                pass

            def setup(self):
                super().setup()
                with server._lock:
                    server.opened += 1
                    server.open += 1
                    server.most_open = max(server.open, server.most_open)

            def finish(self):
                with server._lock:
                    server.open -= 1
                super().finish()

            def do_GET(self):
                self.is_over = False
                with server._lock:
                    server.asked.append(self.path)
                    server.tries[self.path] += 1
                    server.busy += 1
                    server.busiest = max(server.busiest, server.busy)
                try:
                    time.sleep(server.delay)
                    if self.path.startswith("/ways/"):
                        getattr(server, self.path.removeprefix("/ways/"))(self)
                    else:
                        server.send(self, server.images.get(self.path))
                except OSError:  # the other side has had enough
                    pass
                finally:
                    server.finish(self)

        self._server = Server((address, 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def finish(self, to) -> None:
        """Count a request as over, once; before its last bytes leave, as the other side may go on at once."""
        with self._lock:
            self.busy -= not getattr(to, "is_over", False)
            to.is_over = True

    def send(self, to, data: bytes | None, status: int = 200, **headers: str) -> None:
        to.send_response(404 if data is None else status)
        headers = {"Content_Type": "image/png", "Content_Length": str(len(data or b""))} | headers
        for name, value in headers.items():
            to.send_header(name.replace("_", "-"), value)
        self.finish(to)
        to.end_headers()
        to.wfile.write(data or b"")

    def secure(self, context: ssl.SSLContext) -> None:
        """Speak TLS from now on."""
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def wait(self) -> None:
        self._stop.wait(20)

    # the ways, each named by what it does

    def gone(self, to):
        self.send(to, b"gone", 410)

    def hangs_before_answering(self, to):
        self.wait()

    def hangs_in_the_middle(self, to):
        self.send(to, png()[:20], Content_Length="1000")
        self.wait()

    def drips_its_body(self, to):
        self.send(to, b"", Content_Length="1000")
        while not self._stop.wait(0.05):
            to.wfile.write(b"\x89")

    def drips_its_headers(self, to):
        to.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not self._stop.wait(0.05):
            to.wfile.write(b"X")

    def cut_short(self, to):
        self.send(to, png()[:30], Content_Length=str(len(png())))

    def cut_short_without_a_length(self, to):
        to.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n" + png()[:40])

    def cut_short_in_chunks(self, to):
        to.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n" + png()[:30])

    def chunks(self, to):
        data = png(100)
        to.wfile.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for part in (data[:10], data[10:]):
            to.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
        to.wfile.write(b"0\r\n\r\n")

    def endless(self, to):
        to.wfile.write(b"HTTP/1.0 200 OK\r\n\r\n")
        while not self._stop.is_set():
            to.wfile.write(bytes(65536))

    def huge_length(self, to):
        self.send(to, png(), Content_Length=str(10**15))

    def a_page(self, to):
        self.send(to, b"<!DOCTYPE html><html>not found, politely</html>")

    def a_gif(self, to):
        self.send(to, b"GIF89a" + bytes(50), Content_Type="image/png")

    def nothing(self, to):
        self.send(to, b"")

    def a_broken_image(self, to):
        data = png()
        self.send(to, data[:45] + bytes(8) + data[53:])

    def a_hundred_megapixels(self, to):
        self.send(to, huge_png(10_000, 10_000))

    def ten_gigapixels(self, to):
        self.send(to, huge_png(100_000, 100_000))

    def packed(self, to):
        self.send(to, gzip.compress(png(100)), Content_Encoding="gzip")

    def a_bomb(self, to):
        self.send(to, gzip.compress(bytes(50_000_000)), Content_Encoding="gzip")

    def packed_and_cut_short(self, to):
        self.send(to, gzip.compress(png(100))[:20], Content_Encoding="gzip")

    def a_strange_packing(self, to):
        self.send(to, png(), Content_Encoding="br")

    def forbids_it(self, to):
        self.send(to, png(), X_Robots_Tag="otherbot: noimageai, noai")

    def forbids_it_to_all(self, to):
        self.send(to, png(), X_Robots_Tag="max-snippet: 3, NoAI")

    def fails_twice(self, to):
        if self.tries[to.path] > 2:
            self.send(to, png(100))
        else:
            self.send(to, b"", 503)

    def breaks_off_once(self, to):
        if self.tries[to.path] > 1:
            self.send(to, png(100))
        else:
            to.connection.close()

    def garbage(self, to):
        to.wfile.write(b"\x00\x01 this is no HTTP\r\n\r\n")

    def many_headers(self, to):
        to.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 5000 + b"\r\n")

    def more_than_it_says(self, to):
        more = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwrong"
        self.send(to, png(100) + more, Content_Length=str(len(png(100))))

    def closes_without_a_word(self, to):
        self.send(to, png(100))
        to.close_connection = True

    def _to(self, to, where: str):
        self.send(to, b"", 302, Location=where)

    def redirects_well(self, to):
        self._to(to, "/ways/redirects_once_more")

    def redirects_once_more(self, to):
        self._to(to, f"{self.url}/good")

    def redirects_to_itself(self, to):
        self._to(to, to.path)

    def redirects_to_loopback(self, to):
        self._to(to, self.url.replace("127.0.0.1", "127.0.0.2") + "/good")

    def redirects_to_metadata(self, to):
        self._to(to, "http://169.254.169.254/latest/meta-data/")

    def redirects_to_a_file(self, to):
        self._to(to, "file:///etc/passwd")

    def redirects_to_nonsense(self, to):
        self._to(to, "http://[::1")

    def __enter__(self) -> Imageserver:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self._stop.set()
        self._server.shutdown()
        self._server.server_close()
