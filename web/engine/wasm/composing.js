/** From a cut-out's PNG file to the pixels of a result: framed, with its shadow and its background. */
import { composed } from '../../core/compose.js';
import { CoreError } from '../../core/core.js';
import { decodePng } from '../../core/png.js';
import { asShown, decodeFile } from './picture-file.js';

/** @typedef {import('../../core/core.js').Core} Core */

/**
 * @typedef {object} Asked
 * @property {Blob} file the cut-out's PNG
 * @property {string} name for errors
 * @property {import('../../core/framing.js').Frame} frame
 * @property {import('../../core/background.js').Shadow | null} [shadow]
 * @property {[number, number, number] | {blur: number, file: Blob} | {picture: Blob, name: string} | null} background samples of a colour; the share
 *   of the diagonal and the photograph's file; a picture's file
 * @property {number} maxPixels of what is read besides
 */

/**
 * @param {Core} core @param {import('./picture-file.js').JpegDecoder} decoder @param {Asked} asked
 * @returns {Promise<{pixels: import('../../core/native-array.js').NativeArray, metadata: import('../../core/png.js').Metadata}>} the caller releases the pixels
 */
export async function composedFile(core, decoder, { file, name, frame, shadow = null, background, maxPixels }) {
  const { rgb, alpha, profile = null, exif = null, dpi = null } = await decodePng(core, new Uint8Array(await file.arrayBuffer()), { name });
  if (!alpha) throw new CoreError('failed', `${name} has no alpha`);
  const { height, width } = rgb;
  const data = rgb.data instanceof Uint16Array ? new Uint16Array(4 * height * width) : new Uint8Array(4 * height * width);
  for (let i = 0, from = 0, to = 0; to < data.length; i++, from += 3, to += 4) {
    data[to] = rgb.data[from];
    data[to + 1] = rgb.data[from + 1];
    data[to + 2] = rgb.data[from + 2];
    data[to + 3] = alpha.data[i];
  }
  const behind = await read(core, decoder, background, profile, { name, maxPixels });
  const rgba = core.array({ data, height, width, channels: 4 });
  try {
    return { pixels: composed(core, rgba, { frame, shadow, background: behind }), metadata: { profile, exif, dpi } };
  } finally {
    rgba.release();
  }
}

/**
 * @param {Core} core @param {import('./picture-file.js').JpegDecoder} decoder @param {Asked['background']} background
 * @param {Uint8Array | null} profile the cut-out's @param {{name: string, maxPixels: number}} how
 * @returns {Promise<import('../../core/compose.js').Background | null>}
 */
async function read(core, decoder, background, profile, { name, maxPixels }) {
  if (background === null) return null;
  if (Array.isArray(background)) return { color: background };
  if ('blur' in background) {
    const { rgb } = await decodeFile(core, decoder, background.file, { name, maxPixels });
    return { blur: background.blur, image: rgb };
  }
  const decoded = await decodeFile(core, decoder, background.picture, { name: background.name, maxPixels });
  const own = decoded.metadata.profile ?? null;
  const alike = own === profile || (own && profile && own.length === profile.length && own.every((byte, i) => byte === profile[i]));
  if (alike) return { picture: decoded.rgb };
  if (profile) throw new CoreError('invalid', `${background.name} has other colours than ${name}, which has a profile of its own: in the browser such backgrounds do not run yet; nssbg on your computer converts them`);
  return { picture: (await asShown(background.picture, { name: background.name, maxPixels })).rgb };
}

/** A copy in 8 bits, for showing. @param {Uint8Array | Uint16Array | Float32Array} samples */
export function inBytes(samples) {
  const bytes = new Uint8ClampedArray(samples.length);
  if (samples instanceof Uint16Array) for (let i = 0; i < bytes.length; i++) bytes[i] = samples[i] / 257;
  else bytes.set(samples);
  return bytes;
}
