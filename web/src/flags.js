// What a person should look at in this clip: a click goes to the worst frame of each.
import { find, make } from "./dom.js";

export function showFlags(clip, clock) {
  const list = find("flags-list");
  find("n-flags").textContent = clip.nFlags;
  if (!clip.flags.length) list.append(make("p", { className: "remark" }, "No frame is flagged."));
  const items = clip.flags.map((flag) => {
    const when =
      flag.first === flag.last
        ? `${clip.times[flag.first].toFixed(2)} s`
        : `${clip.times[flag.first].toFixed(2)} to ${clip.times[flag.last].toFixed(2)} s`;
    const go = () => {
      clock.stop();
      clock.goTo(flag.worst);
    };
    const badge = make("span", { className: `badge ${flag.bad ? "bad" : "check"}` }, flag.bad ? "problem" : "check");
    const button = make("button", { className: "flag", onclick: go }, badge, make("b", {}, when), ` ${flag.text}`);
    list.append(button);
    return { flag, button };
  });
  if (clip.nFlags > clip.flags.length) {
    list.append(make("p", { className: "remark" }, `${clip.nFlags - clip.flags.length} more are not listed.`));
  }
  clock.onFrame((frame) => {
    for (const { flag, button } of items) {
      button.classList.toggle("chosen", flag.first <= frame && frame <= flag.last);
    }
  });
  for (const text of clip.notes) find("notes").append(make("li", {}, text));
  find("notes").hidden = clip.notes.length === 0;
}
