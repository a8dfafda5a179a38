/**
 * From a picture to the estimate of its alpha: all that a network has to run for. What a person corrects afterwards, and how
 * it is finished, is made of this.
 *
 * Only the order stands here, and the loop over forward passes: what a stage decides by is the core's own
 * (docs/decisions/1051-shared-rules.md).
 */
import { CorrectionGrid, regionOfBox } from './corrections.js';
import { confidence, joinedMaps, rules, SecondPass, select, selectorFeatures } from './maps.js';
import { dtypeOfInput } from './native-array.js';

/** @typedef {import('./core.js').Core} Core */
/** @typedef {import('./native-array.js').NativeArray} NativeArray */
/** @typedef {import('./network.js').Network} Network */

/**
 * One method's answer on its way.
 * @typedef {{alpha: NativeArray, full: boolean, model: string, confidence: number | null, low: boolean | null, notes: string[]}} Estimate
 */

/** Measures stages, and tells of each as it begins. */
export class Stages {
  /** @param {((stage: string) => void) | undefined} onStage what it throws ends the work @param {Record<string, number>} [timings] of stages that ran before */
  constructor(onStage, timings = {}) {
    this.onStage = onStage;
    /** @type {Record<string, number>} */
    this.timings = { ...timings };
    /** @type {string | null} */
    this.current = null;
  }

  /** @template T @param {string} name @param {() => T} work @returns {Promise<Awaited<T>>} */
  async run(name, work) {
    if (this.current !== name) this.onStage?.(name);
    this.current = name;
    const began = performance.now();
    const result = await work();
    this.timings[name] = (this.timings[name] ?? 0) + performance.now() - began;
    return result;
  }
}

/** What `analysed` found of a picture, or of the part of it that a box leaves; the caller releases it. */
export class Analysis {
  /**
   * @param {Estimate} estimate
   * @param {import('./maps.js').SecondPassReport | null} report
   * @param {Record<string, number>} timings
   * @param {{part: import('./core.js').Box, inner: import('./core.js').Box, view: NativeArray} | null} region the part that was looked at, its
   *   pixels, and the box within it; null: all
   */
  constructor(estimate, report, timings, region) {
    this.estimate = estimate;
    this.report = report;
    this.timings = timings;
    this.region = region;
    /** @type {CorrectionGrid | null} */
    this.grid = null;
  }

  /** What all corrections have in common. @param {NativeArray} image the whole picture */
  gridOf(image) {
    this.grid ??= new CorrectionGrid(this.region?.view ?? image, this.estimate.alpha, this.estimate.full);
    return this.grid;
  }

  /** Gives its memory back; more than once is allowed. */
  release() {
    this.estimate.alpha.release();
    this.region?.view.release();
    this.grid?.release();
  }
}

/**
 * @param {Core} core
 * @param {Network | null} network null: the weights-free method
 * @param {NativeArray} image H x W x 3, uint8 or uint16
 * @param {{auto?: boolean, effort?: import('./maps.js').Effort, box?: [number, number, number, number] | null, onStage?: (stage: string) => void}} [how]
 * @returns {Promise<Analysis>}
 */
export async function analysed(core, network, image, { auto = false, effort = 'balanced', box = null, onStage } = {}) {
  const stages = new Stages(onStage);
  /** @type {Set<NativeArray>} */
  const held = new Set();
  const hold = (/** @type {NativeArray} */ array) => {
    held.add(array);
    return array;
  };
  try {
    const found = box && regionOfBox(core, box, image.height, image.width);
    // Turned upright from upright: a copy.
    const region = found && { ...found, view: hold(core.orient(image.part(found.part), 1)) };
    const stage = stages.run.bind(stages);
    const { estimate, report } = await estimated(core, network, region?.view ?? image, { auto, effort, stage, hold });
    held.delete(estimate.alpha);
    if (region) held.delete(region.view);
    return new Analysis(estimate, report, stages.timings, region);
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
