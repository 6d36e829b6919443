"""End with an error where more of the images were given back than the config allows: for continuous integration."""

import json
from pathlib import Path
from typing import Any

from verbatim.audit.audit_report import check_share
from verbatim.runtime import script, write_text


def main(smk: Any) -> None:
    with script(smk):
        told = json.loads(Path(smk.input.verdicts).read_text("utf-8"))
        write_text(smk.output.passed, check_share(told, smk.params.fail_above) + "\n")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
