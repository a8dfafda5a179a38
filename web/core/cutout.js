/**
 * The stages of one picture in their order, under the names that Python gives them.
 *
 * Only the order stands here, and the loop over forward passes: what a stage decides by is the core's own
 * (docs/decisions/1051-shared-rules.md).
 */
import { framed } from './framing.js';
import { confidence, joinedMaps, rules, SecondPass, select, selectorFeatures } from './maps.js';
import { dtypeOfInput } from './native-array.js';
import { encodePng } from './png.js';

/** @typedef {import('./core.js').Core} Core */
/** @typedef {import('./native-array.js').NativeArray} NativeArray */
/** @typedef {import('./network.js').Network} Network */

/**
 * @typedef {object} CutoutOptions
 * @property {boolean} [auto] the weights-free method looks first; the better of its answer and the network's is taken
 * @property {import('./core.js').Input | null} [existing] the alpha that the picture came with, H x W
 * @property {import('./maps.js').Effort} [effort] how often the network may run on a picture, as in Python
 * @property {'none' | 'guided' | 'matting' | 'auto'} [refine]
 * @property {'multilevel' | 'blur-fusion' | 'off'} [foreground]
 * @property {number} [decontaminate] share of the estimated colour, 0 to 1
 * @property {(stage: string) => void} [onStage] called as a stage begins; what it throws ends the work
 */

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
 * One method's answer on its way.
 * @typedef {{alpha: NativeArray, full: boolean, model: string, confidence: number | null, low: boolean | null, notes: string[]}} Estimate
 */

/**
 * @param {Core} core
 * @param {Network | null} network null: the weights-free method
 * @param {NativeArray} image H x W x 3, uint8 or uint16
 * @param {CutoutOptions} [options]
 * @returns {Promise<CutoutResult>}
 */
export async function cutout(core, network, image, { auto = false, existing = null, effort = 'balanced', refine = 'guided', foreground = 'multilevel', decontaminate = 1, onStage } = {}) {
  /** @type {Record<string, number>} */
  const timings = {};
  /** @type {string | null} */
  let current = null;
  /** @type {Set<NativeArray>} */
  const held = new Set();
  /** @template T @param {string} name @param {() => T} work @returns {Promise<Awaited<T>>} */
  const stage = async (name, work) => {
    if (current !== name) onStage?.(name);
    current = name;
    const began = performance.now();
    const result = await work();
    timings[name] = (timings[name] ?? 0) + performance.now() - began;
    return result;
  };
  /** @param {NativeArray} array */
  const hold = (array) => {
    held.add(array);
    return array;
  };
  try {
    const { estimate, report } = await estimated(core, network, image, { auto, effort, stage, hold });
    const notes = estimate.notes;
    if (report?.runs === 1) notes.push(...report.notes);
    let { alpha } = estimate;
    if (!estimate.full) {
      const map = alpha;
      alpha = hold(await stage('refine', () => {
        const refined = core.refine(image, map, { level: refine });
        notes.push(...refined.report.notes);
        if (refine !== 'none' && core.removeSmallComponents(refined.alpha).gave_up) {
          notes.push('small components stay: the alpha is too fragmented to look for them');
        }
        return refined.alpha;
      }));
    }
    if (existing !== null) {
      const made = alpha;
      alpha = hold(await stage('merge alpha', () => core.mergeAlpha(made, existing)));
    }
    const full = alpha;
    const rgba = await stage('foreground', () => core.decontaminate(image, full, { method: foreground, strength: decontaminate }));
    const { model, confidence: expected, low } = estimate;
    const ran = report !== null && report.runs > 1 ? report : null;
    return { rgba, model, confidence: expected, low_confidence: low, second_pass: ran, timings, notes };
  } finally {
    for (const array of held) array.release();
  }
}

/**
 * @typedef {object} Course
 * @property {boolean} auto
 * @property {import('./maps.js').Effort} effort
 * @property {<T>(name: string, work: () => T) => Promise<Awaited<T>>} stage
 * @property {(array: NativeArray) => NativeArray} hold
 */

