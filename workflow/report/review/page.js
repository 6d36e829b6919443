"use strict";
// Captions are other people's text: they reach the page through textContent alone.
const data = JSON.parse(document.getElementById("data").textContent);
const PAGE = 40;
const SCORES = ["distance", "distance_mv", "distance_rv", "distance_tv", "residual", "relative", "q", "dcs", "ecs"];
const STATES = {
  "": "any", undecided: "undecided", accept: "accepted", reject: "rejected", review: "set aside by a guard",
  verified: "verified", missed: "verified, but N", doubtful: "found, but doubtful",
};
const COLUMNS = ["model", "prompt_id", "decision", "note", "reviewer", "date"];
const KEY = "verbatim-review-" + data.run;
const form = document.getElementById("filters");
const byId = (id) => document.getElementById(id);
const keyOf = (one) => one.model + "/" + one.prompt_id;
const state = { model: "", label: "", state: "", score: "distance", min: "", max: "", sort: "", text: "", page: "0" };

function stored(name) {
  try { return JSON.parse(localStorage.getItem(name)) || null; } catch (err) { return null; }
}
function store(name, value) {
  try { localStorage.setItem(name, JSON.stringify(value)); } catch (err) { /* a browser that keeps nothing */ }
}

const known = new Set(data.candidates.map(keyOf));
const changed = stored(KEY) || {};
const decisions = new Map();
for (const row of data.decisions) decisions.set(row.model + "/" + row.prompt_id, row);
for (const [key, row] of Object.entries(changed)) {
  if (!known.has(key)) continue;
  if (row === null) decisions.delete(key); else decisions.set(key, row);
}

function element(name, text, attributes) {
  const made = document.createElement(name);
  if (text !== undefined && text !== null) made.textContent = text;
  for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
  return made;
}
function options(name, pairs) {
  for (const [value, text] of pairs) form.elements[name].append(element("option", text, { value }));
}
options("model", [["", "all"], ...data.models.map((one) => [one.model, one.name])]);
options("label", [["", "all"], ...data.labels.map((label) => [label, label])]);
options("state", Object.entries(STATES));
options("score", SCORES.map((name) => [name, name]));
options("sort", [["", "model, then order of the run"], ...SCORES.flatMap((name) => [[name, name + ", low first"], ["-" + name, name + ", high first"]])]);

function inState(one, wanted) {
  const decided = decisions.get(keyOf(one));
  switch (wanted) {
    case "": return true;
    case "undecided": return !decided;
    case "review": return one.review;
    case "verified": return one.verified;
    case "missed": return one.verified && one.label === "N";
    case "doubtful": return one.doubt !== "";
    default: return Boolean(decided) && decided.decision === wanted;
  }
}
function chosen() {
  const words = state.text.toLowerCase();
  const low = state.min === "" ? -Infinity : Number(state.min);
  const high = state.max === "" ? Infinity : Number(state.max);
  const ranged = state.min !== "" || state.max !== "";
  const found = data.candidates.filter((one) => {
    if (state.model && one.model !== state.model) return false;
    if (state.label && one.label !== state.label) return false;
    if (!inState(one, state.state)) return false;
    const value = one[state.score];
    if (ranged && !(value !== null && value >= low && value <= high)) return false;
    return !words || (one.caption + " " + one.prompt_id + " " + one.source_row).toLowerCase().includes(words);
  });
  if (state.sort) {
    const name = state.sort.replace("-", "");
    const sign = state.sort.startsWith("-") ? -1 : 1;
    const last = (value) => (value === null ? Infinity : sign * value);
    found.sort((a, b) => (last(a[name]) < last(b[name]) ? -1 : last(a[name]) > last(b[name]) ? 1 : 0));
  }
  return found;
}

