/**
 * The stages of one picture in their order, under the names that Python gives them.
 *
 * Only the order stands here: what a stage decides by is the core's own (docs/decisions/1051-shared-rules.md).
 */
import { CoreError } from './core.js';
import { encodePng } from './png.js';

/** @typedef {import('./core.js').Core} Core */
/** @typedef {import('./native-array.js').NativeArray} NativeArray */
/** @typedef {import('./network.js').Network} Network */

/**
 * @typedef {object} CutoutOptions
 * @property {import('./core.js').Input | null} [existing] the alpha that the picture came with, H x W
 * @property {'fast'} [effort] a second pass is not in the browser yet
 * @property {'none' | 'guided' | 'matting' | 'auto'} [refine]
 * @property {'multilevel' | 'blur-fusion' | 'off'} [foreground]
 * @property {number} [decontaminate] share of the estimated colour, 0 to 1
 * @property {(stage: string) => void} [onStage] called as a stage begins; what it throws ends the work
 */

/**
 * @typedef {object} CutoutResult
 * @property {NativeArray} rgba straight; the caller releases it
 * @property {Record<string, number>} timings milliseconds by stage
 * @property {string[]} notes
 */

/**
 * @param {Core} core
 * @param {Network | null} network null: the weights-free method
 * @param {NativeArray} image H x W x 3, uint8 or uint16
 * @param {CutoutOptions} [options]
 * @returns {Promise<CutoutResult>}
 */
export async function cutout(core, network, image, { existing = null, effort = 'fast', refine = 'guided', foreground = 'multilevel', decontaminate = 1, onStage } = {}) {
  if (effort !== 'fast') throw new CoreError('invalid', `effort "${effort}" does not run in the browser yet; "fast" does`);
  /** @type {Record<string, number>} */
  const timings = {};
  /** @type {string[]} */
  const notes = [];
  /** @type {Set<NativeArray>} */
  const held = new Set();
  /** @template T @param {string} name @param {() => T} work @returns {Promise<Awaited<T>>} */
  const stage = async (name, work) => {
    onStage?.(name);
    const began = performance.now();
    const result = await work();
    timings[name] = performance.now() - began;
    return result;
  };
  /** @param {NativeArray} array */
  const hold = (array) => {
    held.add(array);
    return array;
  };
  try {
    let alpha;
    if (network === null) {
      alpha = hold(/** @type {NativeArray} */ (await stage('studio', () => core.studio(image).alpha)));
    } else {
      const tensor = hold(await stage('prepare', () => network.prepare(core, image)));
      const map = hold(await stage('segment', () => network.map(core, tensor, image)));
      if (network.description.opaque_subject) await stage('post-process', () => core.postProcess(map));
      alpha = hold(await stage('refine', () => {
        const refined = core.refine(image, map, { level: refine });
        notes.push(...refined.report.notes);
        if (refine !== 'none' && core.removeSmallComponents(refined.alpha).gave_up) {
          notes.push('small components stay: the alpha is too fragmented to look for them');
        }
        return refined.alpha;
      }));
    }
    const own = existing;
    const made = alpha;
    const full = own === null ? made : hold(await stage('merge alpha', () => core.mergeAlpha(made, own)));
    const rgba = await stage('foreground', () => core.decontaminate(image, full, { method: foreground, strength: decontaminate }));
    return { rgba, timings, notes };
  } finally {
    for (const array of held) array.release();
  }
}

/**
 * The same, as a PNG file.
 * @param {Core} core @param {Network | null} network @param {NativeArray} image
 * @param {CutoutOptions & {metadata?: import('./png.js').Metadata}} [options]
 * @returns {Promise<{png: Uint8Array, timings: Record<string, number>, notes: string[]}>}
 */
export async function cutoutPng(core, network, image, { metadata = {}, ...options } = {}) {
  const { rgba, timings, notes } = await cutout(core, network, image, options);
  try {
    options.onStage?.('encode');
    const began = performance.now();
    const png = await encodePng(core, rgba, metadata);
    return { png, timings: { ...timings, encode: performance.now() - began }, notes };
  } finally {
    rgba.release();
  }
}
