/** What stands before the pixels of a JPEG file: size, components, EXIF, profile, density. */

/**
 * @typedef {object} JpegHeader
 * @property {number} width as it lies in the file
 * @property {number} height
 * @property {number} components 1: grey, 3: colours, 4: for print
 * @property {number} bits a sample
 * @property {Uint8Array | null} exif
 * @property {Uint8Array | null} profile
 * @property {[number, number] | null} dpi
 * @property {boolean} whole whether the file has its end
 */

const CENTIMETRES_PER_INCH = 2.54;
/** @param {Uint8Array} body @param {string} text */
const begins = (body, text) => [...text].every((letter, i) => body[i] === letter.charCodeAt(0));

/** @param {Uint8Array} data */
export const isJpeg = (data) => data[0] === 0xff && data[1] === 0xd8 && data[2] === 0xff;

/**
 * @param {Uint8Array} data the file
 * @returns {JpegHeader | null} null: there is no picture in it
 */
export function jpegHeader(data) {
  const view = new DataView(data.buffer, data.byteOffset, data.length);
  /** @type {{width: number, height: number, components: number, bits: number} | null} */
  let frame = null;
  /** @type {Uint8Array | null} */
  let exif = null;
  /** @type {[number, number] | null} */
  let dpi = null;
  /** @type {Uint8Array[]} */
  const pieces = [];
  for (let at = 2; at + 4 <= data.length; ) {
    if (data[at] !== 0xff) return null;
    const marker = data[at + 1];
    if (marker === 0xff) {
      at += 1; // a fill byte
      continue;
    }
    if (marker === 0xd9) return null;
    const length = view.getUint16(at + 2);
    if (length < 2 || at + 2 + length > data.length) return null;
    const body = data.subarray(at + 4, at + 2 + length);
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)) {
      if (body.length < 6) return null;
      frame ??= { bits: body[0], height: (body[1] << 8) | body[2], width: (body[3] << 8) | body[4], components: body[5] };
    } else if (marker === 0xe0 && begins(body, 'JFIF\0') && body.length >= 12) {
      const unit = { 1: 1, 2: CENTIMETRES_PER_INCH }[body[7]];
      const [x, y] = [(body[8] << 8) | body[9], (body[10] << 8) | body[11]];
      if (unit && x && y) dpi = [x * unit, y * unit];
    } else if (marker === 0xe1 && begins(body, 'Exif\0\0')) {
      exif ??= body;
    } else if (marker === 0xe2 && begins(body, 'ICC_PROFILE\0') && body.length > 14) {
      pieces[body[12] - 1] = body.subarray(14);
    } else if (marker === 0xda) {
      return frame && { ...frame, exif, dpi, profile: joined(pieces), whole: hasEnd(data, at) };
    }
    at += 2 + length;
  }
  return null;
}

/** A profile comes in numbered pieces; one that lacks a piece is none. @param {Uint8Array[]} pieces */
function joined(pieces) {
  if (!pieces.length || Array.from(pieces).some((piece) => !piece)) return null;
  const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

/** Whether the mark of the end comes after the first scan: entropy-coded data cannot hold it. @param {Uint8Array} data @param {number} scan */
function hasEnd(data, scan) {
  for (let at = data.length - 2; at > scan; at--) if (data[at] === 0xff && data[at + 1] === 0xd9) return true;
  return false;
}
