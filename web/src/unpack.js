// Arrays of a page: quantised to 16 bits, differences along time, low bytes before high bytes, deflated, base64.
// The other side is movi_prep/pages/packing.py.

const MISSING = -32768;

export function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

async function inflate(base64) {
  const stream = new Blob([bytesOf(base64)]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Returns {length, width, values}: value k of frame i stands at values[i * width + k]; missing ones are NaN.
export async function unpackSeries(packed) {
  const { length, width, step, middle } = packed;
  const bytes = await inflate(packed.data);
  const values = new Float32Array(length * width);
  const count = length * width;
  for (let column = 0; column < width; column++) {
    let whole = 0;
    for (let row = 0; row < length; row++) {
      const at = column * length + row;
      // Differences wrap around like the 16 bit numbers that they are of.
      whole = ((whole + bytes[at] + (bytes[count + at] << 8)) << 16) >> 16;
      values[row * width + column] = whole === MISSING ? NaN : middle + whole * step;
    }
  }
  return { length, width, values };
}

// Returns flags of (length, width) as bytes, frame by frame.
export async function unpackFlags(packed) {
  return { length: packed.length, width: packed.width, values: await inflate(packed.data) };
}
