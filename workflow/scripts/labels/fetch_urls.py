"""Rule fetch_urls: wanted rows that no archive has -> their images by url, in the cache, and a status for each row."""

import os
from typing import Any

import pandas as pd

from verbatim.inputs.archives import are_held
from verbatim.inputs.download import Downloader, Limits
from verbatim.inputs.fetching import fetch_all, proxy_notice
from verbatim.inputs.url_cache import UrlCache
from verbatim.io.missing import check_missing
from verbatim.io.records import SCHEMAS, read_table, write_table
from verbatim.runtime import progress, script


def main(smk: Any) -> None:
    with script(smk) as log:
        p = smk.params
        wanted = read_table(smk.input.wanted, "wanted")
        total = len(wanted)
        wanted = wanted[~are_held(wanted["archive"], wanted["member"])]
        urls = [url for url in wanted["url"].unique() if url]
        log.info("%d rows that no archive has, %d urls", len(wanted), len(urls))
        limits = Limits(
            timeout=p.timeout,
            deadline=p.deadline,
            max_bytes=p.max_bytes,
            max_redirects=p.max_redirects,
            retries=p.retries,
            disallowed=tuple(p.disallowed),
        )
        if notice := proxy_notice(os.environ):
            log.warning(notice)
        known = {"": {"status": "no_url", "reason": "the source has no url for this row"}}
        with Downloader(limits, p.per_host, lookups=p.workers) as downloader:
            entries = fetch_all(
                urls, downloader, UrlCache(p.cache), p.workers, p.per_host, p.retry_failed
            )
            for entry in progress(entries, "urls", len(urls)):
                known[entry.url] = vars(entry)
        records = [
            {"row": row, **known[url], "url": url} for row, url in wanted[["row", "url"]].values
        ]
        table = pd.DataFrame(records, columns=SCHEMAS["urls"].names)
        table = table.fillna({"sha256": "", "size": 0, "final_url": ""}).astype({"size": "int64"})
        log.info("urls: %s", table["status"].value_counts().to_dict())
        failed = table[table["status"] != "ok"]
        check_missing(
            (failed["status"] + ": " + failed["reason"]).value_counts().to_dict(), total, p.most_missing,
            "training images",
            "What was fetched is kept; ask again with inputs.download.retry_failed",
        )  # fmt: skip
        write_table(smk.output.urls, "urls", table)


if __name__ == "__main__":
    main(snakemake)  # noqa: F821
