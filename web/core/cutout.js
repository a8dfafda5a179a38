/**
 * The stages of one picture in their order, under the names that Python gives them.
 *
 * Only the order stands here: what a stage decides by is the core's own (docs/decisions/1051-shared-rules.md).
 */
import { analysed, Stages } from './analysis.js';
import { CoreError } from './calls.js';
import { choked, correctedAlpha, counted, painted } from './corrections.js';
import { framed } from './framing.js';
import { NativeArray } from './native-array.js';
import { encodePng } from './png.js';

/** @typedef {import('./core.js').Core} Core */
/** @typedef {import('./network.js').Network} Network */
/** @typedef {import('./analysis.js').Analysis} Analysis */

/**
 * How an estimate becomes a cut-out.
 * @typedef {object} FinishOptions
 * @property {import('./core.js').Input | null} [existing] the alpha that the picture came with, H x W
 * @property {'none' | 'guided' | 'matting' | 'auto'} [refine]
 * @property {import('./corrections.js').Corrections | null} [corrections] what a person says of the picture
 * @property {{choke: number, softness: number} | null} [edge] pixels that the edge moves inwards, and a standard deviation that softens it
 * @property {'multilevel' | 'blur-fusion' | 'off'} [foreground]
 * @property {number} [decontaminate] share of the estimated colour, 0 to 1
 * @property {(stage: string) => void} [onStage] called as a stage begins; what it throws ends the work
 */

/**
 * @typedef {object} MethodOptions
 * @property {boolean} [auto] the weights-free method looks first; the better of its answer and the network's is taken
 * @property {import('./maps.js').Effort} [effort] how often the network may run on a picture, as in Python
 */
/** @typedef {FinishOptions & MethodOptions} CutoutOptions */

/**
 * What is said of a cut-out.
 * @typedef {object} Told
 * @property {string} model "studio" or the network's name: which one's answer was taken
 * @property {number | null} confidence 0 to 1; null where nothing was fitted to the model
 * @property {boolean | null} low_confidence a person should look
 * @property {import('./maps.js').SecondPassReport | null} second_pass null where it was not tried, or nothing was run
 * @property {Record<string, number>} timings milliseconds by stage
 * @property {string[]} notes
 */

/** @typedef {Told & {rgba: NativeArray}} CutoutResult rgba is straight; the caller releases it */

/**
 * @param {Core} core
 * @param {Network | null} network null: the weights-free method
 * @param {NativeArray} image H x W x 3, uint8 or uint16
 * @param {CutoutOptions} [options]
 * @returns {Promise<CutoutResult>}
 */
export async function cutout(core, network, image, { auto, effort, ...options } = {}) {
  const box = options.corrections?.box ?? null;
  const analysis = await analysed(core, network, image, { auto, effort, box, onStage: options.onStage });
  try {
    return await finished(core, image, analysis, options);
  } finally {
    analysis.release();
  }
}

/**
 * From an estimate to a cut-out; no network runs. The analysis stays the caller's.
 * @param {Core} core @param {NativeArray} image the one that was analysed @param {Analysis} analysis within the box of the corrections
 * @param {FinishOptions} [options]
 * @returns {Promise<CutoutResult>}
 */
export async function finished(core, image, analysis, { existing = null, refine = 'guided', corrections = null, edge = null, foreground = 'multilevel', decontaminate = 1, onStage } = {}) {
  const stages = new Stages(onStage, analysis.timings);
  const { estimate, report } = analysis;
  const notes = [...estimate.notes];
  if (report?.runs === 1) notes.push(...report.notes);
  /** @type {Set<NativeArray>} */
  const held = new Set();
  const hold = (/** @type {NativeArray} */ array) => {
    held.add(array);
    return array;
  };
  try {
    let { alpha } = estimate;
    if (says(corrections)) {
      alpha = hold(await stages.run('correct', () => corrected(core, image, analysis, corrections, refine, notes)));
    } else if (!estimate.full) {
      const map = alpha;
      alpha = hold(await stages.run('refine', () => {
        const refined = core.refine(image, map, { level: refine });
        notes.push(...refined.report.notes);
        if (refine !== 'none' && core.removeSmallComponents(refined.alpha).gave_up) {
          notes.push('small components stay: the alpha is too fragmented to look for them');
        }
        return refined.alpha;
      }));
    }
    if (edge && (edge.choke !== 0 || edge.softness !== 0)) {
      const made = alpha;
      alpha = hold(await stages.run('edge', () => {
        const moved = edge.choke === 0 ? made : hold(choked(core, made, edge.choke));
        return edge.softness === 0 ? moved : core.feather(moved, edge.softness);
      }));
    }
    if (existing !== null) {
      const made = alpha;
      alpha = hold(await stages.run('merge alpha', () => core.mergeAlpha(made, existing)));
    }
    const full = alpha;
    const rgba = await stages.run('foreground', () => core.decontaminate(image, full, { method: foreground, strength: decontaminate }));
    const { model, confidence, low } = estimate;
    const ran = report !== null && report.runs > 1 ? report : null;
    return { rgba, model, confidence, low_confidence: low, second_pass: ran, timings: stages.timings, notes };
  } finally {
    for (const array of held) array.release();
  }
}

