// Play, single steps, speed, and the scrubber with a mark at each flagged frame.
import { find, make } from "./dom.js";

const SPEEDS = [0.1, 0.25, 0.5, 1, 2, 4];

export function showTransport(clip, clock) {
  const scrubber = find("scrubber");
  scrubber.max = clip.nFrames - 1;
  scrubber.addEventListener("input", () => {
    clock.stop();
    clock.goTo(scrubber.valueAsNumber);
  });
  const play = find("play");
  play.addEventListener("click", () => clock.toggle());
  find("back").addEventListener("click", () => clock.step(-1));
  find("forward").addEventListener("click", () => clock.step(1));
  const speed = find("speed");
  speed.append(...SPEEDS.map((value) => make("option", { value, textContent: `${value}×`, selected: value === 1 })));
  speed.addEventListener("change", () => (clock.speed = Number(speed.value)));
  clock.changed = () => {
    play.textContent = clock.playing ? "❚❚" : "▶";
    play.title = clock.playing ? "stop (space)" : "play (space)";
  };
  clock.changed();

  const last = Math.max(clip.nFrames - 1, 1);
  for (const flag of clip.flags.filter((each) => each.bad)) {
    const mark = make("i", {});
    mark.style.left = `${(100 * flag.first) / last}%`;
    mark.style.width = `${(100 * (flag.last - flag.first)) / last}%`;
    find("marks").append(mark);
  }
  clock.onFrame((frame) => {
    scrubber.value = frame;
    const status = clip.statusWords[clip.statuses[frame]];
    find("now").textContent = `${clip.times[frame].toFixed(2)} s · sample ${clip.samples[frame]} · ${status}`;
  });
  document.addEventListener("keydown", (event) => {
    if (event.target.matches("input[type=search], select") || event.ctrlKey || event.metaKey || event.altKey) return;
    const act = {
      " ": () => clock.toggle(),
      ArrowLeft: () => clock.step(event.shiftKey ? -10 : -1),
      ArrowRight: () => clock.step(event.shiftKey ? 10 : 1),
      Home: () => clock.step(-Infinity),
      End: () => clock.step(Infinity),
    }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
}
