// One curve over time with its deviation band, its bounds, and what of it is masked; drawn by uPlot.
import uPlot from "uplot";

const INK = "#2b6cb0";
const BAND = "rgba(43,108,176,0.18)";
const MASKED = "rgba(179,38,30,0.13)";
const BOUND = "#b3261e";
const AXIS = { stroke: "#5b6776", grid: { stroke: "#e8edf2", width: 1 }, ticks: { show: false }, font: "11px system-ui" };

// times: (n) s; values: (n); deviation: (n) or null; masked: (n) truthy where the value is no label; bounds: [low, high];
// floor: a value that the chart always reaches down to, or null.
export function drawCurve(place, { times, values, deviation, masked, bounds, floor = null, height = 110, onPick }) {
  const lines = [times, values];
  const series = [{}, { stroke: INK, width: 1.4, points: { show: times.length < 2 } }];
  const bands = [];
  if (deviation) {
    lines.push(add(values, deviation, 1), add(values, deviation, -1));
    series.push({ stroke: "transparent", points: { show: false } }, { stroke: "transparent", points: { show: false } });
    bands.push({ series: [2, 3], fill: BAND });
  }
  const chart = new uPlot(
    {
      width: place.clientWidth,
      height,
      series,
      bands,
      legend: { show: false },
      cursor: { x: false, y: false, points: { show: false }, drag: { x: false, y: false } },
      scales: { x: { time: false }, y: { range: (_, low, high) => withRoom(low, high, bounds, floor) } },
      axes: [{ ...AXIS, size: 22, space: 60 }, { ...AXIS, size: 40, space: 24 }],
      hooks: {
        drawClear: [(u) => shade(u, masked)],
        draw: [(u) => bounds.forEach((bound) => dash(u, bound))],
      },
    },
    lines,
    place,
  );
  if (onPick) {
    chart.over.style.cursor = "pointer";
    chart.over.addEventListener("click", (event) => onPick(chart.posToVal(event.offsetX, "x")));
  }
  new ResizeObserver(() => chart.setSize({ width: place.clientWidth, height })).observe(place);
  return chart;
}

// A line at the time that is shown; it moves without the chart being drawn again.
export function cursorOf(chart, times) {
  const line = document.createElement("i");
  line.className = "cursor";
  line.hidden = true;
  chart.over.append(line);
  const span = times.at(-1) - times[0] || 1;
  return (time) => {
    line.hidden = false;
    line.style.left = `${(100 * (time - times[0])) / span}%`;
  };
}

function add(values, deviation, sign) {
  return values.map((value, i) => (Number.isFinite(deviation[i]) ? value + sign * deviation[i] : value));
}

function withRoom(low, high, bounds, floor) {
  if (low === null) return [0, 1];
  if (floor !== null) return [floor, Math.max(1.1 * high, 1.1 * bounds[0])];
  const room = Math.max(0.08 * (high - low), 0.5);
  let [bottom, top] = [low - room, high + room];
  // A bound that is near is shown, one that is far away is not worth the height.
  for (const bound of bounds) {
    if (bound !== null && Math.abs(bound - (low + high) / 2) < 1.2 * (top - bottom)) {
      bottom = Math.min(bottom, bound - room / 2);
      top = Math.max(top, bound + room / 2);
    }
  }
  return [bottom, top];
}

function shade(u, masked) {
  const { ctx, bbox } = u;
  ctx.save();
  ctx.fillStyle = MASKED;
  const times = u.data[0];
  for (let i = 0; i < times.length; i++) {
    if (!masked[i]) continue;
    const first = i;
    while (i + 1 < times.length && masked[i + 1]) i++;
    const left = u.valToPos(times[first], "x", true);
    const right = u.valToPos(times[i], "x", true);
    ctx.fillRect(Math.max(left - 1, bbox.left), bbox.top, Math.max(right - left + 2, 2), bbox.height);
  }
  ctx.restore();
}

function dash(u, bound) {
  if (bound === null || bound < u.scales.y.min || bound > u.scales.y.max) return;
  const { ctx, bbox } = u;
  const y = u.valToPos(bound, "y", true);
  ctx.save();
  ctx.strokeStyle = BOUND;
  ctx.setLineDash([5, 4]);
  ctx.beginPath();
  ctx.moveTo(bbox.left, y);
  ctx.lineTo(bbox.left + bbox.width, y);
  ctx.stroke();
  ctx.restore();
}
