"""Where a bundle comes from: OpenSSH signatures and RFC 3161 time stamps, made and refused by ssh-keygen and openssl.

The commands are those of workflow/docs/evidence.md, run as they are printed.
"""

from __future__ import annotations

import http.server
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from bundles import FAULTY, SEAL, SOUND, UNPROVEN, run_tool, verify
from evidence_rules import ROOT, build_bundle

from verbatim.evidence.origin import NAMESPACE, REPLY_TYPE, REQUEST_TYPE

WHO = "me@example.org"
TSA_CONFIG = """
[ req ]
distinguished_name = dn
prompt = no
[ dn ]
CN = A test authority
[ ca_ext ]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign
[ tsa_ext ]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = critical,timeStamping
[ tsa ]
default_tsa = here
[ here ]
serial = ./serial
signer_cert = ./tsa.crt
signer_key = ./tsa.key
signer_digest = sha256
default_policy = 1.3.6.1.4.1.55555.1.1
digests = sha256
ess_cert_id_alg = sha256
"""


def run(*words, cwd):
    subprocess.run([*map(str, words)], cwd=cwd, check=True, capture_output=True, timeout=60)


@pytest.fixture(scope="module")
def original(verified):
    return build_bundle(verified)


@pytest.fixture
def bundle(original, tmp_path):
    folder = shutil.copytree(original, tmp_path / "all")
    shutil.copy(original.with_name("all.head"), tmp_path / "all.head")
    return folder


@pytest.fixture(scope="module")
def keys(tmp_path_factory):
    """Keys of a signer and of a stranger, and files of whom is trusted, made by ssh-keygen."""
    folder = tmp_path_factory.mktemp("keys")
    for name in ("mine", "stranger"):
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", name, cwd=folder)
    public = " ".join((folder / "mine.pub").read_text().split()[:2])
    options = {
        "allowed_signers": f'namespaces="{NAMESPACE}"',
        "expired": f'namespaces="{NAMESPACE}",valid-before="20200101"',
        "git_only": 'namespaces="git"',
    }
    for name, option in options.items():
        (folder / name).write_text(f"{WHO} {option} {public}\n")
    return folder


def make_authority(folder: Path) -> Path:
    """A time stamp authority of our own: a root's certificate and a stamping one, made by openssl."""
    (folder / "tsa.cnf").write_text(TSA_CONFIG)
    (folder / "serial").write_text("01\n")
    new = ("openssl", "req", "-config", "tsa.cnf", "-newkey", "rsa:2048", "-nodes", "-subj")
    run(*new, "/CN=root", "-x509", "-days", "3650", "-extensions", "ca_ext", "-keyout", "ca.key", "-out", "ca.crt", cwd=folder)  # fmt: skip
    run(*new, "/CN=tsa", "-keyout", "tsa.key", "-out", "tsa.csr", cwd=folder)
    run("openssl", "x509", "-req", "-in", "tsa.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial", "-days", "365",
        "-extfile", "tsa.cnf", "-extensions", "tsa_ext", "-out", "tsa.crt", cwd=folder)  # fmt: skip
    return folder


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return make_authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def service(authority):
    """The authority behind HTTP, on this machine; its address."""

    class Stamping(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            assert self.headers["Content-Type"] == REQUEST_TYPE
            query = self.rfile.read(int(self.headers["Content-Length"]))
            (authority / "q.tsq").write_bytes(query)
            run("openssl", "ts", "-reply", "-queryfile", "q.tsq", "-config", "tsa.cnf", "-out", "r.tsr", cwd=authority)  # fmt: skip
            self.send_response(200)
            self.send_header("Content-Type", REPLY_TYPE)
            self.end_headers()
            self.wfile.write((authority / "r.tsr").read_bytes())

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Stamping)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/tsr"
    server.shutdown()


def sign(bundle, keys, key="mine"):
    return run_tool(SEAL, "sign", bundle, "--key", keys / key)


def stamp(bundle, service):
    return run_tool(SEAL, "stamp", bundle, "--authority", service)


