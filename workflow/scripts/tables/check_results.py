"""Run the checks of tests/results on the artefacts of this run, and write down what they said."""

import json
import os
import subprocess
import sys
from typing import Any
from xml.etree import ElementTree

from verbatim.runtime import scratch, script, write_text


def main(smk: Any) -> None:
    with script(smk) as log, scratch(smk.output.report) as folder:
        settings, report = folder / "settings.json", folder / "report.xml"
        settings.write_text(json.dumps(dict(smk.params.settings)))
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist",
             "--import-mode=importlib", "--noconftest", f"--junitxml={report}", smk.input.tests],
            env=os.environ | {"VERBATIM_CHECKS": str(settings)}, capture_output=True, text=True,
        )  # fmt: skip
        if not report.exists():
            raise RuntimeError(f"the checks could not be run:\n{done.stdout}\n{done.stderr}")
        lines, faults = [], []
        for case in ElementTree.parse(report).iter("testcase"):
            if case.find("skipped") is not None:
                continue  # nothing of its kind in this run
            name = case.get("name", "").removeprefix("test_").replace("_", " ")
            bad = [part for part in case if part.tag in ("failure", "error")]
            lines.append(f"{'FAILED' if bad else 'ok':6} {name}")
            faults += [f"{name}: {part.get('message')}" for part in bad]
        log.info("checks of the results\n%s", "\n".join(lines))
        if faults or not lines or done.returncode:
            raise RuntimeError(
                f"{len(faults)} of {len(lines)} checks of the results failed:\n" + "\n".join(faults)
            )
        write_text(smk.output.report, "\n".join(lines) + "\n")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