/**
 * From the picture to the estimate of its alpha: studio to post-process.
 * @param {Core} core @param {Network | null} network @param {NativeArray} image @param {Course} course
 * @returns {Promise<{estimate: Estimate, report: import('./maps.js').SecondPassReport | null}>}
 */
async function estimated(core, network, image, course) {
  const { auto, effort, stage, hold } = course;
  const rule = rules(core);
  /** @type {Estimate | null} */
  let studio = null;
  if (network === null || auto) {
    studio = await stage('studio', () => {
      // On its own the method always answers.
      const { alpha, measures } = core.studio(image, { leastBorder: network === null ? 0 : rule.least_border });
      if (alpha === null) return null;
      const sure = measures.confidence;
      return { alpha: hold(alpha), full: true, model: 'studio', confidence: sure, low: sure < rule.low_studio_confidence, notes: [...measures.notes] };
    });
    if (studio !== null && (network === null || /** @type {number} */ (studio.confidence) >= rule.sure_studio)) return { estimate: studio, report: null };
  }
  const asked = /** @type {Network} */ (network);
  let estimate = await segmented(core, asked, image, course);
  const seen = studio;
  if (seen !== null) estimate = await stage('segment', () => better(seen, estimate, asked));
  if (estimate.full) return { estimate, report: null };
  let report = null;
  if (effort !== 'fast') {
    const first = estimate.alpha;
    const finer = await stage('second pass', () => lookedAgain(core, asked, image, first, effort));
    hold(finer.map);
    if (finer.report.runs > 1) estimate = { ...estimate, alpha: finer.map };
    report = finer.report;
  }
  const map = estimate.alpha;
  if (asked.description.opaque_subject) await stage('post-process', () => core.postProcess(map));
  return { estimate, report };
}

/** The network's own answer. @param {Core} core @param {Network} network @param {NativeArray} image @param {Course} course @returns {Promise<Estimate>} */
async function segmented(core, network, image, { effort, stage, hold }) {
  const { name, confidence: weights } = network.description;
  const tensor = hold(await stage('prepare', () => network.prepare(core, image)));
  return stage('segment', async () => {
    const { maps, broken } = await network.maps(core, tensor, effort);
    try {
      const { known, overlap, low } = broken ? { known: true, overlap: 0, low: true } : confidence(maps, weights);
      const notes = broken ? [`${name} gave values that are not numbers`] : [];
      return { alpha: hold(joinedMaps(maps, fineness(image))), full: false, model: name, confidence: known ? overlap : null, low: known ? low : null, notes };
    } finally {
      maps.release();
    }
  });
}

/** The answer that is to be taken. @param {Estimate} studio @param {Estimate} other @param {Network} network @returns {Estimate} */
function better(studio, other, network) {
  const weights = network.description.selector;
  if (!weights || studio.confidence === null || other.confidence === null) return other;
  const features = selectorFeatures(studio.alpha, studio.confidence, other.alpha, other.confidence);
  const { studio: taken, overlap, low } = select(studio.alpha.core, features, weights);
  return { ...(taken ? studio : other), confidence: overlap, low };
}

/**
 * The network once more where that pays.
 * @param {Core} core @param {Network} network @param {NativeArray} image @param {NativeArray} first @param {import('./maps.js').Effort} effort
 */
async function lookedAgain(core, network, image, first, effort) {
  const { height, width } = image;
  const pass = new SecondPass(first, { height, width, effort, weights: network.description.confidence });
  try {
    for (let part = pass.next(); part !== null; part = pass.next()) {
      const tensor = network.prepare(core, image.part(part));
      try {
        const { maps } = await network.maps(core, tensor, effort);
        try {
          const map = joinedMaps(maps, 'float32');
          try {
            pass.answer(map);
          } finally {
            map.release();
          }
        } finally {
          maps.release();
        }
      } finally {
        tensor.release();
      }
    }
    return pass.result(fineness(image));
  } finally {
    pass.release();
  }
}

/** For 8-bit pictures bytes are as fine as the result. @param {NativeArray} image */
const fineness = (image) => (dtypeOfInput(image) === 'uint8' ? 'uint8' : 'float32');

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
