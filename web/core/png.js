/**
 * PNG files: written by the core's encoder, read by the platform's inflate and the core's filters.
 *
 * Written here are the chunks before the pixels, as python/nssbg/_io/png_writer.py writes them. Read are all
 * kinds of PNG with their 16 bits, their profile and their EXIF, which a canvas would lose.
 */
import { CoreError } from './core.js';

/** @typedef {import('./core.js').Core} Core */
/** @typedef {import('./native-array.js').Pixels} Pixels */

/**
 * @typedef {object} Metadata
 * @property {Uint8Array | null} [profile] ICC; without one colours are marked as sRGB
 * @property {Uint8Array | null} [exif]
 * @property {[number, number] | null} [dpi] dots an inch, across and down
 */

/** @typedef {{rgb: Pixels, alpha: Pixels | null, gray: boolean} & Metadata} DecodedPng */

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const METRES_PER_INCH = 0.0254;
const CHANNELS = /** @type {Record<number, number>} */ ({ 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 });
const DEPTHS = /** @type {Record<number, number[]>} */ ({ 0: [1, 2, 4, 8, 16], 2: [8, 16], 3: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16] });
/** First column and row, and steps, of the passes of an interlaced picture. */
const ADAM7 = [[0, 0, 8, 8], [4, 0, 8, 8], [0, 4, 4, 8], [2, 0, 4, 4], [0, 2, 2, 4], [1, 0, 2, 2], [0, 1, 1, 2]];
const LARGEST_PROFILE = 16 << 20;

const CRC = Uint32Array.from({ length: 256 }, (_, n) => {
  let c = n;
  for (let k = 0; k < 8; k++) c = c & 1 ? 0xedb88320 ^ (c >>> 1) : c >>> 1;
  return c;
});

