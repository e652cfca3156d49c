// Requests to the server; a mistake is an Error with the server's one line, and the status of its answer if there is one.

export async function ask(method, path, body) {
  const isFile = body instanceof Blob;
  let answer;
  try {
    answer = await fetch(path, { method, body: body === undefined || isFile ? body : JSON.stringify(body) });
  } catch {
    throw new Error("the server does not answer; is it still running?");
  }
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw Object.assign(new Error(said.error ?? `the server says ${answer.status}`), { status: answer.status });
  return said;
}

export const byId = (id) => document.getElementById(id);

export function made(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
}

let undo = null;

// One line above the page, with something to do about it where there is.
export function notice(text, label = "", action = null) {
  const bar = byId("notice");
  const [words, doIt, dismiss] = [bar.querySelector("span"), ...bar.querySelectorAll("button")];
  words.textContent = text;
  doIt.hidden = !label;
  doIt.textContent = label;
  undo = action;
  doIt.onclick = () => { bar.hidden = true; undo?.(); };
  dismiss.onclick = () => { bar.hidden = true; };
  bar.hidden = !text;
}

// Run what a click asks for; what goes wrong is told.
export const telling = (action) => async (...given) => {
  try {
    await action(...given);
  } catch (error) {
    notice(error.message);
  }
};
