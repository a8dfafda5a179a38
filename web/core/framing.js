/**
 * Brings a cut-out to size: trims to the subject, places it on a canvas, pads, scales. What counts as the
 * subject and where it comes to lie is decided by the core, as in Python.
 */
import { CoreError } from './core.js';
import { dtypeOfInput, NativeArray } from './native-array.js';

/** @typedef {import('./native-array.js').NativePart} NativePart */
/** @typedef {'center' | 'top' | 'bottom' | 'left' | 'right' | 'top-left' | 'top-right' | 'bottom-left' | 'bottom-right'} Align */

/**
 * A canvas with the subject placed on it; see `nssbg.Canvas`.
 * @typedef {object} Canvas
 * @property {number} width
 * @property {number} height
 * @property {number} [fill] share of the canvas that the subject takes in the direction that limits it; 0.85
 * @property {Align | [number, number]} [align] or shares (down, across) of the free space; "center"
 * @property {boolean} [enlarge] whether a smaller subject is scaled up; yes
 * @property {number} [scale] pixels of the canvas for one of the picture, in place of fill
 * @property {number} [baseline] row that the subject's lower edge stands on, in place of the vertical alignment
 */

/**
 * Steps run in this order, as in Python's `Output`.
 * @typedef {object} Frame
 * @property {boolean} [trim] cut the empty border off
 * @property {Canvas | null} [canvas] trims by itself
 * @property {number | [number, number, number, number]} [padding] pixels, or top, right, bottom, left
 * @property {number | null} [longestSide] scale down until the longer side has this many pixels
 */

/** A side above this is a mistake, not a picture. */
const LARGEST_SIDE = 65535;

/**
 * @param {NativeArray} rgba H x W x 4, uint8 or uint16, straight; stays as it is, and the caller's
 * @param {Frame} frame
 * @returns {NativeArray} a new one, also where there is nothing to do
 */
export function framed(rgba, { trim = false, canvas = null, padding = 0, longestSide = null }) {
  const { core } = rgba;
  let made = rgba;
  /** @param {NativeArray} next */
  const take = (next) => {
    if (made !== rgba) made.release();
    made = next;
  };
  try {
    if (canvas) take(placed(made, canvas));
    else if (trim) {
      const box = trimBox(made);
      if (box.bottom > 0) take(copied(made.part(box), box.bottom - box.top, box.right - box.left, 0, 0));
    }
    const sides = typeof padding === 'number' ? [padding, padding, padding, padding] : padding;
    if (sides.some((side) => side !== 0)) take(padded(made, /** @type {[number, number, number, number]} */ (sides)));
    if (longestSide !== null) {
      const [height, width] = sizeWithin(core, made.height, made.width, longestSide);
      if (height !== made.height || width !== made.width) {
        take(scaled(made, height, width));
      }
    }
    return made === rgba ? copied(rgba, rgba.height, rgba.width, 0, 0) : made;
  } catch (error) {
    if (made !== rgba) made.release();
    throw error;
  }
}

/** Rows and columns whose longer side is at most `longest`. @param {import('./calls.js').Calls} core @param {number} height @param {number} width @param {number} longest @returns {number[]} */
export function sizeWithin(core, height, width, longest) {
  return core.scoped(() => {
    const size = core.ints([height, width]);
    core.call('size_within', size, longest);
    return [...core.words(size, 2)];
  });
}

/** What trimming keeps; all zero where there is no subject. @param {NativeArray} rgba @returns {import('./core.js').Box} */
export function trimBox(rgba) {
  const { core } = rgba;
  return core.scoped(() => {
    const box = core.ints([0, 0, 0, 0]);
    core.call('trim_box', core.of(rgba), core.threads, box);
    const [top, left, bottom, right] = core.words(box, 4);
    return { top, left, bottom, right };
  });
}

/** Where a picture comes to lie: every edge at offset + scale * position. @typedef {{scale: number, top: number, left: number, drawn: import('./core.js').Box}} Placement */

/** The subject on a transparent canvas, scaled to its fill and aligned. @param {NativeArray} rgba @param {Canvas} canvas @returns {NativeArray} */
export const placed = (rgba, canvas) => draw(rgba, placement(rgba, canvas), canvas);