/** @param {Uint8Array} data @param {number} [before] of what stands before it */
export function crc32(data, before = 0) {
  let crc = before ^ 0xffffffff;
  for (const byte of data) crc = CRC[(crc ^ byte) & 255] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** @param {Uint8Array[]} parts */
function joined(parts) {
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** @param {string} kind @param {Uint8Array} body */
function chunk(kind, body) {
  const all = new Uint8Array(12 + body.length);
  const view = new DataView(all.buffer);
  view.setUint32(0, body.length);
  all.set(new TextEncoder().encode(kind), 4);
  all.set(body, 8);
  view.setUint32(8 + body.length, crc32(all.subarray(4, 8 + body.length)));
  return all;
}

/** @param {Uint8Array} data @param {'deflate'} format @returns {Promise<Uint8Array>} */
async function deflated(data, format) {
  const stream = new Blob([/** @type {BlobPart} */ (data)]).stream().pipeThrough(new CompressionStream(format));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/**
 * A zlib stream in parts; at most `most` bytes of what is in it.
 * @param {Uint8Array[]} parts @param {number} most @returns {Promise<Uint8Array>}
 */
async function inflated(parts, most) {
  const reader = new Blob(/** @type {BlobPart[]} */ (parts)).stream().pipeThrough(new DecompressionStream('deflate')).getReader();
  const found = [];
  let length = 0;
  while (length < most) {
    const { done, value } = await reader.read();
    if (done) break;
    found.push(value);
    length += value.length;
  }
  // Whatever follows belongs to no pixel; an error in it is no concern.
  reader.cancel().catch(() => {});
  return joined(found).subarray(0, most);
}

/**
 * @param {Core} core
 * @param {import('./core.js').Input} pixels 1, 3 or 4 channels, uint8 or uint16
 * @param {Metadata & {compression?: 'fast' | 'default' | 'best'}} [how]
 * @returns {Promise<Uint8Array>} the file
 */
export async function encodePng(core, pixels, { profile = null, exif = null, dpi = null, compression = 'default' } = {}) {
  const chunks = [];
  if (profile !== null) {
    chunks.push(chunk('iCCP', joined([new TextEncoder().encode('ICC profile\0\0'), await deflated(profile, 'deflate')])));
  } else if ((pixels.channels ?? 1) > 1) {
    chunks.push(chunk('sRGB', Uint8Array.of(0))); // perceptual intent
  }
  if (dpi !== null) {
    const body = new DataView(new ArrayBuffer(9));
    for (const [i, part] of dpi.entries()) body.setUint32(4 * i, Math.min(0x7fffffff, Math.max(1, Math.round(part / METRES_PER_INCH))));
    body.setUint8(8, 1);
    chunks.push(chunk('pHYs', new Uint8Array(body.buffer)));
  }
  if (exif !== null && exif.length > 0) chunks.push(chunk('eXIf', exif));
  return core.pngEncode(pixels, { compression, chunks: joined(chunks) });
}

/** @param {Uint8Array} data whether these are the bytes of a PNG file */
export const isPng = (data) => SIGNATURE.every((byte, i) => data[i] === byte);

/**
 * @param {Core} core
 * @param {Uint8Array} data the file
 * @param {{name?: string, maxPixels?: number}} [how] the name is for errors
 * @returns {Promise<DecodedPng>} in the file's depth: 16 bits stay 16 bits
 */
export async function decodePng(core, data, { name = 'the PNG file', maxPixels = 300e6 } = {}) {
  /** @param {string} what @returns {never} */
  const fail = (what) => {
    throw new CoreError('invalid', `cannot read ${name}: ${what}`);
  };
  if (!isPng(data)) fail('it is no PNG file');
  const { found, pixels } = chunksOf(data, fail);
  const header = found.get('IHDR');
  if (!header || header.length !== 13) fail('its PNG header makes no sense');
  const view = new DataView(header.buffer, header.byteOffset);
  const [width, height] = [view.getUint32(0), view.getUint32(4)];
  const [depth, colorType, , , interlaced] = header.subarray(8);
  if (!DEPTHS[colorType]?.includes(depth) || interlaced > 1 || width === 0 || height === 0) fail('its PNG header makes no sense');
  if (width * height > maxPixels) fail(`it has ${width} x ${height} pixels, more than ${maxPixels} (maxPixels)`);
  const channels = CHANNELS[colorType];
  const samples = await samplesOf(core, pixels, { width, height, depth, channels, interlaced: interlaced === 1 }, fail);
  const { rgb, alpha } = coloursOf(samples, { width, height, depth, colorType, channels }, found, fail);
  const at = (/** @type {Pixels['data']} */ plane, /** @type {number} */ count) => ({ data: plane, height, width, channels: count });
  const gray = colorType === 0 || colorType === 4;
  return { rgb: at(rgb, 3), alpha: alpha && at(alpha, 1), gray, profile: gray ? null : await profileOf(found), exif: found.get('eXIf') ?? null, dpi: dpiOf(found) };
}

/** @param {Uint8Array} data @param {(what: string) => never} fail */
function chunksOf(data, fail) {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  /** @type {Map<string, Uint8Array>} */
  const found = new Map();
  const pixels = [];
  for (let at = 8; ; ) {
    if (at + 12 > data.length) fail('the PNG file is cut short');
    const length = view.getUint32(at);
    const end = at + 12 + length;
    if (end > data.length) fail('the PNG file is cut short');
    const kind = String.fromCharCode(...data.subarray(at + 4, at + 8));
    const body = data.subarray(at + 8, end - 4);
    if (crc32(data.subarray(at + 4, end - 4)) !== view.getUint32(end - 4)) {
      // A lower-case first letter: the picture can be shown without the chunk.
      if (!(data[at + 4] & 0x20)) fail('a checksum in the PNG file is wrong');
    } else if (kind === 'IEND') {
      return { found, pixels };
    } else if (kind === 'IDAT') {
      pixels.push(body);
    } else if (!found.has(kind)) {
      found.set(kind, body);
    }
    at = end;
  }
}

/**
 * The samples as the file has them, one element each: height x width x channels.
 * @param {Core} core
 * @param {Uint8Array[]} parts
 * @param {{width: number, height: number, depth: number, channels: number, interlaced: boolean}} form
 * @param {(what: string) => never} fail
 */
async function samplesOf(core, parts, { width, height, depth, channels, interlaced }, fail) {
  const passes = (interlaced ? ADAM7 : [[0, 0, 1, 1]])
    .filter(([x, y]) => x < width && y < height)
    .map(([x, y, stepX, stepY]) => ({ x, y, stepX, stepY, rows: Math.ceil((height - y) / stepY), columns: Math.ceil((width - x) / stepX) }));
  const bytesOf = (/** @type {number} */ columns) => Math.ceil((columns * channels * depth) / 8);
  const length = passes.reduce((sum, { rows, columns }) => sum + rows * (1 + bytesOf(columns)), 0);
  const raw = await inflated(parts, length).catch(() => fail('its pixels are damaged'));
  if (raw.length < length) fail('the PNG file is cut short');
  const samples = depth === 16 ? new Uint16Array(width * height * channels) : new Uint8Array(width * height * channels);
  const pixelBytes = Math.max(1, (channels * depth) / 8);
  let begin = 0;
  for (const { x, y, stepX, stepY, rows, columns } of passes) {
    const rowBytes = bytesOf(columns);
    const end = begin + rows * (1 + rowBytes);
    const plain = core.pngUnfilter(raw.subarray(begin, end), { height: rows, rowBytes, pixelBytes });
    begin = end;
    for (let row = 0; row < rows; row++) {
      const line = unpacked(plain.subarray(row * rowBytes, (row + 1) * rowBytes), depth, columns * channels);
      const to = ((y + row * stepY) * width + x) * channels;
      if (stepX === 1) samples.set(line, to);
      else for (let i = 0; i < columns; i++) for (let c = 0; c < channels; c++) samples[to + i * stepX * channels + c] = line[i * channels + c];
    }
  }
  return samples;
}

/** One element a sample. @param {Uint8Array} row @param {number} depth @param {number} count */
function unpacked(row, depth, count) {
  if (depth === 8) return row;
  if (depth === 16) return Uint16Array.from({ length: count }, (_, i) => (row[2 * i] << 8) | row[2 * i + 1]);
  const mask = (1 << depth) - 1;
  return Uint8Array.from({ length: count }, (_, i) => (row[(i * depth) >> 3] >> (8 - depth - ((i * depth) & 7))) & mask);
}

/**
 * Red, green and blue, and the alpha where there is one.
 * @param {Uint8Array | Uint16Array} samples
 * @param {{width: number, height: number, depth: number, colorType: number, channels: number}} form
 * @param {Map<string, Uint8Array>} found
 * @param {(what: string) => never} fail
 */
function coloursOf(samples, { width, height, depth, colorType, channels }, found, fail) {
  const count = width * height;
  const Plane = depth === 16 ? Uint16Array : Uint8Array;
  const full = depth === 16 ? 65535 : 255;
  const rgb = new Plane(3 * count);
  const transparent = found.get('tRNS');
  const alpha = channels % 2 === 0 || transparent ? new Plane(count).fill(full) : null;
  if (colorType === 3) {
    const palette = found.get('PLTE') ?? fail('its palette is missing');
    for (let i = 0; i < count; i++) {
      const index = samples[i];
      if (3 * index + 2 >= palette.length) fail('a pixel has a colour that its palette lacks');
      rgb.set(palette.subarray(3 * index, 3 * index + 3), 3 * i);
      if (alpha) alpha[i] = transparent?.[index] ?? 255;
    }
    return { rgb, alpha };
  }
  const stretch = depth < 8 ? 255 / ((1 << depth) - 1) : 1;
  const colours = channels < 3 ? 1 : 3;
  for (let i = 0; i < count; i++) {
    for (let c = 0; c < 3; c++) rgb[3 * i + c] = samples[i * channels + (colours === 3 ? c : 0)] * stretch;
    if (alpha && channels % 2 === 0) alpha[i] = samples[i * channels + colours];
  }
  if (alpha && transparent && channels % 2 === 1 && transparent.length >= 2 * colours) {
    // One colour, in the file's own depth, is transparent.
    const keys = Array.from({ length: colours }, (_, c) => (transparent[2 * c] << 8) | transparent[2 * c + 1]);
    for (let i = 0; i < count; i++) if (keys.every((key, c) => samples[i * channels + c] === key)) alpha[i] = 0;
  }
  return { rgb, alpha };
}

/** @param {Map<string, Uint8Array>} found @returns {Promise<Uint8Array | null>} */
async function profileOf(found) {
  const body = found.get('iCCP');
  const begin = body ? body.indexOf(0) : -1;
  if (!body || begin < 0) return null;
  // A profile that cannot be read is none: the pixels can be.
  const profile = await inflated([body.subarray(begin + 2)], LARGEST_PROFILE).catch(() => new Uint8Array(0));
  return profile.length > 0 && profile.length < LARGEST_PROFILE ? profile : null;
}

/** @param {Map<string, Uint8Array>} found @returns {[number, number] | null} */
function dpiOf(found) {
  const body = found.get('pHYs');
  if (!body || body.length !== 9 || body[8] !== 1) return null;
  const view = new DataView(body.buffer, body.byteOffset);
  return [view.getUint32(0) * METRES_PER_INCH, view.getUint32(4) * METRES_PER_INCH];
}
