// The page of a participant: pair after pair, with the code kept for reloads.

import { ask, byId, notice, telling } from "./api.js";

const KEPT = "swag-study-code";
let now = null;
let busy = false;

function show(state) {
  now = state;
  localStorage.setItem(KEPT, state.code);
  byId("door").hidden = true;
  byId("yours").hidden = false;
  byId("yours").querySelector("code").textContent = state.code;
  byId("trial").hidden = !state.trial;
  byId("end").hidden = Boolean(state.trial);
  byId("trial").querySelector("progress").value = state.done / state.total;
  byId("status").textContent = `${state.done} of ${state.total} answered`;
  if (!state.trial) return byId("end").querySelector("h2").focus();
  for (const side of ["left", "right"]) byId(side).src = `/api/trials/${state.trial}/${side}`;
  byId("question").focus({ preventScroll: true });
}

const choose = telling(async (choice) => {
  const seen = byId("left").complete && byId("right").complete;
  if (busy || !now?.trial || !seen) return;
  busy = true;
  try {
    show(await ask("POST", "/api/answer", { code: now.code, trial: now.trial, choice }));
    notice("");
  } finally {
    busy = false;
  }
});

byId("door").onsubmit = telling(async (event) => {
  event.preventDefault();
  show(await ask("POST", "/api/enter", { code: byId("code").value }));
  notice("");
});
for (const button of document.querySelectorAll("[data-choice]")) {
  button.onclick = () => choose(button.dataset.choice);
}
addEventListener("keydown", (event) => {
  const choice = { ArrowLeft: "left", ArrowRight: "right", ArrowDown: "neither" }[event.key];
  if (!choice || byId("trial").hidden || event.repeat || event.ctrlKey || event.altKey || event.metaKey) return;
  event.preventDefault();
  choose(choice);
});
byId("yours").querySelector("button").onclick = () => {
  localStorage.removeItem(KEPT);
  location.reload();
};

const kept = localStorage.getItem(KEPT);
if (kept) {
  try {
    show(await ask("POST", "/api/enter", { code: kept }));
  } catch (error) {
    if (error.status === 400) localStorage.removeItem(KEPT); // not a code of this study
    else notice(error.message);
  }
}
document.documentElement.dataset.ready = "yes";