/** Whether anything is said. @param {import('./corrections.js').Corrections | null} corrections @returns {corrections is import('./corrections.js').Corrections} */
const says = (corrections) => corrections !== null && (!!corrections.box || [corrections.keep, corrections.drop, corrections.strokes].some((list) => !!list?.length));

/**
 * Refined as a person said; the alpha of the whole picture, 0 outside the box.
 * @param {Core} core @param {NativeArray} image @param {Analysis} analysis @param {import('./corrections.js').Corrections} corrections
 * @param {'none' | 'guided' | 'matting' | 'auto'} level @param {string[]} notes
 * @returns {NativeArray}
 */
function corrected(core, image, analysis, corrections, level, notes) {
  const { estimate, region } = analysis;
  const { height, width } = image;
  const { box = null, keep = [], drop = [], strokes = [] } = corrections;
  for (const [x, y] of [...keep, ...drop]) {
    if (!(x >= 0 && y >= 0 && x < width && y < height)) throw new CoreError('invalid', `corrections: the point (${x}, ${y}) lies outside the picture of ${width} x ${height} pixels`);
  }
  /** @param {import('./corrections.js').Point} point */
  const within = ([x, y]) => box === null || (box[0] <= x && x <= box[2] && box[1] <= y && y <= box[3]);
  const lost = keep.find((point) => !within(point));
  if (lost) throw new CoreError('invalid', `corrections: the keep point (${lost.join(', ')}) lies outside the box, where everything is background; widen the box or leave out the point`);
  const { left, top } = region?.part ?? { left: 0, top: 0 };
  const moved = (/** @type {import('./corrections.js').Point} */ [x, y]) => /** @type {import('./corrections.js').Point} */ ([x - left, y - top]);
  /** @type {Set<NativeArray>} */
  const held = new Set();
  try {
    let mask = null;
    if (strokes.length) {
      held.add((mask = painted(core, strokes, height, width)));
      // Turned upright from upright: a copy.
      if (region) held.add((mask = core.orient(mask.part(region.part), 1)));
    }
    // Outside the box all is background as it is.
    const said = { keep: keep.map(moved), drop: drop.filter(within).map(moved), mask };
    let coarse = estimate.alpha;
    let changed = null;
    if (keep.length || said.drop.length || mask) {
      ({ coarse, changed } = analysis.gridOf(image).apply(said));
      held.add(coarse).add(changed);
    }
    const made = correctedAlpha(region?.view ?? image, { before: estimate.alpha, fullSize: estimate.full, coarse, changed, said, level });
    notes.push(`corrected by hand: ${counted({ ...corrections, drop: drop.filter(within) })}`, ...made.report.notes);
    if (!region) return made.alpha;
    held.add(made.alpha);
    return placed(made.alpha, region, height, width);
  } finally {
    for (const array of held) array.release();
  }
}

/** A part's alpha in the whole picture, 0 outside the box. @param {NativeArray} alpha @param {{part: import('./core.js').Box, inner: import('./core.js').Box}} region @param {number} height @param {number} width @returns {NativeArray} */
function placed(alpha, { part, inner }, height, width) {
  const whole = new NativeArray(alpha.core, alpha.dtype, height, width);
  const [from, to] = [alpha.view(), whole.view().fill(0)];
  for (let y = inner.top; y < inner.bottom; y++) {
    const row = y * alpha.width;
    to.set(from.subarray(row + inner.left, row + inner.right), (part.top + y) * width + part.left + inner.left);
  }
  return whole;
}

/**
 * The same, as a PNG file.
 * @param {Core} core @param {Network | null} network @param {NativeArray} image
 * @param {CutoutOptions & {metadata?: import('./png.js').Metadata, frame?: import('./framing.js').Frame | null}} [options]
 * @returns {Promise<Told & {png: Uint8Array}>}
 */
export async function cutoutPng(core, network, image, { metadata = {}, frame = null, ...options } = {}) {
  const { rgba, timings, ...told } = await cutout(core, network, image, options);
  let pixels = rgba;
  try {
    if (frame) {
      options.onStage?.('compose');
      const began = performance.now();
      pixels = framed(rgba, frame);
      timings.compose = performance.now() - began;
    }
    options.onStage?.('encode');
    const began = performance.now();
    const png = await encodePng(core, pixels, metadata);
    timings.encode = performance.now() - began;
    return { png, ...told, timings };
  } finally {
    rgba.release();
    pixels.release();
  }
}
