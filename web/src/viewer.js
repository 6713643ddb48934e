// The page of one clip. Its data stand in the page as JSON; nothing is fetched.
import { showAngles } from "./angles.js";
import { showCameras } from "./cameras.js";
import { Clock } from "./clock.js";
import { openClip } from "./clip.js";
import { find, make } from "./dom.js";
import { showFlags } from "./flags.js";
import { showMarkers } from "./markers.js";
import { showScene } from "./scene.js";
import { showTabs } from "./tabs.js";
import { showTransport } from "./transport.js";

async function main() {
  const clip = await openClip(JSON.parse(find("clip").textContent));
  const clock = new Clock(clip.times);
  for (const [name, value, verdict] of clip.facts) {
    find("facts").append(make("span", { className: verdict }, make("small", {}, name), value));
  }
  const scene = showScene(clip, clock);
  showCameras(clip, clock);
  showTransport(clip, clock);
  showAngles(clip, clock);
  showMarkers(clip, clock, scene);
  showFlags(clip, clock);
  showTabs(() => clock.listeners.forEach((listener) => listener(clock.frame)));
  // Frames in addresses are those that were solved: the report has them, too.
  const asked = /^#frame=(\d+)$/.exec(location.hash);
  clock.goTo(asked ? Number(asked[1]) / clip.stride : 0);
  // For measuring and for tests: the same clock that the scrubber moves.
  globalThis.moviPrepViewer = { clip, clock };
  document.body.dataset.ready = "yes";
}

main().catch((error) => {
  find("failure").textContent = `This page cannot be shown: ${error.message}. It needs WebGL and a browser of 2023 or later.`;
  find("failure").hidden = false;
  throw error;
});
