// The list of coordinates: search, one chart each, the value at the frame that is shown.
import { cursorOf, drawCurve } from "./curve.js";
import { find, make, whenSeen } from "./dom.js";
import { nearestFrame } from "./clip.js";

export const column = (series, k) => {
  const values = new Array(series.length);
  for (let i = 0; i < series.length; i++) {
    const value = series.values[i * series.width + k];
    values[i] = Number.isNaN(value) ? null : value;
  }
  return values;
};

// `coordinates` names, units, bounds, remarks; the series are (frames, coordinates).
export function coordinateRows(place, clip, onPick) {
  const { coordinates } = clip;
  return coordinates.names.map((name, k) => {
    const shown = make("output", {});
    const remark = coordinates.remarks[k];
    const title = make("h3", {}, name, ...(remark ? [make("small", {}, remark)] : []), shown);
    const chartPlace = make("div", { className: "chart" });
    const row = make("div", { className: "row" }, title, chartPlace);
    place.append(row);
    const item = { name, row, shown, k, move: null };
    whenSeen(row, () => {
      const masked = column(coordinates.valid, k).map((valid, i) => !valid || !clip.usable[i]);
      const values = column(coordinates.values, k);
      const deviation = coordinates.deviation && column(coordinates.deviation, k);
      const bounds = coordinates.bounds[k];
      const chart = drawCurve(chartPlace, { times: clip.times, values, deviation, masked, bounds, onPick });
      item.move = cursorOf(chart, clip.times);
      item.refresh?.();
    });
    return item;
  });
}

// Rounded first: toFixed writes -0.04 as -0.0.
const toTenths = (value) => (Math.round(value * 10) / 10).toFixed(1);

export function showAngles(clip, clock) {
  const { coordinates } = clip;
  const place = find("angles-list");
  const rows = coordinateRows(place, clip, (time) => {
    clock.stop();
    clock.goTo(nearestFrame(clip.times, time));
  });
  const update = (item) => {
    if (!item.move || item.row.hidden) return;
    const at = clock.frame * coordinates.values.width + item.k;
    const value = coordinates.values.values[at];
    const spread = coordinates.deviation?.values[at];
    const unit = coordinates.units[item.k];
    const band = Number.isFinite(spread) ? ` ± ${spread.toFixed(1)}` : "";
    item.shown.textContent = Number.isNaN(value) ? "no pose" : `${toTenths(value)}${band} ${unit}`;
    item.move(clip.times[clock.frame]);
  };
  for (const item of rows) item.refresh = () => update(item);
  clock.onFrame(() => rows.forEach(update));
  const search = find("search");
  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    let n = 0;
    for (const item of rows) {
      item.row.hidden = !words.every((word) => item.name.toLowerCase().includes(word));
      if (!item.row.hidden) n++;
      update(item);
    }
    find("found").textContent = `${n} of ${rows.length} coordinates`;
  };
  search.addEventListener("input", filter);
  filter();
}
