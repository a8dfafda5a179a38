/**
 * What a person says about a picture, applied by the core's rules, as in Python: brush strokes and points, the box,
 * and where the edge lies.
 */
import { dtypeOfInput, NativeArray } from './native-array.js';

/** @typedef {import('./calls.js').Calls} Calls */
/** @typedef {import('./calls.js').Input} Input */
/** @typedef {import('./core.js').Box} Box */
/** @typedef {[number, number]} Point x, y in pixels */
/** @typedef {{kind: 'keep' | 'drop', radius: number, points: Point[]}} Stroke of a round brush, in pixels of the upright picture */
/**
 * @typedef {object} Corrections
 * @property {[number, number, number, number] | null} [box] left, top, right, bottom: the subject lies within
 * @property {Point[]} [keep] points of the subject
 * @property {Point[]} [drop] points of the background
 * @property {Stroke[]} [strokes] later over earlier
 */
/** @typedef {{keep: Point[], drop: Point[], mask: NativeArray | null}} Said of the part that is worked on, in its pixels */

/** The part of a picture that a method looks at for a box, and the box within it. @param {Calls} core @param {[number, number, number, number]} box @param {number} height @param {number} width @returns {{part: Box, inner: Box}} */
export function regionOfBox(core, box, height, width) {
  return core.scoped(() => {
    const regions = core.ints([0, 0, 0, 0, 0, 0, 0, 0]);
    core.call('region_of_box', core.doubles(box), height, width, regions);
    const [top, left, bottom, right, innerTop, innerLeft, innerBottom, innerRight] = core.words(regions, 8);
    return { part: { top, left, bottom, right }, inner: { top: innerTop, left: innerLeft, bottom: innerBottom, right: innerRight } };
  });
}

/**
 * Strokes as a mask: 255 keep, 0 drop, 128 nothing said.
 * @param {Calls} core @param {Stroke[]} strokes @param {number} height @param {number} width
 * @param {{origin?: Point, scale?: Point}} [place] where the mask lies in the picture, and pixels of it for one of the picture
 * @returns {NativeArray}
 */
export function painted(core, strokes, height, width, { origin = [0, 0], scale = [1, 1] } = {}) {
  const numbers = strokes.flatMap(({ kind, radius, points }) => [Number(kind === 'keep'), radius, points.length, ...points.flat()]);
  return core.result(new NativeArray(core, 'uint8', height, width), (mask) => {
    core.call('paint', core.doubles(numbers), strokes.length, core.doubles([...origin, ...scale]), core.of(mask));
  });
}

/** What corrections of one estimate have in common: made once where they come one by one. */
export class CorrectionGrid {
  /** @param {import('./native-array.js').NativeArray | import('./native-array.js').NativePart} image H x W x 3 @param {NativeArray} alpha the estimate of it, uint8 or float32 @param {boolean} fullSize it is no coarse map */
  constructor(image, alpha, fullSize) {
    const { core } = alpha;
    this.core = core;
    this.dtype = alpha.dtype;
    const [grid, height, width] = core.scoped(() => {
      const out = core.ints([0, 0, 0]);
      core.call('correction_grid_begin', core.of(image), core.of(alpha), Number(fullSize), core.threads, out, out + 4);
      return [...core.words(out, 3)];
    });
    this.grid = grid;
    this.height = height;
    this.width = width;
  }

  /** The corrected map, and where it was changed. @param {Said} said @returns {{coarse: NativeArray, changed: NativeArray}} */
  apply({ keep, drop, mask }) {
    const { core } = this;
    if (this.grid === 0) throw new TypeError('this grid was released');
    const changed = new NativeArray(core, 'float32', this.height, this.width);
    try {
      const coarse = core.result(new NativeArray(core, this.dtype, this.height, this.width), (out) => {
        core.call('correction_grid_apply', this.grid, core.doubles(keep.flat()), keep.length, core.doubles(drop.flat()), drop.length, core.of(mask), core.of(out), core.of(changed));
      });
      return { coarse, changed };
    } catch (error) {
      changed.release();
      throw error;
    }
  }

  /** Gives its memory back; more than once is allowed. */
  release() {
    if (this.grid !== 0) this.core.module._nssbg_correction_grid_end(this.grid);
    this.grid = 0;
  }
}

/**
 * The full-size alpha from a corrected map: refined, and exact where a person spoke.
 * @param {Input} image H x W x 3
 * @param {object} how
 * @param {NativeArray} how.before the estimate's alpha
 * @param {boolean} how.fullSize it is no coarse map
 * @param {NativeArray} how.coarse as the grid gave it; where nothing was said but a box, the estimate's own
 * @param {NativeArray | null} how.changed the same; null where nothing was said but a box
 * @param {Said} how.said
 * @param {'none' | 'guided' | 'matting' | 'auto'} how.level
 * @returns {{alpha: NativeArray, report: any}}
 */
export function correctedAlpha(image, { before, fullSize, coarse, changed, said: { keep, drop, mask }, level }) {
  const { core } = before;
  let report;
  const alpha = core.result(new NativeArray(core, before.dtype, image.height, image.width), (out) => {
    core.call('corrected_alpha', core.of(image), core.of(before), Number(fullSize), core.of(coarse), core.of(changed), core.doubles(keep.flat()), keep.length,
      core.doubles(drop.flat()), drop.length, core.of(mask), core.word(level), core.threads, core.of(out));
    report = JSON.parse(core.text());
  });
  return { alpha, report };
}

/** An alpha's edge moved inwards (negative: outwards). @param {Input} alpha uint8 or float32 @param {number} pixels at most 64 @param {Calls} core @returns {NativeArray} */
export function choked(core, alpha, pixels) {
  return core.result(new NativeArray(core, dtypeOfInput(alpha), alpha.height, alpha.width), (out) => core.call('choke', core.of(alpha), core.of(out), pixels, core.threads));
}

/** Choke and softness as shares of the most that is offered (-1 to 1, 0 to 1) in pixels of a picture. @param {Calls} core @param {{choke: number, softness: number}} edge @param {{height: number, width: number}} picture @returns {{choke: number, softness: number}} */
export function edgePixels(core, { choke, softness }, { height, width }) {
  return core.scoped(() => {
    const edge = core.doubles([choke, softness]);
    core.call('edge_pixels', edge, height, width);
    [choke, softness] = new Float64Array(core.buffer, edge, 2);
    return { choke, softness };
  });
}

/** Said of a person's corrections, for a result's notes. @param {Corrections} corrections @returns {string} */
export function counted({ box = null, keep = [], drop = [], strokes = [] }) {
  const points = [[keep, 'keep'], [drop, 'drop']].flatMap(([list, kind]) => (list.length ? [`${list.length} ${kind} point${list.length > 1 ? 's' : ''}`] : []));
  return [...points, ...(strokes.length ? ['a painted mask'] : []), ...(box ? ['a box'] : [])].join(', ');
}
