// Arrays as offloadasp/report/pack.py packs them.

const ARRAY_TYPES = { u1: Uint8Array, u2: Uint16Array, u4: Uint32Array, f8: Float64Array };

/** Decompress base64 text; format is "deflate" or "gzip". Returns an ArrayBuffer. */
async function inflate(text, format) {
  const bytes = Uint8Array.from(atob(text.trim()), (letter) => letter.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream(format));
  return new Response(stream).arrayBuffer();
}

/** Return an object of typed arrays by name. */
async function unpack(packed) {
  const buffer = await inflate(packed.bytes, "deflate");
  const arrays = {};
  let offset = 0;
  for (const [name, type, length] of packed.layout) {
    arrays[name] = new ARRAY_TYPES[type](buffer, offset, length);
    offset += arrays[name].byteLength;
  }
  return arrays;
}
