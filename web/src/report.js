// Scripts of the report and of the list of clips.
import { coordinateRows } from "./angles.js";
import { nearestFrame, openCoordinates } from "./clip.js";
import { make } from "./dom.js";
import { improveTables } from "./tables.js";

function showCurves(details) {
  details.addEventListener(
    "toggle",
    async () => {
      const data = JSON.parse(details.querySelector("script").textContent);
      const coordinates = await openCoordinates(data.coordinates);
      const open = data.page && ((time) => (location.href = `${data.page}#frame=${frameOf(data, time)}`));
      const search = make("input", { type: "search", placeholder: "search angles, as knee _l" });
      const place = make("div", { className: "rows" });
      details.append(search, place);
      const rows = coordinateRows(place, { ...data, coordinates }, open || undefined);
      search.addEventListener("input", () => {
        const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
        for (const { row, name } of rows) row.hidden = !words.every((word) => name.toLowerCase().includes(word));
      });
    },
    { once: true },
  );
}

// Frames in addresses are those that were solved.
const frameOf = (data, time) => nearestFrame(data.times, time) * data.stride;

improveTables();
document.querySelectorAll("details.curves").forEach(showCurves);
document.body.dataset.ready = "yes";
