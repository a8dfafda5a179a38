/**
 * A file as pixels: upright, with its profile and its EXIF, in the file's own depth.
 *
 * JPEG by libjpeg in WebAssembly and PNG by the core, so that pixels are those that nssbg has natively; other formats
 * by the browser's decoder where it has one, which turns colours to sRGB and has 8 bits.
 */
import { CoreError } from '../../core/core.js';
import { placeOf } from '../../core/place.js';
import { decodePng, isPng } from '../../core/png.js';
import { withoutOrientation } from './exif.js';
import { isJpeg, jpegHeader } from './jpeg-header.js';

/** @typedef {import('../../core/core.js').Core} Core */
/** @typedef {import('../../core/native-array.js').Pixels} Pixels */

/**
 * @typedef {object} DecodedFile
 * @property {Pixels} rgb upright, H x W x 3
 * @property {Pixels | null} alpha H x W
 * @property {import('../../core/png.js').Metadata} metadata
 * @property {string[]} notes
 */

/** Pixels from which on the decoder's memory, which never shrinks, is given back with its module. */
const LARGE = 8e6;

/** libjpeg-turbo with mozjpeg, as @jsquash/jpeg packs it. */
export class JpegDecoder {
  /** @param {string | import('../../core/place.js').Place} folder of its files */
  constructor(folder) {
    this.place = placeOf(folder);
    /** @type {any} */
    this.module = null;
  }

  /** @param {Uint8Array} data @param {number} pixels @returns {Promise<{data: Uint8ClampedArray, width: number, height: number}>} */
  async decode(data, pixels) {
    if (!this.module) {
      const { place } = this;
      const { default: instantiate } = await import(place.address('mozjpeg_dec.js'));
      this.module = await instantiate({ noInitialRun: true, locateFile: place.address, wasmBinary: place.bytes('mozjpeg_dec.wasm') });
    }
    try {
      return this.module.decode(data, false);
    } catch (error) {
      this.module = null; // what it was doing is left half done in there
      throw error;
    } finally {
      if (pixels > LARGE) this.module = null;
    }
  }
}

/**
 * @param {Core} core
 * @param {JpegDecoder} decoder
 * @param {Blob | ImageData} file
 * @param {{name: string, maxPixels: number}} how the name is for errors
 * @returns {Promise<DecodedFile>}
 */
export async function decodeFile(core, decoder, file, { name, maxPixels }) {
  const { fail, bounded } = complaints(name, maxPixels);
  if (!(file instanceof Blob)) {
    bounded(file.width, file.height);
    if (file.colorSpace !== 'srgb') fail(`its colours are ${file.colorSpace}; pixels are taken as sRGB`);
    return ofPixels(file, []);
  }
  const data = await file.arrayBuffer().then((buffer) => new Uint8Array(buffer), () => fail('the file cannot be opened any more; was it moved or changed?'));
  if (data.length === 0) fail('the file is empty');
  if (isPng(data)) {
    const size = new DataView(data.buffer);
    if (data.length >= 24) bounded(size.getUint32(16), size.getUint32(20));
    const { rgb, alpha, profile = null, exif = null, dpi = null } = await decodePng(core, data, { name, maxPixels });
    return upright(core, { rgb, alpha, exif, profile, dpi, notes: [] });
  }
  if (isJpeg(data)) {
    const header = jpegHeader(data) ?? fail('it is no whole JPEG file');
    const { width, height, components, bits } = header;
    bounded(width, height);
    if (bits !== 8) fail(`it has ${bits} bits a sample, which does not run in the browser; nssbg on your computer reads it`);
    if (components === 4) fail('its colours are CMYK, which does not run in the browser; nssbg on your computer reads it');
    if (!header.whole) fail('the JPEG file is cut short');
    const made = await decoder.decode(data, width * height).catch((error) => fail(`the JPEG file is damaged (${error instanceof Error ? error.message : 'its decoder gave up'})`));
    if (!made || made.width !== width || made.height !== height) fail('the JPEG file is damaged');
    return upright(core, { rgb: withoutFourth(made), alpha: null, exif: header.exif, profile: header.profile, dpi: header.dpi, notes: [] });
  }
  return byPlatform(file, fail, bounded);
}

