// The results of a study, for who holds the key in the address.

import { ask, byId, made, telling } from "./api.js";

const key = `?key=${encodeURIComponent(new URLSearchParams(location.search).get("key") ?? "")}`;
const two = (number) => number.toFixed(2);
const between = (low, high) => `${two(low)} to ${two(high)}`;

await telling(async () => {
  const { rows, answers, catches, caught } = await ask("GET", `/api/results${key}`);
  byId("summary").textContent = `${answers} answers of attentive participants; ${caught} of ${catches} catch trials were answered right.`;
  document.querySelector("tbody").replaceChildren(...rows.map((row) => made("tr", {},
    made("th", { scope: "row", textContent: row.method }),
    ...[two(row.strength), between(row.strength_low, row.strength_high), two(row.share),
      between(row.share_low, row.share_high), row.won, row.lost, row.undecided,
    ].map((text) => made("td", { textContent: text })))));
  byId("csv").href = `/api/results.csv${key}`;
  byId("svg").href = `/api/results.svg${key}`;
  document.querySelector(".figure").src = `/api/results.svg${key}`;
})();
