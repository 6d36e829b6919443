"""Rule merge_digests: the digests of all shards -> one list, each file once."""

from pathlib import Path
from typing import Any

from verbatim.runtime import script, write_text


def main(smk: Any) -> None:
    with script(smk) as log:
        lines = [
            line
            for part in smk.input.digests
            for line in Path(part).read_text("utf-8").splitlines()
        ]
        once = list(dict.fromkeys(lines))
        log.info("%d files", len(once))
        write_text(smk.output.digests, "\n".join(once) + "\n")


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
