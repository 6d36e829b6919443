"""Rule build_review, in a real browser: the page loads from a disk, filters, shows the right images.

Tests that need the browser are slow, as its start is.
"""

from __future__ import annotations

import io
import json
import time
from urllib.parse import unquote, urlsplit

import numpy as np
import pandas as pd
import pytest
from chromium import Page, find_chromium
from evidence_rules import build_review
from made_evidence import CAPTIONS, EVIL, IDS, SIZE, N, generation, image, make_labels
from PIL import Image

from verbatim.config.decisions import COLUMNS, of_model, read_decisions
from verbatim.io.images import decode_image
from verbatim.io.records import write_table

MODELS = ("sd1", "sd2")
DECIDED = f'sd1,{IDS[4]},reject,"a plain, grey one",me,2026-01-31\n'


@pytest.fixture(scope="module")
def review(verified):
    decisions = verified / "review.csv"
    decisions.write_text(",".join(COLUMNS) + "\n" + DECIDED)
    tokens = verified / "detectors/sd1/tokens.parquet"
    words, weights = ["wall", "wall", "<b>lamp", "of"], [0.5, 2.0, 8.0, np.nan]
    columns = {"prompt_id": IDS[7], "position": range(4), "token": words}
    columns |= {"word_position": [0, 0, 1, 2], "word": words, "gradient": weights}
    write_table(tokens, "detector_tokens", pd.DataFrame(columns))
    return build_review(verified, decisions, MODELS, tokens=[tokens])


@pytest.fixture(scope="module")
def browser():
    if find_chromium() is None:
        pytest.skip(
            "no Chromium here: `make browser` installs it (Debian), or name it in VERBATIM_CHROMIUM"
        )
    page = Page()
    yield page
    page.close()


@pytest.fixture
def at(review, browser):
    def load(filters=""):
        browser.open((review / "index.html").resolve().as_uri() + "#" + filters)
        return browser

    return load


def keys(page):
    return page.run("[...document.querySelectorAll('article')].map((card) => card.dataset.key)")


def keys_of(model, which):
    return [f"{model}/{IDS[i]}" for i in which]


def count(page):
    return page.run("document.getElementById('count').textContent")


def opened_until(at, filters, expected, seconds=20.0):
    """The page, opened anew until it shows these cards: Chromium hands what a page kept to the next one's process late."""
    end = time.monotonic() + seconds
    while keys(page := at(filters)) != expected and time.monotonic() < end:
        time.sleep(0.2)
    assert keys(page) == expected
    return page


def test_every_candidate_has_its_image_beside_the_page(review):
    made = sorted(path.stem for path in (review / "images/sd2").glob("*.png"))
    assert made == sorted(map(str, IDS))
    labels = make_labels()
    for i in (0, 4, 9):
        panels = decode_image((review / f"images/sd1/{IDS[i]}.png").read_bytes())
        seed, source = labels.loc[i, ["seed", "source_row"]]
        np.testing.assert_allclose(panels[:SIZE, :SIZE], generation(i, seed), atol=1 / 255)
        np.testing.assert_allclose(panels[:SIZE, SIZE : 2 * SIZE], image(source), atol=1 / 255)


@pytest.mark.slow
def test_the_page_loads_from_a_disk_without_an_error_and_asks_for_nothing_else(at, review):
    page = at()
    assert count(page) == f"{2 * N} of {2 * N} candidates"
    assert page.errors() == []
    asked = [event["request"]["url"] for event in page.told("Network.requestWillBeSent")]
    assert asked
    inside = review.resolve().as_uri()
    assert [url for url in asked if not url.startswith(inside)] == []


@pytest.mark.slow
def test_a_captions_markup_is_text_and_nothing_runs(at):
    page = at()
    assert page.run("document.querySelector('article h2').textContent") == EVIL
    assert page.run("document.title") == "Review of candidates"
    assert page.run("document.querySelectorAll('article script, article img[src=x]').length") == 0
    assert page.told("Page.javascriptDialogOpening") == []


@pytest.mark.slow
def test_an_injected_script_would_be_stopped_by_the_pages_policy(at):
    page = at()
    page.run("(() => { const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s); })()")  # fmt: skip
    assert page.run("window.ran === undefined")
    page.run("fetch('https://images.example/').catch(() => 0)")
    assert any("Content Security Policy" in text for text in page.errors())


@pytest.mark.slow
def test_the_address_filters_by_model_label_state_text_and_score(at):
    labels = make_labels()
    assert keys(at("model=sd1&label=MV")) == keys_of("sd1", [0])
    assert keys(at("model=sd2&label=TV")) == keys_of("sd2", [3])
    assert keys(at("model=sd1&state=missed")) == keys_of("sd1", [1, 2])
    assert keys(at("model=sd1&state=review")) == keys_of("sd1", [5])
    assert keys(at("state=reject")) == keys_of("sd1", [4])
    assert keys(at("model=sd1&text=THING%207")) == keys_of("sd1", [7])
    assert keys(at(f"model=sd1&text={IDS[8]}")) == keys_of("sd1", [8])
    low = [i for i in range(N) if labels.loc[i, "distance_rv"] <= 0.3]
    assert 0 < len(low) < N
    assert keys(at("model=sd1&score=distance_rv&max=0.3")) == keys_of("sd1", low)
    assert keys(at("model=sd1&score=dcs&min=0.9"))[-1] == f"sd1/{IDS[-1]}"
    order = np.argsort(-labels["distance"], kind="stable")
    assert keys(at("model=sd1&sort=-distance")) == keys_of("sd1", order)
    assert at("model=none&label=%3Cb%3E").errors() == []


