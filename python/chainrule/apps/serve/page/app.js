"use strict";

const board = document.getElementById("board");
const pen = board.getContext("2d", { willReadFrequently: true });
const answer = document.getElementById("answer");
const dark = matchMedia("(prefers-color-scheme: dark)");
const narrow = matchMedia("(max-width: 40rem)");
const rows = Array.from({ length: 10 }, (_, digit) => addRow(digit));

let last = null; // the pen's last point while it is down
let asking = false; // one question at a time,
let stale = false; // and the latest drawing after it
let blank = true;
let shown = null; // the last answer

// ---------------------------------------------------------------- drawing

pen.lineWidth = 26; // an eighth of a digit's height, as in the training images
pen.lineCap = pen.lineJoin = "round";

function point(event) {
  const box = board.getBoundingClientRect();
  return [
    ((event.clientX - box.left) * board.width) / box.width,
    ((event.clientY - box.top) * board.height) / box.height,
  ];
}

function stroke(to) {
  pen.beginPath();
  pen.moveTo(...last);
  pen.lineTo(to[0] + 0.01, to[1]); // a line of no length, a tap, would leave nothing
  pen.stroke();
  last = to;
  blank = false;
  ask();
}

board.addEventListener("pointerdown", (event) => {
  if (!event.isPrimary || event.button !== 0) return;
  board.setPointerCapture(event.pointerId);
  last = point(event);
  stroke(last);
});
board.addEventListener("pointermove", (event) => {
  if (!last || !event.isPrimary) return;
  const steps = event.getCoalescedEvents?.() ?? [];
  for (const step of steps.length ? steps : [event]) stroke(point(step));
});
for (const end of ["pointerup", "pointercancel"]) {
  board.addEventListener(end, (event) => { if (event.isPrimary) last = null; });
}

function clear() {
  pen.clearRect(0, 0, board.width, board.height);
  last = null;
  blank = true;
  show(null);
}
document.getElementById("clear").addEventListener("click", clear);
addEventListener("keydown", (event) => { if (event.key === "Escape") clear(); });

// ---------------------------------------------------------------- asking

async function call(path, request) {
  let response;
  try {
    response = await fetch(path, request);
  } catch {
    throw new Error("No answer: is chainrule serve still running?");
  }
  const body = await response.json();
  if (!response.ok) throw new Error(body.error);
  return body;
}

function drawing() {
  const { width, height } = board;
  const pixels = pen.getImageData(0, 0, width, height).data;
  let ink = "";
  for (let i = 3; i < pixels.length; i += 4) ink += String.fromCharCode(pixels[i]); // opacity
  return JSON.stringify({ width, height, ink: btoa(ink) });
}

async function ask() {
  stale = true;
  if (asking) return;
  asking = true;
  while (stale && !blank) {
    stale = false;
    try {
      const result = await call("api/read", {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: drawing(),
      });
      if (!blank) show(result);
    } catch (error) {
      if (!blank) say(error.message, true);
    }
  }
  asking = false;
}

// ---------------------------------------------------------------- showing

function say(sentence, isError = false) {
  answer.classList.toggle("error", isError);
  if (answer.textContent !== sentence) answer.textContent = sentence;
}

function percent(share) {
  return `${(100 * share).toFixed(1)}%`;
}

function addRow(digit) {
  const row = document.createElement("li");
  row.innerHTML = `<span>${digit}</span><span class="bar" aria-hidden="true"><i></i></span><span>–</span>`;
  document.getElementById("probabilities").append(row);
  return row;
}

function show(result) {
  shown = result;
  rows.forEach((row, digit) => {
    const share = result?.probabilities[digit];
    row.classList.toggle("best", digit === result?.digit);
    row.querySelector("i").style.width = `${100 * (share ?? 0)}%`;
    row.lastElementChild.textContent = result ? percent(share) : "–";
  });
  const ink = (value) => [0, 0, 0, value];
  const towards = colours("--for"), away = colours("--against");
  paint("seen", result?.seen, 1, ink);
  paint("maps", result?.maps, narrow.matches ? 8 : 16, ink);
  paint("mattered", result?.mattered, 1, (value) =>
    [...(value > 128 ? towards : away), Math.min(255, 2 * Math.abs(value - 128))]);
  say(result ? `I read ${result.digit === 8 ? 'an' : 'a'} ${result.digit} (${percent(result.probabilities[result.digit])}).`
             : "Draw a digit above.");
}

function colours(name) {
  const hex = getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  return [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
}

// Draws a stack of pictures side by side, `columns` in a row; `colour` turns a byte into RGBA.
function paint(id, stack, columns, colour) {
  const canvas = document.getElementById(id);
  if (!stack) {
    canvas.getContext("2d").clearRect(0, 0, canvas.width, canvas.height);
    return;
  }
  const [count, height, width] = stack.shape;
  const gap = count > 1 ? 1 : 0;
  canvas.width = columns * (width + gap) + gap;
  canvas.height = Math.ceil(count / columns) * (height + gap) + gap;
  canvas.style.aspectRatio = `${canvas.width} / ${canvas.height}`;
  const bytes = atob(stack.data);
  for (let k = 0; k < count; k++) {
    const image = new ImageData(width, height);
    for (let i = 0; i < width * height; i++) {
      image.data.set(colour(bytes.charCodeAt(k * width * height + i)), 4 * i);
    }
    const left = gap + (k % columns) * (width + gap);
    const top = gap + Math.floor(k / columns) * (height + gap);
    canvas.getContext("2d").putImageData(image, left, top);
  }
}

for (const change of [dark, narrow]) change.addEventListener("change", () => show(shown));
call("api/model")
  .then((model) => {
    document.getElementById("model").textContent =
      `A network of ${model.parameters.toLocaleString("en")} parameters reads it while you draw, ` +
      `as ${model.size} × ${model.size} pixels.`;
  })
  .catch((error) => say(error.message, true));
