// Tables that sort by a click on a column's head, and have a filter where they are long. Without the script they are
// whole tables all the same.
import { make } from "./dom.js";

const LONG = 12;

export function improveTables() {
  for (const table of document.querySelectorAll("table")) {
    const rows = [...table.tBodies[0].rows];
    if (rows.length < 2) continue;
    const view = { table, rows, words: [], limit: Number(table.dataset.shown) || Infinity };
    makeSortable(view);
    if (rows.length > LONG || rows.length > view.limit) addFilter(view);
    showRows(view);
  }
}

function makeSortable(view) {
  [...view.table.tHead.rows[0].cells].forEach((head, column) => {
    head.tabIndex = 0;
    head.title = "sort by this column";
    const sort = () => {
      const down = head.getAttribute("aria-sort") !== "descending";
      for (const each of view.table.tHead.rows[0].cells) each.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const keys = new Map(view.rows.map((row) => [row, keyOf(row.cells[column])]));
      view.rows.sort((a, b) => compare(keys.get(a), keys.get(b), down ? -1 : 1));
      view.table.tBodies[0].append(...view.rows);
      showRows(view);
    };
    head.addEventListener("click", sort);
    head.addEventListener("keydown", (event) => event.key === "Enter" && sort());
  });
}

function keyOf(cell) {
  const text = cell.textContent.trim();
  // "12.3 over limit" sorts as 12.3; "S001/C03" does not begin with a number, and sorts as text.
  const number = cell.classList.contains("number") ? Number.parseFloat(text) : NaN;
  return Number.isNaN(number) ? text : number;
}

function compare(a, b, direction) {
  // What has no number stands last, whichever way.
  if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
  return typeof a === "number" ? direction * (a - b) : direction * a.localeCompare(b, "en", { numeric: true });
}

function addFilter(view) {
  const input = make("input", { type: "search", placeholder: "filter rows" });
  input.setAttribute("aria-label", "filter rows");
  view.count = make("span", { className: "remark" });
  view.more = make("button", { type: "button", textContent: "show all" });
  view.more.addEventListener("click", () => {
    view.limit = Infinity;
    showRows(view);
  });
  input.addEventListener("input", () => {
    view.words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    showRows(view);
  });
  (view.table.closest(".scroll") ?? view.table).before(make("div", { className: "filter" }, input, view.count, view.more));
}

function showRows(view) {
  let found = 0;
  let shown = 0;
  for (const row of view.rows) {
    const text = view.words.length ? row.textContent.toLowerCase() : "";
    const fits = view.words.every((word) => text.includes(word));
    if (fits) found++;
    row.hidden = !fits || (!view.words.length && found > view.limit);
    if (!row.hidden) shown++;
  }
  if (!view.count) return;
  view.count.textContent = `${shown} of ${view.rows.length} rows`;
  view.more.hidden = shown === found;
}