/** How a file that cannot be read is refused. @param {string} name @param {number} maxPixels */
function complaints(name, maxPixels) {
  /** @type {(what: string) => never} */
  const fail = (what) => {
    throw new CoreError('invalid', `cannot read ${name}: ${what}`);
  };
  /** @param {number} width @param {number} height */
  const bounded = (width, height) => {
    if (width * height > maxPixels) fail(`it has ${width} x ${height} pixels; in the browser pictures of up to ${Math.floor(maxPixels / 1e6)} megapixels are cut out, larger ones by nssbg on your computer`);
  };
  return { fail, bounded };
}

/** A file as the browser shows it, its colours as sRGB in 8 bits. @param {Blob} file @param {{name: string, maxPixels: number}} how @returns {Promise<DecodedFile>} */
export function asShown(file, { name, maxPixels }) {
  const { fail, bounded } = complaints(name, maxPixels);
  return byPlatform(file, fail, bounded);
}

/** @param {{data: Uint8ClampedArray, width: number, height: number}} rgba @returns {Pixels} */
function withoutFourth({ data, width, height }) {
  const rgb = new Uint8Array(3 * width * height);
  for (let from = 0, to = 0; to < rgb.length; from += 4, to += 3) {
    rgb[to] = data[from];
    rgb[to + 1] = data[from + 1];
    rgb[to + 2] = data[from + 2];
  }
  return { data: rgb, height, width, channels: 3 };
}

/**
 * @param {Core} core
 * @param {{rgb: Pixels, alpha: Pixels | null, notes: string[]} & import('../../core/png.js').Metadata} read
 * @returns {DecodedFile}
 */
function upright(core, { rgb, alpha, exif: block = null, profile, dpi, notes }) {
  const { exif, orientation } = withoutOrientation(block);
  /** @param {Pixels} pixels @returns {Pixels} */
  const turned = (pixels) => {
    if (orientation === 1) return pixels;
    const made = core.orient(pixels, orientation);
    try {
      return { data: made.copy(), height: made.height, width: made.width, channels: made.channels };
    } finally {
      made.release();
    }
  };
  if (orientation !== 1) notes.push(`turned upright (EXIF orientation ${orientation})`);
  // One for grey or for print does not fit the colours that a cut-out has.
  const fits = profile && profile.length > 20 && String.fromCharCode(...profile.subarray(16, 20)) === 'RGB ';
  return { rgb: turned(rgb), alpha: alpha && turned(alpha), metadata: { profile: fits ? profile : null, exif, dpi }, notes };
}

/** @param {Blob} file @param {(what: string) => never} fail @param {(width: number, height: number) => void} bounded @returns {Promise<DecodedFile>} */
async function byPlatform(file, fail, bounded) {
  const image = await createImageBitmap(file, { premultiplyAlpha: 'none' }).catch(() => fail('this browser has no decoder for it, or it is damaged; JPEG and PNG are read everywhere'));
  try {
    const { width, height } = image;
    bounded(width, height);
    const canvas = new OffscreenCanvas(width, height);
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext('2d', { willReadFrequently: true, colorSpace: 'srgb' }));
    context.drawImage(image, 0, 0);
    return ofPixels(context.getImageData(0, 0, width, height), ['read by the browser: colours as sRGB in 8 bits, without the file’s profile and EXIF']);
  } finally {
    image.close();
  }
}

/** @param {ImageData} shown @param {string[]} notes @returns {DecodedFile} */
function ofPixels(shown, notes) {
  const { height, width } = shown;
  const alpha = new Uint8Array(width * height);
  let opaque = true;
  for (let i = 0; i < alpha.length; i++) {
    alpha[i] = shown.data[4 * i + 3];
    if (alpha[i] !== 255) opaque = false;
  }
  return {
    rgb: withoutFourth(shown),
    alpha: opaque ? null : { data: alpha, height, width, channels: 1 },
    metadata: { profile: null, exif: null, dpi: null },
    notes,
  };
}
