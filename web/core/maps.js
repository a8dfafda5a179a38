/**
 * What is decided on a network's maps: by the core's rules, which Python follows too
 * (docs/decisions/1051-shared-rules.md). Maps are planar, h x w x N, float32: of one forward pass one, of
 * two the mirrored picture's second, as the network gave it.
 */
import { NativeArray } from './native-array.js';

/** @typedef {import('./calls.js').Calls} Core */
/** @typedef {import('./core.js').Box} Box */
/** @typedef {import('./calls.js').Input} Input */
/** @typedef {'fast' | 'balanced' | 'best'} Effort */
/** @typedef {{single: number[], flip_tta?: number[]}} ConfidenceWeights of a model's sidecar */
/** @typedef {{studio_is_better: number[], studio_overlap: number[], network_overlap: number[]}} SelectorWeights of a model's sidecar */
/** @typedef {{known: boolean, overlap: number, low: boolean}} Confidence */
/** @typedef {{studio: boolean, overlap: number, low: boolean, agreement: number}} Selection */
/** @typedef {{runs: number, crops: [number, number, number, number][], tiles: number, gain: number, changed: number, notes: string[]}} SecondPassReport */

/**
 * Numbers that are decided by before there is a map.
 * @param {Core} core
 * @returns {{least_border: number, sure_studio: number, low_studio_confidence: number}}
 */
export function rules(core) {
  core.call('rules');
  return JSON.parse(core.text());
}

/**
 * A network's output to 0..1, in place.
 * @param {NativeArray} maps
 * @param {{activation: string, range: string}} description
 * @returns {number} values that were not finite
 */
export function coarseAlpha(maps, { activation, range }) {
  const { core } = maps;
  return core.scoped(() => {
    core.call('coarse_alpha', core.of(maps), core.word(activation), core.word(range));
    return JSON.parse(core.text()).broken;
  });
}

/** The mean of both maps, or the one. @param {NativeArray} maps @param {'uint8' | 'float32'} dtype @returns {NativeArray} h x w */
export function joinedMaps(maps, dtype) {
  const { core } = maps;
  return core.result(new NativeArray(core, dtype, maps.height, maps.width), (out) => core.call('joined_maps', core.of(maps), core.of(out)));
}

/** @param {NativeArray} maps @param {ConfidenceWeights | undefined} weights none: not known, but for maps without an outline @returns {Confidence} */
export function confidence(maps, weights) {
  const { core } = maps;
  const { single = [], flip_tta: flipTta = [] } = weights ?? {};
  return core.scoped(() => {
    core.call('confidence', core.of(maps), core.doubles(single), single.length, core.doubles(flipTta), flipTta.length);
    return JSON.parse(core.text());
  });
}

/**
 * What the choice between two alphas of one picture is made from.
 * @param {NativeArray} studio any size, uint8 or float32
 * @param {number} studioConfidence
 * @param {NativeArray} network uint8 or float32
 * @param {number} networkOverlap expected
 * @returns {number[]}
 */
export function selectorFeatures(studio, studioConfidence, network, networkOverlap) {
  const { core } = studio;
  return core.scoped(() => {
    const out = core.doubles([0, 0, 0, 0, 0]);
    core.call('selector_features', core.of(studio), studioConfidence, core.of(network), networkOverlap, out);
    return [...new Float64Array(core.buffer, out, 5)];
  });
}

/** Which of them to take. @param {Core} core @param {number[]} features @param {SelectorWeights} weights @returns {Selection} */
export function select(core, features, { studio_is_better: better, studio_overlap: studio, network_overlap: network }) {
  return core.scoped(() => {
    core.call('select', core.doubles(features), core.doubles([...better, ...studio, ...network]));
    return JSON.parse(core.text());
  });
}

/** The second pass: `next` says where to run the network, `answer` takes its map, until `next` gives none. */
export class SecondPass {
  /**
   * @param {NativeArray} first the map of the whole picture, uint8 or float32
   * @param {{height: number, width: number, effort: Effort, weights?: ConfidenceWeights}} how the picture's size
   */
  constructor(first, { height, width, effort, weights }) {
    const { core } = first;
    const single = weights?.single ?? [];
    this.core = core;
    this.pass = core.scoped(() => {
      const out = core.ints([0]);
      core.call('second_pass_begin', core.of(first), height, width, core.word(effort), core.doubles(single), single.length, out);
      return core.words(out, 1)[0];
    });
  }

  /** The part of the picture to run on next; null: nothing is left that would pay. @returns {Box | null} */
  next() {
    const { core } = this;
    return core.scoped(() => {
      const part = core.ints([0, 0, 0, 0, 0]);
      core.call('second_pass_next', this.#held(), part);
      const [top, left, bottom, right, found] = core.words(part, 5);
      return found ? { top, left, bottom, right } : null;
    });
  }

  /** @param {Input} map of that part, any size, uint8 or float32 */
  answer(map) {
    this.core.scoped(() => this.core.call('second_pass_answer', this.#held(), this.core.of(map)));
  }

  /** The map of the whole picture, and what the runs brought. @param {'uint8' | 'float32'} dtype @returns {{map: NativeArray, report: SecondPassReport}} */
  result(dtype) {
    const { core } = this;
    const [height, width] = core.scoped(() => {
      const size = core.ints([0, 0]);
      core.call('second_pass_size', this.#held(), size);
      return [...core.words(size, 2)];
    });
    const map = core.result(new NativeArray(core, dtype, height, width), (out) => core.call('second_pass_map', this.#held(), core.of(out)));
    return { map, report: JSON.parse(core.text()) };
  }

  /** Gives its memory back; more than once is allowed. */
  release() {
    if (this.pass !== 0) this.core.module._nssbg_second_pass_end(this.pass);
    this.pass = 0;
  }

  #held() {
    if (this.pass === 0) throw new TypeError('this second pass was released');
    return this.pass;
  }
}
