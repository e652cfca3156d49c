// The controls of all settings, made from what the server says of them.

import { byId, made } from "./api.js";

const NAMES = {
  preset: "Preset", strength: "Strength", size: "Size", steps: "Steps", method: "Method",
  colors: "Colors", style_scale: "Style size", parametrization: "parametrization",
  normalization: "normalization",
};
const RANGES = { strength: [0, 1, 0.05], style_scale: [0.25, 2, 0.05] };

export class Controls {
  constructor(choices, changed) {
    this.choices = choices;
    this.fields = new Map(choices.settings.map((field) => [field.name, field]));
    this.inputs = new Map();
    for (const name of choices.plain) byId("plain").append(this.row(this.fields.get(name), true));
    for (const field of choices.settings) {
      if (!choices.plain.includes(field.name)) byId("others").append(this.row(field, false));
    }
    this.inputs.get("preset").addEventListener("change", () => this.choosePreset());
    this.inputs.get("method").addEventListener("change", () => this.chooseMethod());
    for (const [name, input] of this.inputs) input.addEventListener("change", () => changed(name));
    this.set(this.defaults());
  }

  row(field, plain) {
    const id = `setting-${field.name}`;
    const input = this.input(field, plain);
    input.id = id;
    this.inputs.set(field.name, input);
    const label = made("label", { htmlFor: id, textContent: NAMES[field.name] ?? field.name.replaceAll("_", " ") });
    const row = made("div", { className: "field" }, label);
    if (input.type === "range") {
      const shown = made("output", { htmlFor: id });
      input.addEventListener("input", () => { shown.value = Number(input.value).toFixed(2); });
      row.append(made("div", { className: "range" }, input, shown));
    } else {
      row.append(input);
    }
    const bundles = this.choices[`${field.name}s`];
    if (!plain || field.name === "size" || bundles) {
      const what = made("small", { id: `${id}-what`, textContent: field.what });
      row.append(what);
      input.setAttribute("aria-describedby", what.id);
      if (bundles) {
        input.addEventListener("input", () => {
          what.textContent = bundles.find((one) => one.name === input.value)?.what ?? "";
        });
      }
    }
    return row;
  }

  input(field, plain) {
    if (field.kind === "boolean") return made("input", { type: "checkbox" });
    if (field.words && !field.free) {
      return made("select", {}, ...field.words.map((word) => made("option", { value: word, textContent: word })));
    }
    if (plain && RANGES[field.name]) {
      const [min, max, step] = RANGES[field.name];
      return made("input", { type: "range", min, max, step });
    }
    if (field.kind === "number" || field.kind === "integer") {
      const input = made("input", { type: "number", step: field.kind === "integer" ? 1 : "any" });
      if (field.minimum != null) input.min = field.minimum;
      if (field.maximum != null) input.max = field.maximum;
      return input;
    }
    const input = made("input", { type: "text", autocomplete: "off", spellcheck: false });
    if (field.kind === "object") input.placeholder = "the network's, or layer=weight, ...";
    if (field.words) {
      const list = made("datalist", { id: `words-${field.name}` }, ...field.words.map((word) => made("option", { value: word })));
      document.body.append(list);
      input.setAttribute("list", list.id);
    }
    return input;
  }

  defaults() {
    return Object.fromEntries(this.choices.settings.map((field) => [field.name, field.default]));
  }

  bundle(kind) {
    const chosen = this.inputs.get(kind).value;
    return this.choices[`${kind}s`].find((one) => one.name === chosen);
  }

  // All settings of the preset, in the form that suits a method, as `Preset.values_with` has it.
  ofPreset(method) {
    const { name, premise, values, otherwise } = this.bundle("preset");
    const suits = Object.entries(premise).every(
      ([key, allowed]) => !(key in method) || allowed.includes(method[key]),
    );
    return { ...this.defaults(), ...(suits ? values : otherwise), preset: name };
  }

  choosePreset() {
    this.set(this.ofPreset({}));
  }

  // What any method sets goes back to the preset's value, and then to that of the method.
  chooseMethod() {
    const touched = new Set(this.choices.methods.flatMap((one) => Object.keys(one.values)));
    const method = this.bundle("method").values;
    const base = this.ofPreset(method);
    const back = Object.fromEntries([...touched].map((name) => [name, base[name]]));
    this.set({ ...back, ...method });
  }

  // Names whose values cannot be chosen here come back: lists stay as they are, sliders go near.
  set(values) {
    const left = [];
    for (const [name, value] of Object.entries(values)) {
      const input = this.inputs.get(name);
      if (!input) continue;
      if (input.type === "checkbox") input.checked = value;
      else if (input.options && ![...input.options].some((one) => one.value === value)) left.push(name);
      else {
        input.value = written(value);
        if (input.type === "range" && Number(input.value) !== value) left.push(name);
      }
      input.dispatchEvent(new Event("input"));
    }
    return left;
  }

  values() {
    return Object.fromEntries([...this.inputs].map(([name, input]) => [name, this.value(name, input)]));
  }

  value(name, input) {
    const field = this.fields.get(name);
    if (input.type === "checkbox") return input.checked;
    const text = input.value.trim();
    if (field.kind === "array") return listed(text);
    if (text === "") return field.optional ? null : field.default;
    if (field.kind === "object") return text.includes("=") ? weighted(text) : listed(text);
    return field.kind === "number" || field.kind === "integer" ? Number(text) : text;
  }

  // Focus the first control whose value is out of its range; whether there is one.
  refuse() {
    const wrong = [...this.inputs.values()].find((input) => !input.checkValidity());
    if (!wrong) return false;
    wrong.closest("details")?.setAttribute("open", "");
    wrong.reportValidity();
    return true;
  }
}

const listed = (text) => text.split(",").map((one) => one.trim()).filter(Boolean);

function weighted(text) {
  return Object.fromEntries(listed(text).map((one) => {
    const [name, weight] = one.split("=");
    return [name.trim(), Number(weight ?? 1)];
  }));
}

function written(value) {
  if (value == null) return "";
  if (Array.isArray(value)) return value.join(", ");
  if (typeof value === "object") return Object.entries(value).map((pair) => pair.join("=")).join(", ");
  return String(value);
}
