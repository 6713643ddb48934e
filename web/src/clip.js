// What a page shows of a clip, unpacked; frames are those of the page, which may be fewer than were solved.
import { unpackFlags, unpackSeries } from "./unpack.js";

export async function openClip(data) {
  const [points, model, miss, pelvis, coordinates, cameras] = await Promise.all([
    unpackSeries(data.skeleton.points),
    unpackSeries(data.markers.model),
    unpackSeries(data.markers.miss),
    unpackSeries(data.pelvis),
    openCoordinates(data.coordinates),
    Promise.all(data.cameras.map(openCamera)),
  ]);
  return { ...data, nFrames: data.times.length, points, model, miss, pelvis, coordinates, cameras };
}

export async function openCoordinates(packed) {
  const [values, deviation, valid] = await Promise.all([
    unpackSeries(packed.values),
    packed.deviation && unpackSeries(packed.deviation),
    unpackFlags(packed.valid),
  ]);
  return { ...packed, values, deviation, valid };
}

async function openCamera(packed) {
  const [points, markers] = await Promise.all([unpackSeries(packed.points), unpackSeries(packed.markers)]);
  return { ...packed, points, markers };
}

// Distance between model and data of a marker in a frame, millimetres; NaN where it was not seen.
export function residual(clip, frame, marker) {
  const at = 3 * (frame * clip.markers.names.length + marker);
  const [x, y, z] = clip.miss.values.subarray(at, at + 3);
  return 1000 * Math.hypot(x, y, z);
}

// The frame whose time is nearest to `time`, seconds.
export function nearestFrame(times, time) {
  let low = 0;
  let high = times.length - 1;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (times[middle] <= time) low = middle;
    else high = middle;
  }
  return time - times[low] <= times[high] - time ? low : high;
}