/** Where it comes to lie. @param {NativeArray} rgba @param {Canvas} canvas @returns {Placement} */
export function placement(rgba, { width, height, fill = 0.85, align = 'center', enlarge = true, scale = 0, baseline = 0 }) {
  const { core } = rgba;
  if (![width, height].every((side) => Number.isInteger(side) && side >= 1 && side <= LARGEST_SIDE)) {
    throw new CoreError('invalid', `a canvas has sides of 1 to ${LARGEST_SIDE} pixels, not ${width} x ${height}`);
  }
  return core.scoped(() => {
    let shares = align;
    if (typeof shares === 'string') {
      const found = core.doubles([0, 0]);
      core.call('align_shares', core.word(shares), found);
      shares = /** @type {[number, number]} */ ([...new Float64Array(core.buffer, found, 2)]);
    }
    const where = core.doubles([0, 0, 0]);
    const drawn = core.ints([0, 0, 0, 0]);
    const board = core.doubles([height, width, fill, ...shares, Number(enlarge), scale, baseline]);
    core.call('placement', core.of(rgba), board, core.threads, where, drawn);
    const [factor, y, x] = new Float64Array(core.buffer, where, 3);
    const [top, left, bottom, right] = core.words(drawn, 4);
    return { scale: factor, top: y, left: x, drawn: { top, left, bottom, right } };
  });
}

/**
 * Pixels on a transparent canvas.
 * @param {NativeArray | NativePart} rgba @param {Placement} where @param {{height: number, width: number}} canvas @returns {NativeArray}
 */
export function draw(rgba, { scale, top, left, drawn }, { height, width }) {
  const { core } = rgba;
  return core.result(new NativeArray(core, dtypeOfInput(rgba), height, width, 4), (out) => {
    core.call('draw', core.of(rgba), core.doubles([scale, top, left]), core.ints([drawn.top, drawn.left, drawn.bottom, drawn.right]), core.of(out));
  });
}

/** @param {NativeArray} rgba @param {number} height @param {number} width @returns {NativeArray} */
export function scaled(rgba, height, width) {
  const { core } = rgba;
  return core.result(new NativeArray(core, rgba.dtype, height, width, rgba.channels), (out) => core.call('scaled', core.of(rgba), core.of(out)));
}

/**
 * A trimmed cut-out with room around it and its shadow's layer, framed as one: the box is that of both.
 * @param {NativeArray} rgba @param {NativeArray} layer of the same size @param {Pick<Frame, 'padding' | 'longestSide'>} frame
 * @returns {[NativeArray, NativeArray]}
 */
export function placedTogether(rgba, layer, { padding = 0, longestSide = null }) {
  const boxes = [rgba, layer].map(trimBox).filter(({ bottom }) => bottom > 0);
  const least = (/** @type {'top' | 'left'} */ side) => Math.min(...boxes.map((box) => box[side]));
  const most = (/** @type {'bottom' | 'right'} */ side) => Math.max(...boxes.map((box) => box[side]));
  const box = boxes.length ? { top: least('top'), left: least('left'), bottom: most('bottom'), right: most('right') } : { top: 0, left: 0, bottom: rgba.height, right: rgba.width };
  const [one, other] = [rgba, layer].map((pixels) => {
    const part = copied(pixels.part(box), box.bottom - box.top, box.right - box.left, 0, 0);
    try {
      return framed(part, { padding, longestSide });
    } finally {
      part.release();
    }
  });
  return [one, other];
}

/** @param {NativeArray} rgba @param {[number, number, number, number]} padding top, right, bottom, left @returns {NativeArray} */
export function padded(rgba, [top, right, bottom, left]) {
  if (![top, right, bottom, left].every((side) => Number.isInteger(side) && side >= 0)) {
    throw new CoreError('invalid', `padding is whole pixels from 0 on, not ${[top, right, bottom, left].join(', ')}`);
  }
  const [height, width] = [rgba.height + top + bottom, rgba.width + left + right];
  if (Math.max(height, width) > Math.max(LARGEST_SIDE, rgba.height, rgba.width)) {
    throw new CoreError('invalid', `padding makes a result of ${width} x ${height} pixels; a side may have at most ${LARGEST_SIDE}`);
  }
  return copied(rgba, height, width, top, left);
}

/**
 * Pixels as they are, at a place of a transparent picture.
 * @param {NativeArray | NativePart} rgba @param {number} height @param {number} width @param {number} top @param {number} left
 */
function copied(rgba, height, width, top, left) {
  const drawn = { top: 0, left: 0, bottom: rgba.height, right: rgba.width };
  return draw(rgba, { scale: 1, top, left, drawn }, { height, width });
}
