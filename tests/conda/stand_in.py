"""What Snakemake asks of the conda program, done by py-rattler from a local channel; never from a network.

The solver and the installer are real (those of pixi); anything else of conda is missing. A nested pip section is
installed from the same channel.  CONDA_STAND_IN: the folder with `channels`.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from pathlib import Path

ROOT = Path(os.environ["CONDA_STAND_IN"])


def option(name: str) -> str:
    return sys.argv[sys.argv.index(name) + 1]


async def create(file: str, prefix: str) -> None:
    """Solve for a YAML file's dependencies and link them into `prefix`."""
    import yaml
    from rattler import Channel, VirtualPackage, install, solve

    env = yaml.safe_load(Path(file).read_text("utf-8"))
    if unknown := set(env) - {"channels", "dependencies"}:
        raise ValueError(f"not known to this stand-in: {sorted(unknown)}")
    specs = [spec for spec in env["dependencies"] if isinstance(spec, str)]
    for nested in (spec for spec in env["dependencies"] if not isinstance(spec, str)):
        specs += [pin.replace("==", " ==") for pin in nested["pip"]]
    channels = [
        Channel((ROOT / "channels" / name).as_uri())
        for name in env["channels"]
        if name != "nodefaults"
    ]
    found = await solve(
        channels,
        [re.sub(r"\s+", " ", spec) for spec in specs],
        platforms=["linux-64", "noarch"],
        virtual_packages=VirtualPackage.detect(),
    )
    await install(found, prefix, cache_dir=ROOT / "packages", show_progress=False)


def main(words: list[str]) -> None:
    if sys.argv[1:] == ["--version"]:
        print("conda 24.11.0")
    elif words[:1] == ["info"]:
        here = {"conda_prefix": str(ROOT), "root_prefix": str(ROOT), "platform": "linux-64"}
        print(json.dumps({**here, "conda_version": "24.11.0"}))
    elif words[:1] == ["config"]:
        print(json.dumps({"get": {"channel_priority": "strict"}}))
    elif words[:2] == ["env", "create"]:
        asyncio.run(create(option("--file"), option("--prefix")))
    elif words[:1] == ["list"]:
        for record in sorted(Path(option("--prefix"), "conda-meta").glob("*.json")):
            print(json.loads(record.read_text())["url"])
    elif words[:1] != ["clean"]:
        raise ValueError(f"not known to this stand-in: conda {' '.join(sys.argv[1:])}")


if __name__ == "__main__":
    code = 0
    try:
        main([word for word in sys.argv[1:] if not word.startswith("-")])
    except BaseException as err:
        print(f"{type(err).__name__}: {err}", file=sys.stderr)
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # py-rattler sometimes crashes while the interpreter ends
