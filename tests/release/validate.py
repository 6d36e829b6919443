"""Run the RO-Crate community's validator on a crate without a network: validate.py CRATE CACHE [OPTIONS].

It asks for two JSON-LD contexts, which are put into its cache first. That of RO-Crate 1.1 is made of the one that the
package rocrate brings (1.3), whose terms are the same but for four; that of Workflow Run RO-Crate has the terms of its
vocabulary.
"""

import io
import json
import subprocess
import sys
from pathlib import Path

import requests
import rocrate
import urllib3
from requests.adapters import BaseAdapter
from requests_cache import CachedSession

RUN = "https://w3id.org/ro/terms/workflow-run"
BIOSCHEMAS = "https://bioschemas.org/"
CHANGED = {
    "ComputationalWorkflow": f"{BIOSCHEMAS}ComputationalWorkflow",
    "FormalParameter": f"{BIOSCHEMAS}FormalParameter",
    "input": f"{BIOSCHEMAS}ComputationalWorkflow#input",
    "output": f"{BIOSCHEMAS}ComputationalWorkflow#output",
}
TERMS = ("ParameterConnection", "connection", "sourceParameter", "targetParameter", "sha256")


def contexts() -> dict[str, dict]:
    """Address -> context."""
    brought = Path(rocrate.__file__).parent / "data" / "ro-crate.jsonld"
    terms = json.loads(brought.read_text("utf-8"))["@context"]
    return {
        "https://w3id.org/ro/crate/1.1/context": {"@context": terms | CHANGED},
        f"{RUN}/context": {"@context": {term: f"{RUN}#{term}" for term in TERMS}},
    }


class Shelf(BaseAdapter):
    """Answers requests with pages that are there."""

    def __init__(self, pages: dict[str, dict]):
        super().__init__()
        self.pages = pages

    def send(self, request, **options):
        data = json.dumps(self.pages[request.url]).encode()
        answer = requests.Response()
        answer.request, answer.url, answer.status_code = request, request.url, 200
        answer.headers["Content-Type"] = "application/ld+json"
        answer.raw = urllib3.HTTPResponse(
            io.BytesIO(data), answer.headers, 200, preload_content=False
        )
        return answer

    def close(self):
        pass


def main() -> int:
    crate, cache, *options = sys.argv[1:]
    pages = contexts()
    session = CachedSession(cache_name=cache, backend="sqlite")
    session.mount("https://", Shelf(pages))
    for address in pages:
        session.get(address)
    session.close()
    program = Path(sys.executable).with_name("rocrate-validator")
    return subprocess.run(
        [program, "--no-interactive", "validate", "--offline", "--cache-path", cache, "--no-paging", *options, crate]
    ).returncode  # fmt: skip


if __name__ == "__main__":
    sys.exit(main())
