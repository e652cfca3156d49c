// The photo, its mask and the paintings that are chosen, and every way to choose them.

import { ask, byId, made, notice, telling } from "./api.js";

const MOST = 4;

export class Pictures {
  constructor(limits, changed, restore) {
    Object.assign(this, { limits, changed, restore, photo: null, mask: null, paintings: [], sending: 0 });
    byId("photo-file").onchange = telling((event) => this.take(event.target, (file) => this.addPhoto(file)));
    byId("painting-file").onchange = telling((event) => this.take(event.target, (file) => this.addPainting(file)));
    byId("sample").onclick = telling(async () => this.setPhoto((await ask("POST", "/api/gallery/photo")).id));
    byId("mask-state").querySelector("button").onclick = () => this.setMask(null);
    this.listenToDrops();
  }

  async take(input, add) {
    const files = [...input.files];
    input.value = "";
    for (const file of files) await telling(add)(file);
  }

  // Send a file, during which nothing can be painted; what the server says of it.
  async upload(file) {
    if (file.size > this.limits.megabytes * 1e6) {
      throw new Error(`${file.name} has more than ${this.limits.megabytes} megabytes; save it as a smaller one`);
    }
    this.sending += 1;
    this.changed();
    try {
      return await ask("POST", "/api/pictures", file);
    } finally {
      this.sending -= 1;
      this.changed();
    }
  }

  // Send a file; a picture of ours gives its settings back instead of being used, unless asked.
  async send(file, use) {
    const sent = await this.upload(file);
    if (!sent.settings) return use(sent.id);
    const left = this.restore(sent.settings);
    const but = left.length ? `, but for ${left.join(" and ")}, which this page cannot choose` : "";
    notice(`This picture was made by SWAG: its settings are back${but}.`, "Use the picture, too", () => use(sent.id));
  }

  addPhoto(file) { return this.send(file, (id) => this.setPhoto(id)); }

  addPainting(file) { return this.send(file, (id) => this.setPaintings([...this.paintings, { id, weight: 1 }])); }

  listenToDrops() {
    const over = (is) => document.body.classList.toggle("over", is);
    addEventListener("dragover", (event) => { event.preventDefault(); over(true); });
    addEventListener("dragleave", (event) => { if (!event.relatedTarget) over(false); });
    addEventListener("drop", telling(async (event) => {
      event.preventDefault();
      over(false);
      const onPaintings = event.target.closest("section")?.contains(byId("paintings"));
      const onPhoto = event.target.closest("#photo");
      for (const file of event.dataTransfer.files) {
        const asPhoto = onPhoto || (!onPaintings && !this.photo);
        await telling(() => (asPhoto ? this.addPhoto(file) : this.addPainting(file)))();
      }
    }));
  }

  setPhoto(id) {
    this.photo = id;
    const shown = byId("photo").querySelector("img");
    shown.hidden = !id;
    if (id) shown.src = `/api/pictures/${id}`;
    shown.alt = id ? "The chosen photo" : "";
    byId("brush").disabled = !id;
    this.setMask(null);
  }

  setMask(id) {
    this.mask = id;
    byId("mask-state").hidden = !id;
    byId("mask-state").querySelector("span").textContent = "A mask says where the style goes.";
    this.changed();
  }

  setPaintings(paintings) {
    if (paintings.length > MOST) notice(`At most ${MOST} paintings are blended; remove one first.`);
    this.paintings = paintings.slice(0, MOST);
    byId("paintings").replaceChildren(...this.paintings.map((one, i) => this.row(one, i)));
    this.changed();
  }

  row(painting, i) {
    const name = `Painting ${i + 1}`;
    const image = made("img", { src: `/api/pictures/${painting.id}`, alt: name });
    const weight = made("input", { type: "range", min: 0.1, max: 2, step: 0.1, value: painting.weight });
    weight.oninput = () => { painting.weight = Number(weight.value); };
    const label = made("label", {}, this.paintings.length > 1 ? `${name}: weight` : name);
    if (this.paintings.length > 1) label.append(weight);
    const remove = made("button", { type: "button", className: "quiet", textContent: "✕", ariaLabel: `Remove painting ${i + 1}` });
    remove.onclick = () => {
      this.setPaintings(this.paintings.filter((one) => one !== painting));
      byId("painting-file").focus();
    };
    return made("li", {}, image, label, remove);
  }

  showGallery(names) {
    byId("gallery").replaceChildren(...names.map((name) => {
      const image = made("img", { src: `/static/gallery/${name}.jpg`, alt: name, loading: "lazy" });
      const button = made("button", { type: "button", title: name }, image);
      button.onclick = telling(async () => {
        const { id } = await ask("POST", `/api/gallery/${name}`);
        this.setPaintings([...this.paintings, { id, weight: 1 }]);
      });
      return button;
    }));
  }

  get ready() { return Boolean(this.photo && this.paintings.length && !this.sending); }

  get wish() {
    return { content: this.photo, styles: this.paintings, mask: this.mask };
  }

  // Back to the pictures of a run, as after a reload.
  bringBack(run) {
    this.setPhoto(run.content);
    this.setMask(run.mask);
    this.setPaintings(run.styles.map((one) => ({ ...one })));
  }
}
