// The picture as it grows, beside or over the photo, and the words about its progress.

import { byId } from "./api.js";

const ORDINALS = new Intl.PluralRules("en", { type: "ordinal" });
const ENDINGS = { one: "st", two: "nd", few: "rd", other: "th" };

export class Stage {
  constructor() {
    this.shown = null;
    this.tenth = "";
    byId("views").onchange = (event) => { byId("easel").dataset.view = event.target.value; };
    byId("cut").oninput = (event) => {
      byId("easel").style.setProperty("--cut", `${event.target.value}%`);
    };
  }

  clear() {
    this.shown = null;
    this.latest = null;
    byId("easel").classList.add("blank");
    for (const id of ["stop", "go-on", "downloads"]) byId(id).hidden = true;
    byId("status").textContent = "";
    byId("progress").querySelector("progress").value = 0;
  }

  show(run, waiting) {
    const ended = ["done", "stopped", "failed"].includes(run.phase);
    byId("stop").hidden = ended;
    byId("go-on").hidden = !(ended && run.picture);
    byId("downloads").hidden = !run.picture;
    for (const link of byId("downloads").querySelectorAll("a")) {
      link.href = `/api/runs/${run.id}/picture.${link.dataset.ending}`;
      link.download = "";
    }
    this.showPictures(run);
    this.tell(run, waiting);
  }

  showPictures(run) {
    const easel = byId("easel");
    if (this.run !== run.id) {
      this.run = run.id;
      this.shown = null;
      byId("before").src = `/api/pictures/${run.content}`;
      byId("after").src = run.frame ? byId("after").src : `/api/pictures/${run.content}`;
      easel.classList.remove("blank");
      byId("before").decode().then(() => {
        const { naturalWidth, naturalHeight } = byId("before");
        easel.style.setProperty("--ratio", run.settings.square ? 1 : naturalWidth / naturalHeight);
      }).catch(() => {});
    }
    this.latest = run.frame ? run : null;
    if (!this.fetching) this.fetchFrames();
  }

  // One frame at a time: where runs are faster than the browser, it shows some instead of none.
  async fetchFrames() {
    this.fetching = true;
    while (this.latest && keyOf(this.latest) !== this.shown) {
      const run = this.latest;
      this.shown = keyOf(run);
      const next = new Image();
      next.src = `/api/runs/${run.id}/frame?n=${run.frame}`;
      const decoded = await next.decode().then(() => true, () => false);
      if (!decoded || this.run !== run.id) continue;
      byId("after").src = next.src;
      byId("easel").dataset.frames = Number(byId("easel").dataset.frames ?? 0) + 1;
    }
    this.fetching = false;
  }

  tell(run, waiting) {
    byId("progress").querySelector("progress").value = run.phase === "done" ? 1 : run.step / (run.steps || 1);
    const words = wordsOf(run, waiting);
    byId("status").textContent = words;
    // Read aloud now and then only: each tenth, and whatever is not progress.
    const tenth = run.phase === "running" && run.step ? `${run.id} ${Math.floor(10 * run.step / run.steps)}` : words;
    if (tenth === this.tenth) return;
    this.tenth = tenth;
    byId("announcer").textContent = words;
  }
}

const keyOf = (run) => `${run.id} ${run.frame}`;

function wordsOf(run, waiting) {
  if (run.phase === "waiting") {
    return run.place ? `Waiting: ${run.place}${ENDINGS[ORDINALS.select(run.place)]} of ${waiting} in the queue` : "Waiting";
  }
  if (run.phase === "failed") return `This did not work: ${run.message}`;
  const size = run.size ? `, ${run.size.join(" × ")} pixels` : "";
  const step = `step ${run.step} of ${run.steps}${size}`;
  if (run.phase === "done") return `Done: ${step}`;
  if (run.phase === "stopped") return `Stopped: ${run.message || step}`;
  if (!run.step) return "Reading the pictures";
  const left = run.seconds_left == null ? "" : `, about ${duration(run.seconds_left)} left`;
  return `Painting: ${step}${left}`;
}

function duration(seconds) {
  return seconds < 90 ? `${Math.ceil(seconds)} s` : `${Math.round(seconds / 60)} min`;
}
