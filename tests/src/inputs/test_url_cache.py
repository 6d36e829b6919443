import hashlib
import json
import signal
import subprocess
import sys

import pytest

from verbatim.inputs import url_packs
from verbatim.inputs.url_cache import Entry, UrlCache


def entry_of(url: str, data: bytes, status: str = "ok", fetched: str = "2026-01-01") -> Entry:
    return Entry(url, status, "", hashlib.sha256(data).hexdigest(), len(data), url, fetched)


def keep(folder, *pairs: tuple[str, bytes], **more: str) -> None:
    """Write urls and their bytes as a process of its own does."""
    cache = UrlCache(folder)
    for url, data in pairs:
        cache.write(entry_of(url, data, **more), data)
    cache.close()


def write_single(folder, url: str, data: bytes) -> None:
    """The file that a url has by itself."""
    name = hashlib.sha256(url.encode()).hexdigest()
    (folder / name[:2]).mkdir(parents=True, exist_ok=True)
    line = json.dumps(vars(entry_of(url, data))).encode()
    (folder / name[:2] / name).write_bytes(line + b"\n" + data)


def test_no_part_of_a_url_becomes_a_path(tmp_path):
    cache = UrlCache(tmp_path / "cache")
    for url in ("http://x/../../etc/passwd", "a" * 5000, "http://x/\0\n\ud800", ""):
        cache.write(entry_of(url, b"data"), b"data")
        assert cache.read(url) == (entry_of(url, b"data"), b"data")
        assert UrlCache(tmp_path / "cache").read(url) == (entry_of(url, b"data"), b"data")
    cache.close()
    files = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert sorted(p.suffix for p in files) == [".images", ".jsonl"]
    assert all(len(p.stem) == 32 and p.parent == tmp_path / "cache" for p in files)


@pytest.mark.parametrize("harm", ["cut", "changed", "other url", "no json", "no size", "empty"])
def test_a_damaged_entry_is_as_good_as_none_and_harms_no_other(tmp_path, harm):
    keep(tmp_path, ("before", b"one"), ("u", b"data"), ("after", b"three"))
    lines, images = next(tmp_path.glob("*.jsonl")), next(tmp_path.glob("*.images"))
    all_lines = lines.read_bytes().splitlines(keepends=True)
    entry = json.loads(all_lines[1])
    other = {
        "other url": json.dumps({**entry, "url": "v"}).encode(), "no json": b"\xff",
        "no size": json.dumps({**entry, "size": -1}).encode(), "empty": b"",
    }  # fmt: skip
    if harm in other:
        lines.write_bytes(all_lines[0] + other[harm] + b"\n" + all_lines[2])
    else:
        changed = {"cut": b"onedat", "changed": b"onedatbthree"}
        images.write_bytes(changed[harm])
    cache = UrlCache(tmp_path)
    assert cache.read("u") is None
    assert cache.read("before")[1] == b"one"
    assert (cache.read("after") is None) == (harm == "cut")
    keep(tmp_path, ("u", b"data"))
    assert UrlCache(tmp_path).read("u")[1] == b"data"


@pytest.mark.parametrize("harm", ["none", "cut", "changed", "longer", "no json", "empty"])
def test_a_file_for_each_url_is_read_too(tmp_path, harm):
    write_single(tmp_path, "u", b"data")
    file = next(p for p in tmp_path.rglob("*") if p.is_file())
    line, _, data = file.read_bytes().partition(b"\n")
    changed = {
        "none": line + b"\n" + data, "cut": line + b"\n" + data[:-1], "changed": line + b"\ndatb",
        "longer": line + b"\ndata0", "no json": b"\xff\n" + data, "empty": b"",
    }  # fmt: skip
    file.write_bytes(changed[harm])
    assert UrlCache(tmp_path).path("u") == file
    found = UrlCache(tmp_path).read("u")
    assert found == ((entry_of("u", b"data"), b"data") if harm == "none" else None)


def test_the_last_entry_of_a_url_counts_and_of_one_second_the_image(tmp_path):
    write_single(tmp_path, "u", b"first")
    keep(tmp_path, ("u", b"later"), fetched="2026-01-03")
    keep(tmp_path, ("u", b"earlier"), fetched="2026-01-02")
    assert UrlCache(tmp_path).read("u")[1] == b"later"
    keep(tmp_path, ("u", b""), fetched="2026-01-03", status="timeout")
    assert UrlCache(tmp_path).read("u")[1] == b"later"
    keep(tmp_path, ("u", b""), fetched="2026-01-04", status="timeout")
    assert UrlCache(tmp_path).read("u")[0].status == "timeout"


def test_two_writers_at_a_time_do_not_mix(tmp_path):
    one, two = UrlCache(tmp_path), UrlCache(tmp_path)
    for i in range(20):
        for name, cache in (("one", one), ("two", two)):
            cache.write(entry_of(f"{name}{i}", name.encode() * i), name.encode() * i)
    one.close()
    two.close()
    found = UrlCache(tmp_path)
    for i in range(20):
        assert found.read(f"one{i}")[1] == b"one" * i
        assert found.read(f"two{i}")[1] == b"two" * i


def test_a_large_pack_is_followed_by_another(tmp_path, monkeypatch):
    monkeypatch.setattr(url_packs, "LARGEST", 10)
    keep(tmp_path, *((f"u{i}", b"1234") for i in range(7)))
    assert len(list(tmp_path.glob("*.images"))) == 3
    assert all(UrlCache(tmp_path).read(f"u{i}")[1] == b"1234" for i in range(7))


WRITES = """
import sys
sys.path[:0] = {paths}
import resource, signal
from test_url_cache import UrlCache, entry_of
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, resource.RLIM_INFINITY))
cache = UrlCache({folder!r})
for i in range(200):
    try:
        cache.write(entry_of(str(i), b"x" * 1000), b"x" * 1000)
        print(i, flush=True)
    except OSError as err:
        print(type(err).__name__, flush=True)
        break
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
cache.write(entry_of("last", b"y"), b"y")
print("waits", flush=True)
sys.stdin.read()
"""


@pytest.mark.slow
def test_no_room_and_a_kill_cost_what_was_not_written_and_nothing_else(tmp_path):
    paths = [*sys.path[:4], str(__file__).rpartition("/")[0]]
    code = WRITES.format(paths=paths, folder=str(tmp_path))
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True
    ) as run:
        said = []
        while (line := run.stdout.readline().strip()) not in ("waits", ""):
            said.append(line)
        run.send_signal(signal.SIGKILL)
    assert said.pop() == "WriteError"
    assert said
    cache = UrlCache(tmp_path)
    assert [str(i) for i in range(200) if cache.read(str(i))] == said
    assert cache.read("last")[1] == b"y"


@pytest.mark.parametrize("left", [0, 1, 40])
def test_half_a_line_at_the_end_costs_its_own_entry_alone(tmp_path, left):
    keep(tmp_path, ("u", b"data"), ("v", b"more"))
    lines = next(tmp_path.glob("*.jsonl"))
    first, second = lines.read_bytes().splitlines(keepends=True)
    lines.write_bytes(first + second[:left])
    cache = UrlCache(tmp_path)
    assert cache.read("u")[1] == b"data"
    assert cache.read("v") is None
    cache.write(entry_of("v", b"more"), b"more")
    cache.close()
    assert UrlCache(tmp_path).read("v")[1] == b"more"
    assert UrlCache(tmp_path).read("u")[1] == b"data"
