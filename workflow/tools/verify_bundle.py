"""Is an evidence bundle as it was made, and do its distances follow from its pictures?

NumPy and Pillow are all that it needs: no model, no GPU, no run. It answers 0 if all is well, 1 if
something was changed or does not agree (it says what), 2 if there is no bundle to look at.

The head is the last hash of the manifest. It lies beside the folder, as FOLDER.head; whoever was given
it in another way should give that one: a manifest that was made anew as a whole is told by it alone.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from verbatim.evidence.replay import TOLERANCE, check_bundle


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="e.g. results/evidence/bundles/sd1/all")
    parser.add_argument(
        "--head", help="the hash that the manifest should end in (default: FOLDER.head)"
    )
    parser.add_argument("--quiet", action="store_true", help="faults and the count alone")
    asked = parser.parse_args()
    folder: Path = asked.folder
    if not folder.is_dir():
        print(f"{folder}: no such folder", file=sys.stderr)
        return 2
    beside = folder.with_name(folder.name + ".head")
    head = asked.head
    if head is None and beside.is_file():
        head = beside.read_bytes().decode("ascii", "replace").removesuffix("\n")
    paths = [path for path in sorted(folder.rglob("*")) if not path.is_dir()]
    # snakemake leaves an empty file in a folder that a rule has made
    paths = [path for path in paths if path.name != ".snakemake_timestamp" or path.stat().st_size]
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    faults, replays = check_bundle(files, head)
    for one in replays:
        if one.why:
            print(f"prompt {one.prompt_id}: {one.kind} {one.stored:.6f} not replayed: {one.why}")
        elif not asked.quiet:
            print(
                f"prompt {one.prompt_id}: {one.kind} {one.stored:.6f}, replayed {one.replayed:.6f}"
            )
    for fault in faults:
        print(f"FAULT {fault}")
    done = [one for one in replays if not one.why]
    worst = max((abs(one.stored - one.replayed) for one in done), default=0.0)
    print(
        f"{len(files)} files, {len(faults)} faults; {len(done)} of {len(replays)} distances replayed, largest "
        f"difference {worst:.1e} (allowed {TOLERANCE:g})"
    )
    print(f"head {head}" if head else "no head to compare with: give --head")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
