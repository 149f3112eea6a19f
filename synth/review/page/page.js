"use strict";
const token = new URLSearchParams(location.search).get("token") ?? "";
const at = (id) => document.getElementById(id);
const signs = { accept: "✓", reject: "✕", edit: "✎" };
const words = { accept: "accepted", reject: "rejected", edit: "edited" };
const headings = {
  edit: ["before the edit", "as edited"],
  rule: ["answer without the rule", "answer under the rule"],
  guideline: ["before the edit", "guideline"],
  example: ["", "answer"],
};
let items = [], verdicts = {}, shown = [], current = null, busy = false;

async function ask(path, content) {
  const options = { headers: { "X-Review-Token": token } };
  if (content) Object.assign(options, { method: "POST", body: JSON.stringify(content) });
  const answer = await fetch(path, options);
  const result = await answer.json();
  if (!answer.ok) throw new Error(result.error);
  return result;
}

async function start() {
  try {
    const state = await ask("/state");
    items = state.items;
    verdicts = state.verdicts;
    at("reviewer").textContent = state.reviewer;
    at("reviewer").title = state.reviewer;
    options("kind", items.map((item) => item.kind));
    options("strategy", items.map((item) => item.strategy));
    options("status", ["open", "accepted", "rejected", "edited"]);
    narrow();
    show(shown.find((item) => !verdicts[item.id]) ?? shown[0]);
  } catch (error) {
    at("item").hidden = false;
    complain(error);
  }
}

function options(name, values) {
  const all = [["", "all"], ...[...new Set(values)].map((value) => [value, value])];
  at(name).replaceChildren(...all.map(([value, text]) => new Option(text, value)));
  at(name).onchange = () => { narrow(); if (!shown.includes(current)) show(shown[0]); at(name).blur(); };
}

const status = (item) => words[verdicts[item.id]?.verdict] ?? "open";

function narrow() {
  const wanted = (name, value) => !at(name).value || at(name).value === value;
  shown = items.filter((item) => wanted("kind", item.kind) && wanted("strategy", item.strategy) && wanted("status", status(item)));
  list();
}

function list() {
  at("list").replaceChildren(...shown.map((item) => {
    const line = document.createElement("li"), said = verdicts[item.id]?.verdict;
    line.append(text("span", signs[said] ?? "·", `dot ${said ?? ""}`), text("span", item.title));
    line.onclick = () => show(item);
    if (item === current) line.setAttribute("aria-current", "true");
    return line;
  }));
  at("list").querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" });
  const done = items.filter((item) => verdicts[item.id]).length;
  at("count").textContent = `${done} of ${items.length}`;
  at("bar").setAttribute("aria-valuemax", items.length);
  at("bar").setAttribute("aria-valuenow", done);
  at("done").style.width = items.length ? `${(100 * done) / items.length}%` : "0";
}

function text(kind, content, name) {
  const element = document.createElement(kind);
  element.textContent = content;
  if (name) element.className = name;
  return element;
}

function version(name, parts) {
  const element = text("pre", "", name);
  element.append(...parts.map(([differs, words]) => text(differs ? "mark" : "span", words)));
  return element;
}

function versions(pairs, names) {
  const both = pairs.some(([before]) => before.length);
  const rows = pairs.filter(([, after]) => after.some(([, words]) => words))
    .flatMap(([before, after]) => both ? [version("before", before), version("after", after)] : [version("after", after)]);
  const heads = names.slice(both ? 0 : 1).map((name) => text("h3", name));
  at("versions").className = both ? "" : "single";
  at("versions").replaceChildren(...(rows.length ? [...heads, ...rows] : []));
}

function show(item) {
  current = item ?? null;
  close();
  at("empty").hidden = Boolean(current);
  at("item").hidden = !current;
  list();
  for (const name of ["accept", "reject", "edit", "undo", "next", "previous"]) at(name).disabled = !current;
  if (!current) return;
  const said = verdicts[item.id], edited = said?.verdict === "edit";
  at("chip-kind").textContent = item.kind;
  at("chip-strategy").textContent = item.strategy === item.kind + "s" ? "" : item.strategy;
  at("verdict").className = `chip ${said?.verdict ?? ""}`;
  at("verdict").textContent = said ? words[said.verdict] + (said.reason ? `: ${said.reason}` : "") : "";
  at("title").textContent = item.title;
  at("body").textContent = item.body;
  versions(edited ? said.versions : item.versions, edited ? headings.edit : item.strategy.includes("rules") ? headings.rule : headings[item.kind]);
  at("edit").disabled = item.text === null;
  at("undo").disabled = !said;
  document.querySelector("main").scrollTop = 0;
}

function step(by) {
  const place = shown.indexOf(current);
  const next = shown[Math.min(shown.length - 1, Math.max(0, place + by))];
  if (next) show(next);
}

function open(panel, field, content) {
  close();
  at("versions").hidden = panel === "editor" && at("versions").className === "single";
  at(panel).hidden = false;
  at(field).value = content;
  at(field).focus();
  at(field).setSelectionRange(0, 0);
  at(field).scrollTop = 0;
  at(panel).scrollIntoView({ block: "nearest" });
}

function close() {
  at("editor").hidden = at("rejection").hidden = at("error").hidden = true;
  at("versions").hidden = false;
  document.activeElement?.blur();
}

function complain(error) {
  at("error").textContent = error.message;
  at("error").hidden = false;
  at("error").scrollIntoView({ block: "nearest" });
}

async function judge(verdict, more) {
  if (!current || busy) return;
  busy = true;
  try {
    verdicts = (await ask("/verdicts", { item: current.id, verdict, ...more })).verdicts;
    const place = shown.indexOf(current), judged = current;
    narrow();
    if (verdict === "undo" || verdict === "edit") show(shown.includes(judged) ? judged : shown[Math.min(place, shown.length - 1)]);
    else show(shown.includes(judged) ? shown[Math.min(place + 1, shown.length - 1)] : shown[Math.min(place, shown.length - 1)]);
  } catch (error) {
    complain(error);
  } finally {
    busy = false;
  }
}

const acts = {
  accept: () => judge("accept"),
  reject: () => current && open("rejection", "reason", ""),
  edit: () => current && current.text !== null && open("editor", "text", verdicts[current.id]?.edited ?? current.text),
  undo: () => current && verdicts[current.id] && judge("undo"),
  next: () => step(1),
  previous: () => step(-1),
};
const keys = { a: "accept", r: "reject", e: "edit", u: "undo", j: "next", n: "next", ArrowRight: "next", k: "previous", p: "previous", ArrowLeft: "previous" };
for (const name of Object.keys(acts)) at(name).onclick = () => acts[name]();

document.addEventListener("keydown", (event) => {
  const typing = event.target === at("text") || event.target === at("reason");
  if (event.key === "Escape") {
    close();
  } else if (typing) {
    if (event.target === at("reason") && event.key === "Enter" && !event.isComposing) judge("reject", { reason: at("reason").value });
    else if (event.target === at("text") && event.key === "Enter" && (event.ctrlKey || event.metaKey)) judge("edit", { edited: at("text").value });
    else return;
    event.preventDefault();
  } else if (keys[event.key] && !event.ctrlKey && !event.metaKey && !event.altKey && event.target.tagName !== "SELECT") {
    event.preventDefault();
    acts[keys[event.key]]();
  }
});

start();
