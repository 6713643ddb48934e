// By how much each marker is missed: a map of markers over time, a list, and the curve of the chosen one.
import { cursorOf, drawCurve } from "./curve.js";
import { find, make } from "./dom.js";
import { nearestFrame, residual } from "./clip.js";

const GOOD_MM = 20;
const BAD_MM = 40;
const LINE_PX = 6;

export function showMarkers(clip, clock, scene) {
  const rows = clip.markers.names
    .map((name, index) => summary(clip, name, index))
    .filter((row) => Number.isFinite(row.rms))
    .sort((a, b) => (b.weight > 0) - (a.weight > 0) || b.rms - a.rms);
  let chosen = null;
  let move = null;

  const choose = (row) => {
    chosen = row;
    scene.choose(row.index);
    rows.forEach((each) => each.line.classList.toggle("chosen", each === row));
    const place = find("marker-chart");
    place.replaceChildren(make("h3", {}, row.name, make("small", {}, ` residual, mm; weight ${row.weight}`)));
    const chart = drawCurve(place, {
      times: clip.times,
      values: Array.from(clip.times, (_, frame) => finite(residual(clip, frame, row.index))),
      deviation: null,
      masked: clip.usable.map((usable) => !usable),
      bounds: [GOOD_MM, BAD_MM],
      floor: 0,
      onPick: (time) => pick(nearestFrame(clip.times, time)),
    });
    move = cursorOf(chart, clip.times);
    move(clip.times[clock.frame]);
  };
  const pick = (frame) => {
    clock.stop();
    clock.goTo(frame);
  };

  const body = make("tbody", {});
  for (const row of rows) {
    row.now = make("td", { className: "number" });
    row.line = make(
      "tr",
      { onclick: () => choose(row), className: row.weight > 0 ? "" : "carried" },
      make("td", {}, row.name),
      make("td", { className: "number" }, `${row.weight}`),
      make("td", { className: "number" }, row.rms.toFixed(1)),
      make(
        "td",
        { className: "number" },
        make("button", { className: "link", title: "go there", onclick: () => pick(row.worst) }, row.max.toFixed(1)),
      ),
      row.now,
    );
    body.append(row.line);
  }
  find("marker-table").append(body);

  const map = find("marker-map");
  const fitted = rows.filter((row) => row.weight > 0);
  drawMap(map, clip, fitted);
  map.addEventListener("click", (event) => {
    const box = map.getBoundingClientRect();
    pick(((event.clientX - box.left) / box.width) * (clip.nFrames - 1));
    choose(fitted[Math.min(fitted.length - 1, Math.floor(((event.clientY - box.top) / box.height) * fitted.length))]);
  });
  const cursor = find("map-cursor");
  clock.onFrame((frame) => {
    cursor.style.left = `${(100 * frame) / Math.max(clip.nFrames - 1, 1)}%`;
    move?.(clip.times[frame]);
    if (find("panel-markers").hidden) return;
    for (const row of rows) {
      const mm = residual(clip, frame, row.index);
      row.now.textContent = Number.isNaN(mm) ? "–" : mm.toFixed(1);
      row.now.dataset.verdict = mm > BAD_MM ? "bad" : mm > GOOD_MM ? "check" : "";
    }
  });
  return { refresh: () => chosen && move?.(clip.times[clock.frame]) };
}

function summary(clip, name, index) {
  let squares = 0;
  let count = 0;
  let [max, worst] = [-1, 0];
  for (let frame = 0; frame < clip.nFrames; frame++) {
    const mm = residual(clip, frame, index);
    if (!clip.usable[frame] || Number.isNaN(mm)) continue;
    squares += mm * mm;
    count++;
    if (mm > max) [max, worst] = [mm, frame];
  }
  return { name, index, weight: clip.markers.weights[index], rms: Math.sqrt(squares / count), max, worst };
}

// White at 0, orange at the guideline of 20 mm, dark red from 40 mm on; grey where a marker was not seen.
function drawMap(canvas, clip, rows) {
  canvas.width = clip.nFrames;
  canvas.height = rows.length;
  canvas.style.height = `${Math.min(rows.length * LINE_PX, 300)}px`;
  const context = canvas.getContext("2d");
  const image = context.createImageData(canvas.width, canvas.height);
  rows.forEach((row, y) => {
    for (let x = 0; x < clip.nFrames; x++) {
      const colour = colourOf(residual(clip, x, row.index));
      image.data.set([...colour, 255], 4 * (y * clip.nFrames + x));
    }
  });
  context.putImageData(image, 0, 0);
}

function colourOf(mm) {
  if (Number.isNaN(mm)) return [205, 212, 220];
  const stops = [[255, 255, 255], [240, 160, 50], [150, 20, 25]];
  const at = Math.min(mm / GOOD_MM, 1.999);
  const [low, high] = [stops[Math.floor(at)], stops[Math.floor(at) + 1]];
  return low.map((value, k) => Math.round(value + (at % 1) * (high[k] - value)));
}

const finite = (value) => (Number.isFinite(value) ? value : null);
