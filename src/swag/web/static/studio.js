// The main page: it sends wishes, and shows what the server tells of the session's runs.

import { ask, byId, made, notice, telling } from "./api.js";
import { Controls } from "./controls.js";
import { brush, camera } from "./dialogs.js";
import { Pictures } from "./pictures.js";
import { Stage } from "./stage.js";

const ENDED = new Set(["done", "stopped", "failed"]);
const runs = new Map();
let current = null;
let waiting = 0;
let next = null; // begun as soon as the present run has stopped

const choices = await ask("GET", "/api/choices");
const stage = new Stage();
const controls = new Controls(choices, (name) => { if (name === "strength") restrengthen(); });
const pictures = new Pictures(choices.limits, () => { byId("paint").disabled = !pictures.ready; }, (settings) => controls.set(settings));
pictures.showGallery(choices.gallery);
brush(pictures);
camera(pictures);

async function begin(from = null) {
  if (controls.refuse()) return;
  const wish = from ? { content: from.content, styles: from.styles, mask: from.mask, from: from.id } : pictures.wish;
  const { id } = await ask("POST", "/api/runs", { ...wish, settings: controls.values() });
  notice("");
  turnTo(id);
  if (byId("stage").getBoundingClientRect().top > innerHeight - 200) byId("stage").scrollIntoView();
}

// Look at a run from now on; another that was stopped to go on stays as it is.
function turnTo(id) {
  current = id;
  next = null;
  const run = runs.get(id);
  if (run) stage.show(run, waiting);
  mark();
}

// A changed strength goes on from the picture as it is now.
async function restrengthen() {
  const run = runs.get(current);
  if (run?.phase !== "running") return;
  next = run.id;
  await ask("POST", `/api/runs/${run.id}/stop`).catch((error) => notice(error.message));
}

byId("side").onsubmit = telling(async (event) => {
  event.preventDefault();
  await begin();
});
byId("paint").onclick = (event) => { if (event.detail > 1) event.preventDefault(); }; // a double click is one
byId("stop").onclick = telling(() => { next = null; return ask("POST", `/api/runs/${current}/stop`); });
byId("go-on").onclick = telling(async (event) => {
  if (event.detail > 1) return;
  const run = runs.get(current);
  if (run?.picture) await begin(run);
});
byId("forget").onclick = telling(async () => {
  if (!confirm("Remove all pictures of this session from the server?")) return;
  await ask("DELETE", "/api/session");
  location.reload();
});

function told({ runs: changed, all, waiting: count }) {
  const known = runs.has(current);
  const first = runs.size === 0 && changed.length > 0;
  waiting = count;
  for (const run of changed) runs.set(run.id, run);
  for (const id of runs.keys()) if (!all.includes(id)) runs.delete(id);
  if (known && !runs.has(current)) {
    current = null;
    stage.clear();
  }
  if (first && !pictures.photo && !current) {
    const newest = runs.get(all.at(-1));
    current = newest.id;
    controls.set(newest.settings);
    pictures.bringBack(newest);
  }
  for (const run of changed) showInHistory(run);
  for (const item of [...byId("history").children]) if (!runs.has(item.dataset.run)) item.remove();
  const run = runs.get(current);
  if (run) stage.show(run, waiting);
  if (run && next === run.id && ENDED.has(run.phase)) {
    next = null;
    if (run.picture) telling(begin)(run);
  }
}

function showInHistory(run) {
  byId("history-section").hidden = false;
  let item = [...byId("history").children].find((one) => one.dataset.run === run.id);
  if (!item) {
    const button = made("button", { type: "button" }, made("img", { alt: "" }), made("span"));
    button.onclick = () => look(run.id);
    item = made("li", {}, button);
    item.dataset.run = run.id;
    byId("history").prepend(item);
  }
  const words = `${run.phase}, ${run.settings.method}, strength ${run.settings.strength}`;
  item.querySelector("span").textContent = words;
  const source = run.picture ? `/api/runs/${run.id}/frame?n=${run.frame}` : `/api/pictures/${run.content}`;
  const image = item.querySelector("img");
  if (!image.src.endsWith(source)) image.src = source;
  mark();
}

// Look at a run of the history, and go back to its pictures and settings.
function look(id) {
  const run = runs.get(id);
  controls.set(run.settings);
  pictures.bringBack(run);
  turnTo(id);
}

function mark() {
  for (const item of byId("history").children) {
    item.firstChild.setAttribute("aria-current", String(item.dataset.run === current));
  }
}

const events = new EventSource("/api/events");
events.onmessage = (event) => { told(JSON.parse(event.data)); mark(); };
let lost = false;
events.onerror = () => {
  lost = events.readyState !== EventSource.CLOSED; // otherwise the browser tries again
  if (lost) notice("The server does not answer; the page goes on as soon as it does.");
  else notice("This session has ended.", "Begin anew", () => location.reload());
};
events.onopen = () => {
  if (lost) notice("");
  lost = false;
};
document.documentElement.dataset.ready = "yes";