@pytest.mark.slow
def test_the_controls_filter_as_the_address_does(at):
    page = at()
    page.run("(() => { const f = document.forms[0].elements.label; f.value = 'TV'; f.dispatchEvent(new Event('input', {bubbles: true})); })()")  # fmt: skip
    assert keys(page) == [f"sd1/{IDS[3]}", f"sd2/{IDS[3]}"]
    assert page.run("location.hash") == "#label=TV"


@pytest.mark.slow
def test_long_lists_are_shown_a_page_at_a_time_and_images_load_when_they_are_seen(at):
    page = at()
    assert len(keys(page)) == 40
    page.run("document.getElementById('next').click()")
    assert keys(page) == keys_of("sd2", range(16, N))
    assert page.run("document.getElementById('next').disabled")
    assert page.run("[...document.images].every((image) => image.loading === 'lazy')")


@pytest.mark.slow
def test_each_card_shows_the_images_of_its_prompt_in_its_shape(at, review):
    page = at("model=sd1&label=MV")
    page.wait("document.images.length === 1 && document.images[0].complete")
    src, width, height = page.run("[document.images[0].src, document.images[0].naturalWidth, document.images[0].naturalHeight]")  # fmt: skip
    path = unquote(urlsplit(src).path)
    assert path == str((review / f"images/sd1/{IDS[0]}.png").resolve())
    assert (width, height) == (4 * SIZE, 2 * SIZE)  # the verifier found it too
    text = page.run("document.querySelector('article').innerText")
    assert "https://images.example/0?a=<b>" in text
    assert "distance mv" in text.lower()
    box = page.run("(() => { const b = document.images[0].getBoundingClientRect(); return [b.x, b.y, b.width, b.height]; })()")  # fmt: skip
    shot = io.BytesIO()
    clip = dict(zip(("x", "y", "width", "height"), box, strict=True), scale=1)
    import base64

    shot.write(
        base64.b64decode(page.call("Page.captureScreenshot", format="png", clip=clip)["data"])
    )
    seen = (
        np.asarray(
            Image.open(shot).convert("RGB").resize((4 * SIZE, 2 * SIZE), Image.Resampling.BOX)
        )
        / 255
    )
    expected = decode_image((review / f"images/sd1/{IDS[0]}.png").read_bytes())
    assert np.abs(seen - expected)[2:-2, 2:-2].mean() < 0.02
    assert np.abs(seen[:SIZE, :SIZE] - image(8)).mean() > 0.1


@pytest.mark.slow
def test_words_that_trigger_a_copy_are_marked_by_their_weight(at):
    marks = "[...document.querySelectorAll('article mark')].map((m) => [m.textContent, m.title, m.dataset.weight])"
    page = at("model=sd1&text=thing%207")
    assert page.run(marks) == [["wall", "0.25", "1"], ["<b>lamp", "1", "4"], ["of", "0", "0"]]
    colour = "getComputedStyle(document.querySelector('article mark[data-weight=\"4\"]')).backgroundColor"
    assert page.run(colour) == "rgb(233, 138, 26)"
    assert at("model=sd2&text=thing%207").run(marks) == []


@pytest.mark.slow
def test_decisions_are_exported_as_the_file_that_the_tables_read(at, tmp_path, review):
    page = at("model=sd1&text=thing%209")
    page.run("(() => { const r = document.getElementById('reviewer'); r.value = 'A, \"B\"'; r.dispatchEvent(new Event('change')); })()")  # fmt: skip
    page.run("document.querySelector('article .decide input').value = '=same, but mirrored'")
    page.run("document.querySelector('article button[value=accept]').click()")
    assert page.run("document.querySelector('article').dataset.decision") == "accept"
    page.call("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    page.run("document.getElementById('export').click()")
    page.wait("new Promise((done) => setTimeout(() => done(true), 500))")
    assert "'=same" in (tmp_path / "review.csv").read_text()  # no formula for a spreadsheet program
    table = read_decisions(tmp_path / "review.csv", MODELS)
    assert of_model(table, "sd1", IDS, "review.csv") == {IDS[4]: "reject", IDS[9]: "accept"}
    mine = table[table["prompt_id"] == IDS[9]].to_dict("records")[0]
    assert (mine["note"], mine["reviewer"]) == ("=same, but mirrored", 'A, "B"')
    assert table[table["prompt_id"] == IDS[4]]["note"].tolist() == ["a plain, grey one"]
    assert (
        page.run("document.getElementById('csv').textContent")
        == (tmp_path / "review.csv").read_text()
    )
    again = opened_until(at, "state=accept", keys_of("sd1", [9]))  # kept in the browser
    again.run("document.querySelector('article button[value=accept]').click()")
    opened_until(at, "state=accept", [])
    assert again.errors() == []


@pytest.mark.slow
def test_the_pages_data_are_those_of_the_tables(review):
    html = (review / "index.html").read_text("utf-8")
    data = json.loads(html.split('id="data">')[1].split("</script>")[0])
    assert [one["caption"] for one in data["candidates"]] == CAPTIONS * 2
    labels = make_labels()
    for one, label in zip(data["candidates"], labels.to_dict("records"), strict=False):
        assert one["label"] == label["label"]
        assert one["distance"] == pytest.approx(label["distance"], rel=1e-5)
