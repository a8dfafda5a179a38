/**
 * `@nssbg/web`: backgrounds taken out of pictures in the browser, by a worker that this package brings.
 *
 * Nothing leaves the page: only the package's own files are fetched. Functions share one engine; a `Remover` is one of
 * one's own.
 */
import { releaseAll, shared } from './shared.js';

export { EngineError } from '../engine/interface.js';
export { Remover } from './remover.js';

/** @typedef {import('./options.js').Options} Options */
/** @typedef {import('./options.js').CutoutOptions} CutoutOptions */
/** @typedef {import('./options.js').EngineOptions} EngineOptions */
/** @typedef {import('./options.js').RunOptions} RunOptions */
/** @typedef {import('./options.js').Canvas} Canvas */
/** @typedef {import('./options.js').Progress} Progress */
/** @typedef {import('./source.js').ImageSource} ImageSource */
/** @typedef {import('./remover.js').Cutout} Cutout */
/** @typedef {import('./remover.js').About} About */

/**
 * A picture with its background made transparent, or of one colour, as a PNG file.
 * @param {ImageSource} source @param {Options} [options] @returns {Promise<Blob>}
 */
export async function removeBackground(source, options = {}) {
  const { remover, options: own } = shared(options);
  return remover.removeBackground(source, own);
}

/** The same, with its confidence, timings and notes. @param {ImageSource} source @param {Options} [options] @returns {Promise<Cutout>} */
export async function cutout(source, options = {}) {
  const { remover, options: own } = shared(options);
  return remover.cutout(source, own);
}

/** Only the alpha, as a grey PNG file: white is the subject. @param {ImageSource} source @param {Options} [options] @returns {Promise<Blob>} */
export async function alpha(source, options = {}) {
  const { remover, options: own } = shared(options);
  return remover.alpha(source, own);
}

/** Loads the engine before the first picture wants it; what will run. @param {EngineOptions & RunOptions} [options] @returns {Promise<About>} */
export async function preload(options = {}) {
  const { remover, options: own } = shared(options);
  return remover.preload(own);
}

/** Ends the shared engines and gives their memory back; the next picture opens another. */
export function release() {
  releaseAll();
}
