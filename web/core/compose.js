/**
 * What a result looks like: a cut-out framed, its shadow under it, a background behind it. Steps run in the order of
 * Python's `Output`; what each does is the core's own.
 */
import { blurredBackground, resampleToFit, shadowLayer, shadowRoom } from './background.js';
import { CoreError } from './core.js';
import { draw, framed, padded, placedTogether, trimBox } from './framing.js';

/** @typedef {import('./native-array.js').NativeArray} NativeArray */
/** @typedef {import('./native-array.js').Pixels} Pixels */

/**
 * @typedef {object} Look
 * @property {import('./framing.js').Frame} [frame]
 * @property {import('./background.js').Shadow | null} [shadow]
 * @property {Background | null} [background] null: transparent
 */
/**
 * Samples of 0 to 255 in the cut-out's own encoding; a picture, in that encoding too; the photograph's own background out of focus, by the
 * radius of its largest circle of confusion as a share of the diagonal.
 * @typedef {{color: [number, number, number]} | {picture: Pixels, fit?: 'cover' | 'contain'} | {blur: number, image: Pixels}} Background
 */

/**
 * @param {import('./core.js').Core} core
 * @param {NativeArray} rgba H x W x 4, straight; stays as it is, and the caller's
 * @param {Look} look
 * @returns {NativeArray} a new one: H' x W' x 4, or x 3 with a background
 */
export function composed(core, rgba, { frame = {}, shadow = null, background = null }) {
  /** @type {Set<NativeArray>} */
  const held = new Set();
  const hold = (/** @type {NativeArray} */ array) => {
    held.add(array);
    return array;
  };
  try {
    const { trim = false, canvas = null, padding = 0, longestSide = null } = frame;
    if (background && 'blur' in background && (trim || canvas || padding !== 0)) {
      throw new CoreError('invalid', 'a blurred background keeps the photograph’s frame: it does not go together with trim, canvas or padding');
    }
    /** @type {NativeArray} */
    let pixels;
    /** @type {NativeArray | null} */
    let layer = null;
    const box = shadow && trim && !canvas ? trimBox(rgba) : null;
    if (shadow && box && box.bottom > 0) {
      // The shadow keeps its room, but where the photograph's edge cuts the subject.
      const whole = { height: box.bottom - box.top, width: box.right - box.left };
      const subject = hold(draw(rgba.part(box), { scale: 1, top: 0, left: 0, drawn: { top: 0, left: 0, bottom: whole.height, right: whole.width } }, whole));
      const roomy = hold(padded(subject, shadowRoom(core, box, rgba, shadow)));
      [pixels, layer] = placedTogether(roomy, hold(shadowLayer(roomy, shadow)), { padding, longestSide }).map(hold);
    } else pixels = hold(framed(rgba, frame));
    if (shadow) pixels = hold(core.overLayer(pixels, layer ?? hold(shadowLayer(pixels, shadow))));
    if (background) {
      const { height, width } = pixels;
      if ('color' in background) pixels = hold(core.overImage(pixels, rowOf(background.color, pixels)));
      else {
        const image = hold(core.array(inDepth('picture' in background ? background.picture : background.image, rgba.dtype)));
        const behind = 'picture' in background ? image : hold(blurredBackground(image, rgba, background.blur));
        const fit = ('picture' in background && background.fit) || 'cover';
        const sized = behind.height === height && behind.width === width ? behind : hold(resampleToFit(core, behind, fit, height, width));
        pixels = hold(core.overImage(pixels, sized));
      }
    }
    held.delete(pixels);
    return pixels;
  } finally {
    for (const array of held) array.release();
  }
}

/** One row of a colour, which counts for all. @param {[number, number, number]} color @param {NativeArray} like @returns {Pixels} */
function rowOf(color, { dtype, width }) {
  const deep = dtype === 'uint16';
  const data = (deep ? new Uint16Array(3 * width) : new Uint8Array(3 * width)).map((_, i) => color[i % 3] * (deep ? 257 : 1));
  return { data, height: 1, width, channels: 3 };
}

/** In a cut-out's depth: times 257, or to the nearest. @param {Pixels} pixels @param {string} dtype @returns {Pixels} */
function inDepth(pixels, dtype) {
  const { data } = pixels;
  if (dtype === 'uint16' && !(data instanceof Uint16Array)) return { ...pixels, data: Uint16Array.from(data, (value) => value * 257) };
  if (dtype === 'uint8' && data instanceof Uint16Array) return { ...pixels, data: Uint8Array.from(data, (value) => (value * 255 + 32895) >>> 16) };
  return pixels;
}
