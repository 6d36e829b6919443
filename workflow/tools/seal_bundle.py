"""Sign an evidence bundle's head, or have it time-stamped; verify_bundle.py checks both.

sign writes FOLDER.head.sig, by an OpenSSH key. stamp writes a request for a time stamp, FOLDER.head.tsq, sends it to
an authority if one is given, and keeps the reply, FOLDER.head.tsr; without one, send the request yourself. The
authority sees a hash, and nothing else of the bundle.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))

from verbatim.evidence.bundle_manifest import NAME, read_canonical
from verbatim.evidence.folder import FileFault, printable, read_plain
from verbatim.evidence.origin import OriginError, ask_authority, sign, stamp_request
from verbatim.io.atomic import write_bytes


def write(path: Path, data: bytes) -> None:
    """Write a file, whole or not at all."""
    write_bytes(path, data)
    print(f"{printable(str(path))} written")


def read_head(folder: Path) -> bytes:
    """Bytes of FOLDER.head; raises FileFault unless the manifest ends in it."""
    head = read_plain(folder.with_name(folder.name + ".head"), 100)
    manifest = read_plain(folder / NAME, 100_000_000)
    try:
        last = read_canonical(manifest.splitlines()[-1])["hash"]
    except (IndexError, KeyError, TypeError, ValueError) as err:
        raise FileFault(f"the manifest is damaged: {err}") from err
    if head != f"{last}\n".encode():
        raise FileFault(
            f"the manifest ends in {last!r}, the head is {head.decode('ascii', 'replace')!r}"
        )
    return head


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    signing = commands.add_parser("sign", help="sign FOLDER.head")
    stamping = commands.add_parser("stamp", help="request a time stamp of FOLDER.head")
    for command in (signing, stamping):
        command.add_argument("folder", type=Path, help="e.g. results/evidence/bundles/sd1/all")
    signing.add_argument("--key", type=Path, required=True, help="an OpenSSH private key")
    stamping.add_argument(
        "--authority", help="address of a time stamp authority (RFC 3161 over HTTP)"
    )
    asked = parser.parse_args()
    folder = Path(asked.folder.absolute())
    try:
        head = read_head(folder)
        if asked.command == "sign":
            write(folder.with_name(folder.name + ".head.sig"), sign(head, asked.key))
            return 0
        request = stamp_request(head)
        write(folder.with_name(folder.name + ".head.tsq"), request)
        if asked.authority:
            reply = ask_authority(request, asked.authority)
            write(folder.with_name(folder.name + ".head.tsr"), reply)
    except (FileFault, OriginError) as err:
        print(printable(f"{folder}: {err}"), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
