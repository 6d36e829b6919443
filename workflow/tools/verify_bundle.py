"""Is an evidence bundle as it was made, do its findings follow from its images, and who made it?

NumPy and Pillow are all that it needs: no model, no GPU, no run; ssh-keygen or openssl where a signature or a
time stamp is asked for. It answers

  0  sound: nothing was changed, every finding was replayed, and its origin is known
  1  faulty: something was changed, does not agree or does not belong to it; it says what
  2  there is no bundle to look at, or the question is wrong
  3  sealed, nothing contradicts it, but it shows less: not everything could be replayed (images that are blurred or
     left out), or its origin is unknown

The head is the last hash of the manifest. FOLDER.head beside the folder is no origin: who forges a bundle writes one
too. The head as you received it in another way is (--head), or a signature over it (--allowed-signers, --signer), or a
time stamp (--tsa-ca).
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from verbatim.evidence.folder import FileFault, Folder, printable, read_plain
from verbatim.evidence.origin import (
    MOST_REPLY,
    Authority,
    OriginError,
    Signer,
    check_signature,
    check_stamp,
    read_day,
)
from verbatim.evidence.replay import Replayed, check_bundle

SOUND, FAULTY, NO_BUNDLE, UNPROVEN = 0, 1, 2, 3
MOST_SHOWN = 50  # faults that are printed one by one


def say(line: str) -> None:
    """Print a line; what a bundle says is other people's text, and no terminal must obey it."""
    print(printable(line, 2000))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="e.g. results/evidence/bundles/sd1/all")
    parser.add_argument("--head", help="the hash that the manifest ends in, as you received it")
    parser.add_argument(
        "--allowed-signers", type=Path, help="whose keys you trust: an allowed_signers file"
    )
    parser.add_argument("--signer", help="who of them signed FOLDER.head (FOLDER.head.sig)")
    parser.add_argument(
        "--tsa-ca",
        type=Path,
        help="certificate of the authority whose time stamp is FOLDER.head.tsr",
    )
    parser.add_argument(
        "--tsa-untrusted", type=Path, help="further certificates between it and the time stamp"
    )
    parser.add_argument(
        "--at", type=read_day, help="YYYYMMDD: day as of which keys and certificates must be valid"
    )
    parser.add_argument("--quiet", action="store_true", help="faults and the answer alone")
    asked = parser.parse_args()
    if (asked.allowed_signers is None) != (asked.signer is None):
        parser.error("--allowed-signers and --signer go together")
    if asked.head is not None and not re.fullmatch(r"[0-9a-f]{64}", asked.head):
        parser.error("--head is 64 hexadecimal digits")
    return asked


def beside(folder: Path, suffix: str, most: int = MOST_REPLY) -> bytes:
    """A file beside the folder; raises FileFault."""
    return read_plain(folder.with_name(folder.name + suffix), most)


def find_origins(asked: argparse.Namespace, head: str | None) -> tuple[list[str], list[str]]:
    """What tells where the bundle comes from, and what was asked for and does not hold."""
    origins, faults = [], []
    if asked.head is not None and asked.head == head:
        origins.append("its head is the one that you gave")
    checks = {}
    if asked.signer is not None:
        signer = Signer(asked.allowed_signers, asked.signer)
        checks[".head.sig"] = lambda text, reply: check_signature(text, reply, signer, asked.at)
    if asked.tsa_ca is not None:
        authority = Authority(asked.tsa_ca, asked.tsa_untrusted)
        checks[".head.tsr"] = lambda text, reply: check_stamp(text, reply, authority, asked.at)
    for suffix, check in checks.items():
        name = asked.folder.name + suffix
        try:
            origins.append(check(f"{head}\n".encode(), beside(asked.folder, suffix)))
        except (FileFault, OriginError) as err:
            faults.append(f"{name}: {err}")
    return origins, faults


def main() -> int:
    asked = parse()
    asked.folder = Path(asked.folder.absolute())
    if asked.folder.is_symlink() or not asked.folder.is_dir():
        say(f"{asked.folder}: no such folder")
        return NO_BUNDLE
    kept, faults = asked.head, []
    try:
        own = beside(asked.folder, ".head", 100).decode("ascii", "replace").removesuffix("\n")
        kept = kept or own
        if kept != own:
            faults.append(f"{asked.folder.name}.head: is {own!r}, not the head that you gave")
    except FileFault as err:
        if "No such file" not in str(err):
            faults.append(f"{asked.folder.name}.head: {err}")
    folder = Folder(asked.folder)
    result = check_bundle(folder, kept)
    origins, wrong = find_origins(asked, result.head)
    faults = [*folder.faults, *result.faults, *faults, *wrong]
    return report(asked, len(folder), result, origins, faults)


def report(
    asked: argparse.Namespace, n_files: int, result: Replayed, origins: list[str], faults: list[str]
) -> int:
    """Print what was found; the answer."""
    if not asked.quiet:
        replayed: dict[int, list[str]] = {}
        for one in result.outcomes:
            if not one.fault and not one.why:
                replayed.setdefault(one.prompt_id, []).append(one.what)
        for key, what in replayed.items():
            say(f"prompt {key}, {len(what)} statements replayed: {'; '.join(what)}")
    for why, count in Counter(one.why for one in result.left).items():
        say(f"not replayed, {count} statements: {why}")
    for fault in faults[:MOST_SHOWN]:
        say(f"FAULT {fault}")
    if len(faults) > MOST_SHOWN:
        say(f"FAULT and {len(faults) - MOST_SHOWN} more")
    if result.rules is not None:
        limits = ", ".join(f"{kind} {value:g}" for kind, value in result.rules.thresholds.items())
        say(
            f"labels by preset {result.rules.preset!r}: {limits}, asked in the order {', '.join(result.rules.order)}"
        )
    if result.tested and result.null is not None:
        say(
            f"p and q of {result.tested} findings follow from {len(result.null.values)} residuals of unrelated pairs and "
            f"the p-values of {len(result.null.p)} prompts, which are recorded, not replayed; and so is that no nearer pair was found"
        )
    done = len(result.outcomes) - len(result.left)
    say(
        f"{n_files} files, {len(faults)} faults; {done} of {len(result.outcomes)} statements replayed"
    )
    say(f"head {result.head}" if result.head else "no head: the manifest is damaged")
    say(
        f"origin: {'; '.join(origins)}"
        if origins
        else "origin unknown: give --head, or a signature or a time stamp"
    )
    if faults:
        say("FAULTY")
        return FAULTY
    if result.left or not origins:
        say("SEALED, but " + " and ".join(
            why for why, true in (("not all of it was replayed", result.left), ("its origin is unknown", not origins)) if true
        ))  # fmt: skip
        return UNPROVEN
    say("SOUND")
    return SOUND


if __name__ == "__main__":
    try:
        sys.exit(main())
    except MemoryError:
        say("FAULT it asks for more memory than there is")
        sys.exit(FAULTY)