def check(bundle, keys, who=WHO, signers="allowed_signers", *more):
    return verify(bundle, "--allowed-signers", keys / signers, "--signer", who, *more)


def test_a_signature_by_a_known_key_is_an_origin(bundle, keys):
    code, text = sign(bundle, keys)
    assert code == 0, text
    code, text = check(bundle, keys)
    assert code == SOUND, text
    assert f"origin: signed by {WHO}" in text
    assert sign(bundle, keys)[0] == 0  # again, over the old one
    assert check(bundle, keys)[0] == SOUND


@pytest.mark.parametrize(
    ("who", "signers"),
    [("you@example.org", "allowed_signers"), (WHO, "expired"), (WHO, "git_only"), (WHO, "absent")],
)
def test_a_signature_by_nobody_who_is_trusted_is_a_fault(bundle, keys, who, signers):
    sign(bundle, keys)
    code, text = check(bundle, keys, who, signers)
    assert code == FAULTY
    assert "FAULT all.head.sig" in text


def test_an_expired_key_counts_as_of_a_day_when_it_was_valid(bundle, keys):
    sign(bundle, keys)
    assert check(bundle, keys, WHO, "expired", "--at", "20190601")[0] == SOUND


def test_a_strangers_signature_one_for_another_purpose_and_none_are_faults(bundle, keys):
    sign(bundle, keys, "stranger")
    assert check(bundle, keys)[0] == FAULTY
    head = bundle.with_name("all.head")
    head.with_name("all.head.sig").unlink()
    run("ssh-keygen", "-Y", "sign", "-f", keys / "mine", "-n", "git", head, cwd=head.parent)
    assert check(bundle, keys)[0] == FAULTY
    head.with_name("all.head.sig").unlink()
    code, text = check(bundle, keys)
    assert code == FAULTY
    assert "all.head.sig: cannot be read" in text
    os.mkfifo(head.with_name("all.head.sig"))
    assert "is a pipe" in check(bundle, keys)[1]


def test_what_ssh_keygen_signed_itself_is_accepted(bundle, keys):
    head = bundle.with_name("all.head")
    run("ssh-keygen", "-Y", "sign", "-f", keys / "mine", "-n", NAMESPACE, head, cwd=head.parent)
    assert check(bundle, keys)[0] == SOUND


@pytest.mark.slow
def test_a_bundle_that_was_changed_after_it_was_signed_is_faulty_even_if_sealed_again(
    bundle, keys, authority, service
):
    from bundles import read_files, seal, write

    assert sign(bundle, keys)[0] == stamp(bundle, service)[0] == 0
    files = read_files(bundle)
    files["run.json"] = files["run.json"].replace(b'"family":"sd"', b'"family":"xx"')
    write(bundle, *seal(files))
    code, text = check(bundle, keys)
    assert (code, "FAULT all.head.sig" in text) == (FAULTY, True)
    code, text = verify(bundle, "--tsa-ca", authority / "ca.crt")
    assert (code, "FAULT all.head.tsr" in text) == (FAULTY, True)


@pytest.mark.slow
def test_a_time_stamp_of_a_known_authority_is_an_origin(bundle, authority, service):
    code, text = stamp(bundle, service)
    assert code == 0, text
    code, text = verify(bundle, "--tsa-ca", authority / "ca.crt")
    assert code == SOUND, text
    assert re.search(r"origin: stamped \w{3} +\d+ [\d:]+.* \d{4} GMT", text)


def test_a_request_may_be_sent_by_hand(bundle, authority):
    assert run_tool(SEAL, "stamp", bundle)[0] == 0
    request, reply = (bundle.with_name(f"all.head.{kind}") for kind in ("tsq", "tsr"))
    run("openssl", "ts", "-reply", "-queryfile", request, "-config", "tsa.cnf", "-out", reply, cwd=authority)  # fmt: skip
    assert verify(bundle, "--tsa-ca", authority / "ca.crt")[0] == SOUND
    extra = ("--tsa-untrusted", authority / "tsa.crt")
    assert verify(bundle, "--tsa-ca", authority / "ca.crt", *extra)[0] == SOUND


