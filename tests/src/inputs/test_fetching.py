import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest
from image_server import Imageserver
from made_inputs import png

from verbatim.inputs.addresses import Resolver
from verbatim.inputs.download import Download, Downloader, Limits
from verbatim.inputs.fetching import (
    MOST_UNANSWERED,
    HostQueue,
    NoInternetError,
    fetch_all,
    host_of,
    proxy_notice,
)
from verbatim.inputs.url_cache import FetchedUrls, UrlCache


class Web:
    """A stand-in for the downloader: what comes of each url, and what was asked."""

    def __init__(self, **answers: Download):
        self.answers, self.asked = answers, []

    def fetch(self, url: str) -> Download:
        self.asked.append(url)
        name = url.rpartition("/")[2]
        return self.answers.get(name, Download("failed_to_download", "HTTP 404", answered=True))


GOOD = Download("ok", "", png(100), "http://x.invalid/last", True)
DEAD = Download("failed_to_download", "host not found")


def fetch(urls: list[str], web, folder: Path, **more) -> dict[str, str]:
    entries = fetch_all(urls, web, UrlCache(folder), workers=3, per_host=2, **more)
    return {entry.url: entry.status for entry in entries}


def urls_of(*names: str) -> list[str]:
    return [f"http://{i % 2}.invalid/{name}" for i, name in enumerate(names)]


def test_every_url_gets_its_status_once(tmp_path):
    web = Web(a=GOOD)
    urls = urls_of("a", "b", "c", "d")
    assert fetch([*urls, urls[0]], web, tmp_path) == dict(
        zip(urls, ["ok", *["failed_to_download"] * 3], strict=True)
    )
    assert sorted(web.asked) == sorted(urls)


def test_what_is_known_is_not_asked_again_and_failures_only_on_request(tmp_path):
    urls = urls_of("a", "b")
    fetch(urls, Web(a=GOOD), tmp_path)
    later = Web(a=GOOD, b=GOOD)
    assert fetch(urls, later, tmp_path)[urls[1]] == "failed_to_download"
    assert later.asked == []
    assert fetch(urls, later, tmp_path, retry_failed=True)[urls[1]] == "ok"
    assert later.asked == [urls[1]]


def test_what_was_fetched_before_a_run_ended_is_kept(tmp_path):
    urls = urls_of(*(f"a{i}" for i in range(20)))
    web = Web(**{f"a{i}": GOOD for i in range(20)})
    running = fetch_all(urls, web, UrlCache(tmp_path), workers=1, per_host=1)
    before = {next(running).url for _ in range(7)}
    running.close()
    again = Web(**web.answers)
    assert set(fetch(urls, again, tmp_path).values()) == {"ok"}
    assert set(again.asked) == set(urls) - before


KILLED = """
import sys
sys.path[:0] = {paths}
from verbatim.inputs.addresses import Resolver
from verbatim.inputs.download import Downloader, Limits
from verbatim.inputs.fetching import fetch_all
from verbatim.inputs.url_cache import UrlCache
downloader = Downloader(Limits(), 2, Resolver(allow_private=["127.0.0.1"]))
for entry in fetch_all({urls}, downloader, UrlCache({folder!r}), 2, 2):
    print(entry.status, flush=True)
"""


@pytest.mark.slow
def test_a_killed_process_has_kept_what_it_had_and_nobody_is_asked_for_it_again(tmp_path):
    with Imageserver() as server:
        server.images = {f"/{i}": png(i) for i in range(30)}
        server.delay = 0.02
        urls = [f"{server.url}/{i}" for i in range(30)]
        code = KILLED.format(paths=sys.path[:4], urls=urls, folder=str(tmp_path))
        with subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
        ) as run:
            said = [run.stdout.readline() for _ in range(6)]
            run.send_signal(signal.SIGKILL)
        assert said == ["ok\n"] * 6
        cache = UrlCache(tmp_path)
        kept = [url for url in urls if cache.read(url)]
        assert 6 <= len(kept) < 30
        resolver = Resolver(allow_private=["127.0.0.1"])
        with Downloader(Limits(), 2, resolver) as downloader:
            found = list(fetch_all(urls, downloader, cache, 4, 2))
        assert [entry.status for entry in found] == ["ok"] * 30
        assert all(server.tries[f"/{url.rpartition('/')[2]}"] == 1 for url in kept)


