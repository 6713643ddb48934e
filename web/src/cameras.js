// Pictures of each camera in step with the model, with joints and markers drawn where the lens shows them.
import { find, make } from "./dom.js";
import { bytesOf } from "./unpack.js";

const KEPT = 160; // decoded pictures per camera

export function showCameras(clip, clock) {
  for (const camera of clip.cameras) {
    const canvas = make("canvas", { width: camera.size[0], height: camera.size[1] });
    const says = make("figcaption", {});
    find("cameras").append(make("figure", {}, canvas, says));
    const pictures = new Pictures(camera);
    pictures.prefetch();
    clock.onFrame((frame) => {
      const index = lastUpTo(camera.frames, frame);
      says.textContent = `${camera.name} · video frame ${camera.videoFrames[index]}`;
      pictures.show(index, (image) => {
        const context = canvas.getContext("2d");
        context.drawImage(image, 0, 0, canvas.width, canvas.height);
        if (find("overlay").checked) drawSkeleton(context, clip, camera, index);
      });
    });
  }
  // Under the model, so that nobody looks for pictures in vain.
  for (const text of clip.notShown) find("not-shown").append(make("p", {}, text));
  find("overlay").addEventListener("change", () => clock.listeners.forEach((listener) => listener(clock.frame)));
  find("overlay").parentElement.hidden = clip.cameras.length === 0;
}

class Pictures {
  constructor(camera) {
    this.bytes = bytesOf(camera.bytes);
    this.ends = camera.ends;
    this.decoded = new Map();
  }

  // Draws picture `index`; one that comes late, when another is wanted already, is not drawn.
  async show(index, draw) {
    this.wanted = index;
    const image = this.decoded.get(index) ?? (await this.decode(index));
    if (this.wanted === index) draw(image);
    for (const next of [index + 1, index + 2, index - 1]) {
      if (next >= 0 && next < this.ends.length && !this.decoded.has(next)) this.decode(next);
    }
  }

  // Decodes pictures while nothing else is to be done, so that the first scrub finds them.
  prefetch(index = 0) {
    if (index >= Math.min(KEPT, this.ends.length)) return;
    const next = async () => {
      if (!this.decoded.has(index)) await this.decode(index);
      this.prefetch(index + 1);
    };
    (globalThis.requestIdleCallback ?? setTimeout)(next);
  }

  async decode(index) {
    const start = index ? this.ends[index - 1] : 0;
    const image = await createImageBitmap(new Blob([this.bytes.subarray(start, this.ends[index])]));
    this.decoded.set(index, image);
    if (this.decoded.size > KEPT) {
      const [oldest] = this.decoded.keys();
      if (oldest !== this.wanted) this.decoded.delete(oldest);
    }
    return image;
  }
}

function drawSkeleton(context, clip, camera, index) {
  const nPoints = clip.skeleton.names.length;
  const points = camera.points.values.subarray(2 * index * nPoints, 2 * (index + 1) * nPoints);
  context.lineWidth = 1.6;
  context.strokeStyle = "rgba(255,255,255,0.75)";
  context.beginPath();
  for (const [start, end] of clip.skeleton.bones) {
    context.moveTo(points[2 * start], points[2 * start + 1]);
    context.lineTo(points[2 * end], points[2 * end + 1]);
  }
  context.stroke();
  dots(context, points, "#28a0ff", 2.2);
  const nMarkers = clip.markers.names.length;
  dots(context, camera.markers.values.subarray(2 * index * nMarkers, 2 * (index + 1) * nMarkers), "#ffeb3c", 1.5);
}

function dots(context, points, colour, radius) {
  context.fillStyle = colour;
  for (let k = 0; k < points.length; k += 2) {
    if (Number.isNaN(points[k])) continue;
    context.beginPath();
    context.arc(points[k], points[k + 1], radius, 0, 2 * Math.PI);
    context.fill();
  }
}

function lastUpTo(frames, frame) {
  let index = 0;
  while (index < frames.length - 1 && frames[index + 1] <= frame) index++;
  return index;
}