@pytest.mark.slow
def test_a_time_stamp_of_another_authority_of_another_head_or_expired_is_a_fault(
    bundle, authority, service, tmp_path
):
    stamp(bundle, service)
    (tmp_path / "other").mkdir()
    other = make_authority(tmp_path / "other")
    code, text = verify(bundle, "--tsa-ca", other / "ca.crt")
    assert code == FAULTY
    assert "FAULT all.head.tsr: the time stamp does not hold" in text
    assert verify(bundle, "--tsa-ca", authority / "ca.crt", "--at", "20990101")[0] == FAULTY
    (tmp_path / "f").write_text("another")
    run("openssl", "ts", "-query", "-data", "f", "-sha256", "-cert", "-out", "q.tsq", cwd=tmp_path)
    run("openssl", "ts", "-reply", "-queryfile", tmp_path / "q.tsq", "-config", "tsa.cnf", "-out", bundle.with_name("all.head.tsr"), cwd=authority)  # fmt: skip
    assert verify(bundle, "--tsa-ca", authority / "ca.crt")[0] == FAULTY
    bundle.with_name("all.head.tsr").write_bytes(os.urandom(3000))
    assert verify(bundle, "--tsa-ca", authority / "ca.crt")[0] == FAULTY


def test_a_signature_is_no_origin_where_it_was_not_asked_for(bundle, keys):
    sign(bundle, keys)
    assert verify(bundle)[0] == UNPROVEN


def test_nothing_is_signed_or_stamped_that_does_not_fit_its_head(bundle, keys):
    bundle.with_name("all.head").write_text("0" * 64 + "\n")
    for words in (("sign", bundle, "--key", keys / "mine"), ("stamp", bundle)):
        code, text = run_tool(SEAL, *words)
        assert code == 1
        assert "the manifest ends in" in text
        assert "Traceback" not in text
    assert sorted(bundle.parent.glob("all.head.*")) == []


@pytest.mark.parametrize("url", ["file:///etc/passwd", "http://127.0.0.1:1/"])
def test_an_authority_that_does_not_answer_is_one_line(bundle, url):
    code, text = stamp(bundle, url)
    assert code == 1
    assert "Traceback" not in text
    assert text.count("\n") <= 2


def test_an_absent_key_is_one_line(bundle, tmp_path):
    code, text = run_tool(SEAL, "sign", bundle, "--key", tmp_path / "absent")
    assert code == 1
    assert "not signed" in text
    assert "Traceback" not in text


@pytest.mark.slow
def test_every_command_of_the_documentation_runs_as_it_is_printed(
    original, keys, authority, service, tmp_path
):
    """In a folder laid out as the page says; `snakemake` is run by the workflow's own tests."""
    page = (ROOT / "workflow/docs/evidence.md").read_text("utf-8")
    commands = [
        line for block in re.findall(r"```sh\n(.*?)```", page, re.S) for line in block.splitlines()
    ]
    ours = [line for line in commands if line.startswith("python workflow/tools/")]
    assert len(ours) == 5
    assert all(line.startswith(("python ", "snakemake ")) for line in commands)
    (tmp_path / "workflow").symlink_to(ROOT / "workflow")
    folder = tmp_path / "results/evidence/bundles/sd1"
    shutil.copytree(original, folder / "all")
    shutil.copy(original.with_name("all.head"), folder / "all.head")
    (tmp_path / ".ssh").mkdir()
    shutil.copy(keys / "mine", tmp_path / ".ssh/id_ed25519")
    shutil.copy(keys / "allowed_signers", tmp_path / "allowed_signers")
    shutil.copy(authority / "ca.crt", tmp_path / "ca.crt")
    names = {"HOME": str(tmp_path), "AUTHORITY": service, "HEAD": (folder / "all.head").read_text().strip()}  # fmt: skip
    python = shlex.quote(sys.executable)
    for line in ours:
        done = subprocess.run(
            ["bash", "-c", line.replace("python ", f"{python} ", 1)], cwd=tmp_path, env=os.environ | names,
            capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert done.returncode == 0, (line, done.stdout, done.stderr)
