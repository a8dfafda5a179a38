/**
 * What lies behind a cut-out, by the core's rules, as in Python: a shadow, the photograph's own background out of focus, a
 * picture of another size.
 */
import { dtypeOfInput, NativeArray } from './native-array.js';

/** @typedef {import('./calls.js').Calls} Calls */
/** @typedef {import('./calls.js').Input} Input */
/** @typedef {import('./core.js').Box} Box */
/**
 * A synthetic shadow; lengths are shares of the subject's longer side. See `nssbg.Shadow`.
 * @typedef {object} Shadow
 * @property {'drop' | 'contact'} kind
 * @property {number} [opacity] 0.35
 * @property {number} [softness] standard deviation of the blur, 0.02
 * @property {[number, number]} [offset] right and down, 0.015 and 0.03
 * @property {[number, number, number]} [color] samples of 0 to 255, black
 */

/** Of a background out of focus where nothing is said, as `nssbg.Blur` has it. */
export const BLUR_SHARE = 0.008;
/** What `nssbg.Shadow` has where nothing is said. */
const OPACITY = 0.35;
const SOFTNESS = 0.02;
const OFFSET = /** @type {const} */ ([0.015, 0.03]);
/** The largest circle of confusion, as the core has it, and cells of its column. */
const LARGEST_RADIUS = 400;
const COLUMN = 512;

/** @param {Calls} core @param {Shadow} shadow */
const numbersOf = (core, { opacity = OPACITY, softness = SOFTNESS, offset = [...OFFSET] }) => core.doubles([opacity, softness, ...offset]);

/** A shadow as a layer of the cut-out's size. @param {NativeArray} rgba H x W x 4, or an alpha @param {Shadow} shadow @returns {NativeArray} H x W x 4 */
export function shadowLayer(rgba, shadow) {
  const { core } = rgba;
  const deep = rgba.dtype === 'uint16';
  const color = (shadow.color ?? [0, 0, 0]).map((sample) => sample * (deep ? 257 : 1));
  return core.result(new NativeArray(core, rgba.dtype, rgba.height, rgba.width, 4), (layer) => {
    core.call('shadow_layer', core.of(rgba), core.word(shadow.kind), numbersOf(core, shadow), core.doubles(color), core.of(layer));
  });
}

/** How far a shadow reaches beyond a subject's box: top, right, bottom, left. @param {Calls} core @param {Box} box @param {{height: number, width: number}} whole the photograph @param {Shadow} shadow @returns {[number, number, number, number]} */
export function shadowRoom(core, { top, left, bottom, right }, { height, width }, shadow) {
  return core.scoped(() => {
    const room = core.ints([0, 0, 0, 0]);
    core.call('shadow_room', core.ints([top, left, bottom, right]), height, width, core.word(shadow.kind), numbersOf(core, shadow), room);
    return /** @type {[number, number, number, number]} */ ([...core.words(room, 4)]);
  });
}

/** Radii of circles of confusion of a ground that the subject stands on. @param {Input} alpha or a cut-out @param {number} radius @param {Calls} core @returns {NativeArray} n x 1 */
export function radiiOfPlane(core, alpha, radius) {
  const all = new NativeArray(core, 'float32', COLUMN, 1);
  try {
    const count = core.scoped(() => {
      const out = core.ints([0]);
      core.call('radii_of_plane', core.of(alpha), radius, all.held(), out);
      return core.words(out, 1)[0];
    });
    if (count === COLUMN) return all;
    const found = core.array({ data: /** @type {Float32Array} */ (all.view().slice(0, count)), height: count, width: 1 });
    all.release();
    return found;
  } catch (error) {
    all.release();
    throw error;
  }
}

/**
 * The photograph without its subject, by circles of confusion.
 * @param {Input} image H x W x 3 @param {Input} rgba the cut-out, of the same type @param {Input} radii pixels, over the whole picture
 * @param {{core: Calls, blades?: number, rotation?: number}} how @returns {NativeArray} H x W x 3
 */
export function defocus(image, rgba, radii, { core, blades = 0, rotation = 0 }) {
  return core.result(new NativeArray(core, dtypeOfInput(image), image.height, image.width, 3), (out) => {
    core.call('defocus', core.of(image), core.of(rgba), core.of(radii), blades, rotation, core.threads, core.of(out));
  });
}

/** The photograph's own background out of focus. @param {NativeArray} image @param {NativeArray} rgba @param {number} share radius of the largest circle, of the picture's diagonal @returns {NativeArray} */
export function blurredBackground(image, rgba, share) {
  const { core } = rgba;
  const radii = radiiOfPlane(core, rgba, Math.min(share * Math.sqrt(image.height ** 2 + image.width ** 2), LARGEST_RADIUS));
  try {
    return defocus(image, rgba, radii, { core });
  } finally {
    radii.release();
  }
}

/** A picture as a background of a size: it fills all, or all of it is shown. @param {Calls} core @param {Input} image H x W x 3 @param {'cover' | 'contain'} fit @param {number} height @param {number} width @returns {NativeArray} */
export function resampleToFit(core, image, fit, height, width) {
  return core.result(new NativeArray(core, dtypeOfInput(image), height, width, 3), (out) => core.call('resample_to_fit', core.of(image), core.word(fit), core.of(out)));
}
