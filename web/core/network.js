/**
 * A segmentation network on onnxruntime-web: a picture in, its map as an alpha out.
 *
 * The description is a model's sidecar as JSON. What is not built yet is refused by name, not run wrongly.
 */
import { CoreError } from './core.js';
import { dtypeOfInput, NativeArray } from './native-array.js';

/** @typedef {import('./core.js').Core} Core */

/**
 * @typedef {object} Description
 * @property {string} name
 * @property {number} size side of the square input
 * @property {[number, number, number]} mean
 * @property {[number, number, number]} std
 * @property {import('./core.js').Filter} filter
 * @property {string} fit
 * @property {string} activation
 * @property {string} range
 * @property {number} output_index
 * @property {boolean} opaque_subject
 */

/**
 * Loads onnxruntime-web, once for a thread.
 * @param {URL | string} folder that has its files
 * @param {number} threads
 */
export async function loadRuntime(folder, threads) {
  const base = new URL(folder);
  const ort = await import(new URL('ort.wasm.min.mjs', base).href);
  // Its workers begin with a fetch, which in Node reads no files: there, in tests, it has one thread.
  ort.env.wasm.numThreads = base.protocol === 'file:' ? 1 : threads;
  ort.env.wasm.wasmPaths = base.href;
  if (base.protocol === 'file:') {
    const { readFile } = await import(/** @type {string} */ ('node:fs/promises'));
    ort.env.wasm.wasmBinary = await readFile(new URL('ort-wasm-simd-threaded.wasm', base));
  }
  return ort;
}

export class Network {
  /** @param {any} ort @param {any} session @param {Description} description */
  constructor(ort, session, description) {
    this.ort = ort;
    this.session = session;
    this.description = description;
  }

  /** @param {any} ort @param {Uint8Array} file of the network @param {Description} description @returns {Promise<Network>} */
  static async open(ort, file, description) {
    for (const [key, known] of /** @type {const} */ ([['fit', 'stretch'], ['activation', 'none'], ['range', 'unit']])) {
      if (description[key] !== known) throw new CoreError('invalid', `${description.name}: ${key} = "${description[key]}" does not run in the browser yet; "${known}" does`);
    }
    return new Network(ort, await ort.InferenceSession.create(file, { executionProviders: ['wasm'] }), description);
  }

  /** Gives the network's memory back. */
  close() {
    return this.session.release();
  }

  /** @param {Core} core @param {import('./core.js').Input} image H x W x 3 @returns {NativeArray} 3 x size x size, float32 */
  prepare(core, image) {
    const { size, mean, std, filter } = this.description;
    return core.prepare(image, { height: size, width: size, mean, std, filter });
  }

  /**
   * The network's map as an alpha at its own size: in bytes for 8-bit pictures, which are as fine as the
   * result, else in float32.
   * @param {Core} core
   * @param {NativeArray} tensor of `prepare`
   * @param {import('./core.js').Input} image
   * @returns {Promise<NativeArray>}
   */
  async map(core, tensor, image) {
    const { ort, session, description } = this;
    const input = new ort.Tensor('float32', tensor.copy(), [1, 3, tensor.height, tensor.width]);
    const results = await session.run({ [session.inputNames[0]]: input });
    const output = results[session.outputNames[description.output_index]];
    const [height, width] = output.dims.slice(-2);
    const values = /** @type {Float32Array} */ (output.data);
    if (!values.some(Number.isFinite)) throw new CoreError('failed', `${description.name} gives no finite number for this picture; its file may be damaged`);
    const bytes = dtypeOfInput(image) === 'uint8';
    const alpha = new NativeArray(core, bytes ? 'uint8' : 'float32', height, width);
    const view = alpha.view();
    for (let i = 0; i < view.length; i++) {
      // Values that are not numbers count as 0.
      const value = Math.min(1, Math.max(0, values[i])) || 0;
      view[i] = bytes ? Math.fround(Math.fround(value * 255) + 0.5) : value;
    }
    return alpha;
  }
}
