import { find } from "./dom.js";

export function showTabs(onChange) {
  const tabs = [...document.querySelectorAll("[role=tab]")];
  const open = (tab) => {
    for (const each of tabs) {
      each.setAttribute("aria-selected", each === tab);
      find(each.getAttribute("aria-controls")).hidden = each !== tab;
    }
    onChange();
  };
  for (const tab of tabs) tab.addEventListener("click", () => open(tab));
}