// what a spreadsheet program would run begins with one of these signs: an apostrophe before it, which the reader takes away
function safe(text) {
  return /^'*[=+\-@\t\r]/.test(text) && (text.trim() === "" || isNaN(Number(text))) ? "'" + text : text;
}
function quoted(text) {
  return /[",\r\n]/.test(text) ? '"' + text.replaceAll('"', '""') + '"' : text;
}
function csv() {
  const rows = [...decisions.values()].sort((a, b) => (a.model + a.prompt_id < b.model + b.prompt_id ? -1 : 1));
  return [COLUMNS, ...rows.map((row) => COLUMNS.map((name) => row[name]))]
    .map((cells) => cells.map((text) => quoted(safe(text))).join(",") + "\n").join("");
}
function decide(one, decision, note) {
  const key = keyOf(one);
  if (decision) {
    decisions.set(key, {
      model: one.model, prompt_id: one.prompt_id, decision, note: note.replace(/[\r\n]+/g, " "),
      reviewer: byId("reviewer").value, date: new Date().toISOString().slice(0, 10),
    });
  } else decisions.delete(key);
  changed[key] = decisions.get(key) || null;
  store(KEY, changed);
  told();
}
function told() {
  byId("csv").textContent = csv();
  const count = Object.keys(changed).length;
  byId("unsaved").textContent = count ? count + " changed in this browser" : "";
}

function number(value) {
  return String(Number(value.toPrecision(4)));
}
function card(one) {
  const box = element("article", null, { "data-key": keyOf(one), "data-label": one.label });
  box.append(element("h2", one.caption));
  const keys = element("div", null, { class: "keys" });
  keys.append(element("span", one.label, { class: "tag" }), element("span", one.name, { class: "tag" }));
  if (one.verified) keys.append(element("span", "verified", { class: "tag" }));
  if (one.extra) keys.append(element("span", "extra prompt", { class: "tag" }));
  keys.append("prompt " + one.prompt_id + ", seed " + one.seed + ", training row " + one.source_row + (one.url ? ", " + one.url : ""));
  box.append(keys);
  if (one.words.length) {
    const words = element("div", null, { class: "words" });
    words.append("words that trigger it: ");
    for (const [text, weight] of one.words) words.append(element("mark", text, { "data-weight": Math.round(4 * weight), title: number(weight) }), " ");
    box.append(words);
  }
  const figure = element("figure");
  if (one.image) {
    const heads = element("div", null, { class: "heads" });
    for (const head of ["generated", "training", "mask", "residual"]) heads.append(element("span", head));
    const image = element("img", null, {
      src: one.image, loading: "lazy", width: 4 * data.size, height: one.lines * data.size,
      alt: "generated, training image, mask, residual",
    });
    figure.append(heads, image);
    if (one.lines > 1) figure.append(element("div", "lower: generated (seed " + one.found_seed + "), training (row " + one.found_row + "), placed, residual", { class: "keys" }));
  } else figure.append(element("div", "no image: " + (one.review_reason || "left out of this page (privacy.images of the config)"), { class: "doubt" }));
  box.append(figure);
  const table = element("table");
  const names = SCORES.filter((name) => one[name] !== null);
  const heads = element("tr"), values = element("tr");
  for (const name of names) { heads.append(element("th", name.replace("_", " "))); values.append(element("td", number(one[name]))); }
  table.append(heads, values);
  box.append(table);
  for (const reason of [one.image ? one.review_reason : "", one.doubt]) if (reason) box.append(element("div", reason, { class: "doubt" }));
  const line = element("div", null, { class: "decide" });
  const note = element("input", null, { placeholder: "note", "aria-label": "note" });
  const buttons = [["accept", "Accept"], ["reject", "Reject"]].map(([value, text]) => element("button", text, { type: "button", value }));
  const show = () => {
    const now = decisions.get(keyOf(one));
    box.dataset.decision = now ? now.decision : "";
    for (const button of buttons) button.setAttribute("aria-pressed", String(Boolean(now) && now.decision === button.value));
  };
  for (const button of buttons) {
    button.addEventListener("click", () => {
      const now = decisions.get(keyOf(one));
      decide(one, now && now.decision === button.value ? "" : button.value, note.value);
      show();
    });
  }
  const now = decisions.get(keyOf(one));
  note.value = now ? now.note : "";
  note.addEventListener("change", () => {
    const then = decisions.get(keyOf(one));
    if (then) decide(one, then.decision, note.value);
  });
  line.append(...buttons, note);
  box.append(line);
  show();
  return box;
}

function draw() {
  const found = chosen();
  const pages = Math.max(1, Math.ceil(found.length / PAGE));
  const page = Math.min(Math.max(0, Number(state.page) || 0), pages - 1);
  state.page = String(page);
  byId("cards").replaceChildren(...found.slice(page * PAGE, (page + 1) * PAGE).map(card));
  byId("count").textContent = found.length + " of " + data.candidates.length + " candidates";
  byId("page").textContent = "page " + (page + 1) + " of " + pages;
  byId("back").disabled = page === 0;
  byId("next").disabled = page + 1 >= pages;
  told();
}
function readHash() {
  const asked = new URLSearchParams(location.hash.slice(1));
  for (const name of Object.keys(state)) state[name] = asked.get(name) || (name === "score" ? "distance" : "");
  for (const input of form.elements) if (input.name) input.value = state[input.name];
  for (const input of form.elements) if (input.name && input.value !== state[input.name]) { input.value = ""; state[input.name] = input.value; }
  draw();
}
function writeHash() {
  const set = new URLSearchParams();
  for (const [name, value] of Object.entries(state)) {
    if (value && !(name === "score" && value === "distance") && !(name === "page" && value === "0")) set.set(name, value);
  }
  history.replaceState(null, "", "#" + set.toString());
  draw();
}
form.addEventListener("input", (event) => {
  state[event.target.name] = event.target.value;
  state.page = "0";
  writeHash();
});
form.addEventListener("submit", (event) => event.preventDefault());
const turn = (by) => { state.page = String(Number(state.page) + by); writeHash(); scrollTo(0, 0); };
byId("back").addEventListener("click", () => turn(-1));
byId("next").addEventListener("click", () => turn(1));
byId("reviewer").value = stored("verbatim-reviewer") || "";
byId("reviewer").addEventListener("change", () => store("verbatim-reviewer", byId("reviewer").value));
byId("export").addEventListener("click", () => {
  const link = element("a", null, { download: "review.csv" });
  link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
});
addEventListener("hashchange", readHash);
readHash();