def test_a_machine_without_internet_is_told_and_nothing_is_kept_as_gone(tmp_path):
    urls = urls_of(*(f"a{i}" for i in range(30)))
    with pytest.raises(NoInternetError, match=r"host not found.*inputs\.download\.local"):
        fetch(urls, Web(**{f"a{i}": DEAD for i in range(30)}), tmp_path)
    assert not list(tmp_path.rglob("*"))


def test_a_proxy_that_is_set_is_named_without_its_password_as_what_is_not_used(
    tmp_path, monkeypatch
):
    for name in (
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
    assert proxy_notice(os.environ) == ""
    monkeypatch.setenv("HTTPS_PROXY", "http://me:secret@proxy.invalid:3128")
    urls = urls_of(*(f"a{i}" for i in range(MOST_UNANSWERED)))
    with pytest.raises(
        NoInternetError, match=r"HTTPS_PROXY: set, but images are fetched without"
    ) as err:
        fetch(urls, Web(**{f"a{i}": DEAD for i in range(30)}), tmp_path)
    assert "secret" not in str(err.value)


def test_a_short_list_without_any_answer_is_told_too(tmp_path):
    urls = urls_of(*(f"a{i}" for i in range(MOST_UNANSWERED)))
    with pytest.raises(NoInternetError, match=f"none of {MOST_UNANSWERED} urls"):
        fetch(urls, Web(**{f"a{i}": DEAD for i in range(30)}), tmp_path)


def test_a_url_that_nobody_can_be_asked_for_makes_no_dead_ones_kept(tmp_path):
    answers = {f"a{i}": DEAD for i in range(40)} | {"a5": Download("bad_url", "no host")}
    urls = urls_of(*answers)
    with pytest.raises(NoInternetError):
        fetch(urls, Web(**answers), tmp_path)
    assert [url for url in urls if UrlCache(tmp_path).read(url)] == [urls[5]]


@pytest.mark.parametrize("slow", [GOOD, Download("failed_to_download", "HTTP 404", answered=True)])
def test_dead_urls_that_fail_faster_than_live_ones_answer_are_no_lack_of_internet(tmp_path, slow):
    class Mixed:
        def fetch(self, url):
            if int(url.rpartition("/")[2]) % 10 < 7:
                return DEAD
            time.sleep(0.1)
            return slow

    urls = [f"http://h{i}.invalid/{i}" for i in range(100)]
    found = list(fetch_all(urls, Mixed(), UrlCache(tmp_path), workers=8, per_host=2))
    # until the first answer comes, more than MOST_UNANSWERED have failed
    assert sorted(entry.url for entry in found) == sorted(urls)
    assert sum(entry.reason == "host not found" for entry in found) == 70
    assert all(UrlCache(tmp_path).read(url) for url in urls)


def test_dead_hosts_before_the_first_answer_are_kept_once_somebody_answers(tmp_path):
    urls = urls_of("dead1", "dead2", "a")
    web = Web(dead1=DEAD, dead2=DEAD, a=GOOD)
    assert fetch(urls, web, tmp_path)[urls[0]] == "failed_to_download"
    assert UrlCache(tmp_path).read(urls[1])[0].reason == "host not found"


def test_a_few_dead_hosts_alone_are_no_error(tmp_path):
    urls = urls_of("dead1", "dead2")
    assert set(fetch(urls, Web(dead1=DEAD, dead2=DEAD), tmp_path).values()) == {
        "failed_to_download"
    }


def test_a_defect_of_ours_ends_the_run(tmp_path):
    class Broken:
        def fetch(self, url):
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fetch(urls_of("a"), Broken(), tmp_path)


@pytest.mark.parametrize("per_host", [1, 3])
def test_the_queue_hands_out_everything_and_never_too_much_of_one_host(per_host):
    urls = [f"http://h{i % 3 if i % 2 else 0}.invalid/{i}" for i in range(200)]
    waiting, lock = HostQueue(urls, per_host), threading.Lock()
    active, most, seen = Counter(), Counter(), []

    def work():
        while (url := waiting.take()) is not None:
            host = url.split("/")[2]
            with lock:
                seen.append(url)
                active[host] += 1
                most[host] = max(most[host], active[host])
            with lock:
                active[host] -= 1
            waiting.done(url)

    threads = [threading.Thread(target=work, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive()
    assert sorted(seen) == sorted(urls)
    assert max(most.values()) <= per_host


def test_rows_of_a_run_without_urls_are_not_known(tmp_path):
    assert 3 not in FetchedUrls(tmp_path, None)


def test_a_host_in_another_script_is_asked_by_its_name_in_ascii():
    assert host_of("https://bücher.invalid/a.jpg") == "xn--bcher-kva.invalid"
