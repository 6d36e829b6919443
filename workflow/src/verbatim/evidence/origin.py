"""Where a bundle comes from: a signature (OpenSSH) or a time stamp (RFC 3161, OpenSSL) over its head.

Hashes show that nothing was changed since they were made, not who made them: a bundle that was forged as a whole has
hashes too. A head that was received in another way, a signature by a known key, or a time stamp of a known authority
tells. ssh-keygen and openssl do the work; both are called with files of our own, never with a bundle's paths.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import Request, urlopen

NAMESPACE = "verbatim-bundle"  # a signature that was made for anything else does not count
MOST_REPLY = 1_000_000  # bytes of a signature or a time stamp; ours have 300 and 3,000
SECONDS = 60
REQUEST_TYPE, REPLY_TYPE = "application/timestamp-query", "application/timestamp-reply"


class OriginError(ValueError):
    """A signature or a time stamp cannot be made or does not hold; the message says why."""


@dataclass(frozen=True)
class Signer:
    """allowed : an allowed_signers file (ssh-keygen(1)). who : the principal in it whose signature is asked for."""

    allowed: Path
    who: str


@dataclass(frozen=True)
class Authority:
    """ca : certificates (PEM) that are trusted. untrusted : further ones between them and the reply, or None."""

    ca: Path
    untrusted: Path | None = None


def _run(words: Sequence[object], data: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run ssh-keygen or openssl; raises OriginError if it is not there or does not end."""
    program = shutil.which(str(words[0]))
    if program is None:
        raise OriginError(f"{words[0]} is not installed")
    try:
        return subprocess.run(
            [program, *map(str, words[1:])],
            input=data,
            capture_output=True,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as err:
        raise OriginError(f"{words[0]} gave no answer in {SECONDS} s") from err


def _last_line(done: subprocess.CompletedProcess[bytes]) -> str:
    lines = (done.stderr + b"\n" + done.stdout).decode("utf-8", "replace").strip().splitlines()
    told = [line for line in lines if line.strip() and not line.startswith("Using configuration")]
    return told[0].strip() if told else f"exit status {done.returncode}"


def sign(head: bytes, key: Path) -> bytes:
    """Signature of a head file's bytes by an OpenSSH private key (or a public one whose private key an agent holds)."""
    done = _run(["ssh-keygen", "-Y", "sign", "-f", key, "-n", NAMESPACE], head)
    if done.returncode or not done.stdout.startswith(b"-----BEGIN SSH SIGNATURE-----"):
        raise OriginError(f"not signed: {_last_line(done)}")
    return done.stdout


def check_signature(
    head: bytes, signature: bytes, signer: Signer, at: datetime | None = None
) -> str:
    """Who signed a head, in words.

    Parameters
    ----------
    head : bytes of the head file. signature : from `sign`. at : moment as of which keys must be valid; None: the day of the check.

    Raises
    ------
    OriginError
        It does not hold: another text, another namespace, an unknown or expired key.
    """
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "head.sig"
        file.write_bytes(signature)
        words = [
            "ssh-keygen",
            "-Y",
            "verify",
            "-f",
            signer.allowed,
            "-I",
            signer.who,
            "-n",
            NAMESPACE,
            "-s",
            file,
        ]
        words += [f"-Overify-time={at:%Y%m%d%H%M%S}"] if at else []
        done = _run(words, head)
    if done.returncode:
        raise OriginError(f"the signature is not {signer.who}'s: {_last_line(done)}")
    return f"signed by {signer.who}"


def stamp_request(head: bytes) -> bytes:
    """Time stamp request (RFC 3161) for a head file's bytes; it holds their SHA-256 and a nonce, nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        data, query = Path(folder) / "head", Path(folder) / "head.tsq"
        data.write_bytes(head)
        done = _run(["openssl", "ts", "-query", "-data", data, "-sha256", "-cert", "-out", query])
        if done.returncode:
            raise OriginError(f"no request was made: {_last_line(done)}")
        return query.read_bytes()


def ask_authority(request: bytes, url: str) -> bytes:
    """An authority's reply to a time stamp request, by HTTP (RFC 3161, section 3.4)."""
    if not url.startswith(("http://", "https://")):
        raise OriginError(f"{url!r} is no http or https address")
    try:
        asked = Request(url, data=request, headers={"Content-Type": REQUEST_TYPE})
        with urlopen(asked, timeout=SECONDS) as answer:
            reply = answer.read(MOST_REPLY + 1)
    except OSError as err:
        raise OriginError(f"{url}: no answer: {err}") from err
    if len(reply) > MOST_REPLY:
        raise OriginError(f"{url}: an answer of more than {MOST_REPLY} bytes")
    return reply


def check_stamp(head: bytes, reply: bytes, authority: Authority, at: datetime | None = None) -> str:
    """When a head was stamped, in words.

    Parameters
    ----------
    head : bytes of the head file. reply : the authority's. at : moment as of which certificates must be valid; None: the day of the check.

    Raises
    ------
    OriginError
        It does not hold: another text, an unknown authority, an expired certificate.
    """
    with tempfile.TemporaryDirectory() as folder:
        data, file = Path(folder) / "head", Path(folder) / "head.tsr"
        data.write_bytes(head)
        file.write_bytes(reply)
        words = ["openssl", "ts", "-verify", "-data", data, "-in", file, "-CAfile", authority.ca]
        words += ["-untrusted", authority.untrusted] if authority.untrusted else []
        words += ["-attime", f"{at.timestamp():.0f}"] if at else []
        done = _run(words)
        if done.returncode or b"Verification: OK" not in done.stdout:
            raise OriginError(f"the time stamp does not hold: {_reason(done)}")
        told = _run(["openssl", "ts", "-reply", "-in", file, "-text"]).stdout.decode(
            "utf-8", "replace"
        )
    when = [
        line.partition(":")[2].strip()
        for line in told.splitlines()
        if line.startswith("Time stamp:")
    ]
    return f"stamped {when[0] if when else 'at an unknown time'}"


def _reason(done: subprocess.CompletedProcess[bytes]) -> str:
    """The line of openssl's errors that says most: the last of its queue."""
    lines = [
        line for line in done.stderr.decode("utf-8", "replace").splitlines() if "error:" in line
    ]
    return lines[-1].rpartition("error:")[2] if lines else _last_line(done)


def read_day(text: str) -> datetime:
    """A day, YYYYMMDD, as the moment that it ends (UTC); raises ValueError."""
    return datetime.strptime(text, "%Y%m%d").replace(hour=23, minute=59, second=59, tzinfo=UTC)
