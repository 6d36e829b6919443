"""The command of a Python that starts with its libraries loaded, for the many short programs that tests start."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

from verbatim.warm_python import PRELOADED, start_warm

# what snakemake and the jobs of all rules load
LIBRARIES: dict[str, Sequence[str]] = {
    "snakemake.cli": (),
    "snakemake.script": (),
    "snakemake.report.html_reporter": (),
    "snakemake_logger_plugin_rich.handler": (),
    "jsonschema": (),
    "smart_open": (),
} | {module: names for modules in PRELOADED.values() for module, names in modules.items()}


def warm_command(environment: Mapping[str, str], libraries: Mapping[str, Sequence[str]]) -> str:
    """Start a process with these libraries, which ends with this one; where there is no fork, the ordinary command."""
    if sys.platform != "linux":
        return sys.executable
    return str(start_warm(environment, libraries).python)
