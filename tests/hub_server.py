"""A stand-in for the hub on loopback, as far as the real client asks: a model's folder, its tree, its files."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import shlex
import subprocess
import sys
import threading
import urllib.parse
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def _blob(data: bytes) -> str:
    """git's name of a file's content, which the hub gives as ETag of small files."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


class HubServer:
    """Serves one folder as the model `name` at `COMMIT` and its branch main."""

    def __init__(self, folder: Path, name: str):
        self.name = name
        self.files = {
            file.relative_to(folder).as_posix(): file.read_bytes()
            for file in sorted(folder.rglob("*"))
            if file.is_file()
        }
        self.asked: list[str] = []
        hub = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args: object) -> None:
                pass

            def do_GET(self) -> None:
                self.reply(True)

            def do_HEAD(self) -> None:
                self.reply(False)

            def reply(self, with_body: bool) -> None:
                status, headers, body = hub.answer(urllib.parse.urlparse(self.path).path)
                self.send_response(status)
                for key, value in {**headers, "Content-Length": str(len(body))}.items():
                    self.send_header(key, value)
                self.end_headers()
                if with_body:
                    self.wfile.write(body)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        """(status, headers, body) of a GET."""
        path = urllib.parse.unquote(path)
        self.asked.append(path)
        api = f"/api/models/{self.name}"
        if path.startswith(f"{api}/tree/"):
            tree = [
                {"type": "file", "path": name, "size": len(data), "oid": _blob(data)}
                for name, data in self.files.items()
            ]
            return 200, {"Content-Type": "application/json"}, json.dumps(tree).encode()
        if path == api or path.startswith(f"{api}/revision/"):
            siblings = [{"rfilename": name} for name in self.files]
            info = {"id": self.name, "sha": COMMIT, "siblings": siblings}
            return 200, {"Content-Type": "application/json"}, json.dumps(info).encode()
        for revision in (COMMIT, "main"):
            file = path.removeprefix(f"/{self.name}/resolve/{revision}/")
            if file in self.files:
                data = self.files[file]
                headers = {"ETag": f'"{_blob(data)}"', "X-Repo-Commit": COMMIT}
                return 200, headers, data
        return 404, {}, b""

    def run(self, command: str, home: Path) -> subprocess.CompletedProcess[str]:
        """Run a printed `.venv/bin/hf ...` command with the client of this Python, against this server."""
        client, *words = shlex.split(command)
        assert client == ".venv/bin/hf"
        env = {k: v for k, v in os.environ.items() if not k.startswith(("HF_", "TRANSFORMERS_"))}
        env |= {
            "HF_ENDPOINT": f"http://127.0.0.1:{self.server.server_port}", "HF_HOME": str(home),
            "HF_HUB_DISABLE_XET": "1", "HF_HUB_DISABLE_TELEMETRY": "1",
        }  # fmt: skip
        return subprocess.run(
            [str(Path(sys.executable).with_name("hf")), *words],
            env=env, capture_output=True, text=True, timeout=120,
        )  # fmt: skip

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
