// Two windows: a brush for masks, and the camera.

import { byId, notice, telling } from "./api.js";

const blobOf = (canvas, kind) => new Promise((done) => { canvas.toBlob(done, kind, 0.95); });

function closable(dialog, closed = () => {}) {
  dialog.querySelector("[data-close]").onclick = () => dialog.close();
  dialog.addEventListener("close", closed);
}

export function brush(pictures) {
  const dialog = byId("brush-dialog");
  const canvas = dialog.querySelector("canvas");
  const mask = document.createElement("canvas"); // white where the style goes, on nothing
  const photo = new Image();
  let last = null;
  closable(dialog);

  const draw = () => {
    const pen = canvas.getContext("2d");
    pen.globalCompositeOperation = "copy";
    pen.globalAlpha = 0.35;
    pen.drawImage(photo, 0, 0, canvas.width, canvas.height);
    const lit = document.createElement("canvas");
    Object.assign(lit, { width: canvas.width, height: canvas.height });
    const light = lit.getContext("2d");
    light.drawImage(mask, 0, 0);
    light.globalCompositeOperation = "source-in";
    light.drawImage(photo, 0, 0, canvas.width, canvas.height);
    pen.globalCompositeOperation = "source-over";
    pen.globalAlpha = 1;
    pen.drawImage(lit, 0, 0);
  };
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width * canvas.width, (event.clientY - box.top) / box.height * canvas.height];
  };
  const stroke = (from, to) => {
    const pen = mask.getContext("2d");
    pen.globalCompositeOperation = byId("brush-erase").checked ? "destination-out" : "source-over";
    Object.assign(pen, { lineWidth: byId("brush-size").value / 100 * canvas.width, lineCap: "round", strokeStyle: "#fff" });
    pen.beginPath();
    pen.moveTo(...from);
    pen.lineTo(...to);
    pen.stroke();
    draw();
  };
  canvas.onpointerdown = (event) => {
    canvas.setPointerCapture(event.pointerId);
    last = place(event);
    stroke(last, last);
  };
  canvas.onpointermove = (event) => {
    if (!last) return;
    const here = place(event);
    stroke(last, here);
    last = here;
  };
  canvas.onpointerup = canvas.onpointercancel = () => { last = null; };
  byId("brush-clear").onclick = () => { mask.width = canvas.width; draw(); };
  byId("brush-invert").onclick = () => {
    const pen = mask.getContext("2d");
    pen.globalCompositeOperation = "xor";
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, mask.width, mask.height);
    draw();
  };
  byId("mask-file").onchange = (event) => pictures.take(event.target, async (file) => {
    dialog.close(); // an error is told on the page
    pictures.setMask((await pictures.upload(file)).id);
  });
  byId("brush-done").onclick = telling(async () => {
    const whole = document.createElement("canvas");
    Object.assign(whole, { width: mask.width, height: mask.height });
    const pen = whole.getContext("2d");
    pen.fillRect(0, 0, whole.width, whole.height);
    pen.drawImage(mask, 0, 0);
    const empty = !mask.getContext("2d").getImageData(0, 0, mask.width, mask.height).data.some(Boolean);
    dialog.close();
    if (empty) return pictures.setMask(null);
    pictures.setMask((await pictures.upload(await blobOf(whole, "image/png"))).id);
  });
  byId("brush").onclick = telling(async () => {
    photo.src = `/api/pictures/${pictures.photo}`;
    await photo.decode();
    for (const one of [canvas, mask]) Object.assign(one, { width: photo.naturalWidth, height: photo.naturalHeight });
    draw();
    dialog.showModal();
  });
}

export function camera(pictures) {
  const dialog = byId("camera-dialog");
  const video = dialog.querySelector("video");
  closable(dialog, () => {
    for (const track of video.srcObject?.getTracks() ?? []) track.stop();
    video.srcObject = null;
  });
  byId("camera").onclick = async () => {
    try {
      video.srcObject = await navigator.mediaDevices.getUserMedia({ video: true });
    } catch {
      notice("There is no camera, or the browser does not let this page use it.");
      return;
    }
    dialog.showModal();
    await video.play();
  };
  byId("camera-take").onclick = telling(async () => {
    const canvas = document.createElement("canvas");
    Object.assign(canvas, { width: video.videoWidth, height: video.videoHeight });
    canvas.getContext("2d").drawImage(video, 0, 0);
    dialog.close();
    await pictures.addPhoto(await blobOf(canvas, "image/jpeg"));
  });
}
