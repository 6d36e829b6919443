"""Serve a checkpoint on this machine over HTTP, in the shape of stable-diffusion-webui's API, to try family `api`.

python workflow/tools/serve_checkpoint.py FOLDER [--family sd] [--port 7860] [--key-variable NAME]

POST /sdapi/v1/txt2img takes prompt, seed, steps, cfg_scale, width, height and sampler_name (Euler, Heun, DDIM); an
image is the one that this repository generates with the same caption, seed, steps and guidance scale. Only this
machine can reach the server. With --key-variable it asks for basic authentication with user:password of that variable.
"""

from __future__ import annotations

import argparse
import base64
import hmac
import http.server
import json
import os
import re
import sys
import threading
from http import HTTPStatus
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "workflow" / "src"))
os.environ.update(HF_HUB_OFFLINE="1", TRANSFORMERS_OFFLINE="1")

PATH = "/sdapi/v1/txt2img"
SAMPLERS = {"Euler": "euler", "Heun": "heun", "DDIM": "ddim"}
SPACINGS = {"Automatic": "karras", "Karras": "karras", "Uniform": "even"}
# the defaults of stable-diffusion-webui, but for the sampler
DEFAULTS = {
    "seed": 0,
    "steps": 50,
    "cfg_scale": 7.0,
    "sampler_name": "Euler",
    "scheduler": "Automatic",
}
MOST_STEPS = 1000  # ASSUME: as many as a network is trained on
MOST_BYTES = 1_000_000  # of a request


class RequestError(ValueError):
    """A request cannot be answered; with the HTTP status that says so."""

    def __init__(self, status: HTTPStatus, detail: str):
        super().__init__(detail)
        self.status = status


def plain_prompt(text: str) -> str:
    """A prompt without the backslashes that keep parentheses and brackets from being syntax."""
    return re.sub(r"\\([\\()\[\]])", r"\1", text)


def read_request(data: bytes, size: int) -> dict[str, Any]:
    """The fields of a request, with defaults. Raises RequestError for what cannot be generated."""
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as err:
        raise RequestError(HTTPStatus.UNPROCESSABLE_ENTITY, "the body is not JSON") from err
    if not isinstance(body, dict) or not isinstance(body.get("prompt"), str):
        raise RequestError(HTTPStatus.UNPROCESSABLE_ENTITY, "prompt is missing")
    asked = {"width": size, "height": size, **DEFAULTS, **body}
    for name, low, high in (("seed", 0, 2**63 - 1), ("steps", 1, MOST_STEPS)):
        if type(asked[name]) is not int or not low <= asked[name] <= high:
            raise RequestError(
                HTTPStatus.UNPROCESSABLE_ENTITY, f"{name} must be a number from {low} to {high}"
            )
    if type(asked["cfg_scale"]) not in (int, float):
        raise RequestError(HTTPStatus.UNPROCESSABLE_ENTITY, "cfg_scale must be a number")
    if asked["sampler_name"] not in SAMPLERS or asked["scheduler"] not in SPACINGS:
        raise RequestError(HTTPStatus.NOT_FOUND, "Sampler not found")
    if (asked["width"], asked["height"]) != (size, size):
        raise RequestError(
            HTTPStatus.BAD_REQUEST, f"this checkpoint generates {size}x{size} pixels"
        )
    return asked


class Generator:
    """Answers requests with a checkpoint, one at a time.

    Parameters
    ----------
    folder, family
        Of the checkpoint, as in the models sheet.
    """

    def __init__(self, folder: str, family: str):
        from verbatim.models.load import load_denoiser

        self._denoiser = load_denoiser(folder, family, "cpu")
        self._lock = threading.Lock()

    def answer(self, data: bytes) -> dict[str, Any]:
        """The body of an answer. Raises RequestError."""
        from verbatim.io.images import encode_png
        from verbatim.models.sampling import Sampling
        from verbatim.models.stacks import generate_stack

        asked = read_request(data, self._denoiser.full_size)
        with self._lock:
            how = Sampling(
                asked["steps"], float(asked["cfg_scale"]), SAMPLERS[asked["sampler_name"]],
                SPACINGS[asked["scheduler"]],
            )  # fmt: skip
            prompt = plain_prompt(asked["prompt"])
            images, _ = generate_stack(self._denoiser, [prompt], [asked["seed"]], how, 1)
        image = images[0][0]
        if image is None:
            raise RequestError(HTTPStatus.INTERNAL_SERVER_ERROR, "the image is not finite")
        info = {"all_seeds": [asked["seed"]], "index_of_first_image": 0}
        return {
            "images": [base64.b64encode(encode_png(image)).decode()],
            "parameters": asked,
            "info": json.dumps(info),
        }


def make_handler(generator: Generator, key: str) -> type[http.server.BaseHTTPRequestHandler]:
    """The handler of a server's requests. key : user:password, "" for none."""
    wanted = b"Basic " + base64.b64encode(key.encode())

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            try:
                said, status = self._answer(), HTTPStatus.OK
            except RequestError as err:
                said, status = (
                    {"error": "HTTPException", "detail": str(err), "errors": ""},
                    err.status,
                )
            data = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def _answer(self) -> dict[str, Any]:
            if key and not hmac.compare_digest(
                self.headers.get("Authorization", "").encode(), wanted
            ):
                raise RequestError(HTTPStatus.UNAUTHORIZED, "Not authenticated")
            if self.path != PATH:
                raise RequestError(HTTPStatus.NOT_FOUND, f"Not Found; the path is {PATH}")
            length = self.headers.get("Content-Length", "")
            if not length.isdecimal() or int(length) > MOST_BYTES:
                raise RequestError(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"send at most {MOST_BYTES} bytes"
                )
            return generator.answer(self.rfile.read(int(length)))

    return Handler


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", help="a checkpoint, as in the column source of the models sheet")
    parser.add_argument(
        "--family", default="sd", help="its family, as in the models sheet (default sd)"
    )
    parser.add_argument(
        "--port",
        type=int,
        default=7860,
        help="port on 127.0.0.1; 0 takes a free one (default 7860)",
    )
    parser.add_argument(
        "--key-variable", default="", help="environment variable with user:password"
    )
    words = parser.parse_args()
    key = os.environ.get(words.key_variable, "") if words.key_variable else ""
    if words.key_variable and not key:
        sys.exit(
            f"the environment variable {words.key_variable} is not set: export it as user:password"
        )
    generator = Generator(words.folder, words.family)
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", words.port), make_handler(generator, key)
    ) as server:
        print(f"http://127.0.0.1:{server.server_port}{PATH} (Ctrl-C ends it)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print("ended", flush=True)


if __name__ == "__main__":
    main()
