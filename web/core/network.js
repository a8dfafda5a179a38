/**
 * A segmentation network on onnxruntime-web: a picture, or a part of it, in; its maps out.
 *
 * The description is a model's sidecar as JSON. What is not built yet is refused by name, not run wrongly.
 */
import { CoreError } from './core.js';
import { coarseAlpha } from './maps.js';
import { NativeArray } from './native-array.js';
import { placeOf } from './place.js';

/** @typedef {import('./core.js').Core} Core */
/** @typedef {import('./maps.js').Effort} Effort */

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
 * @property {boolean} [flip_tta] also run on the mirrored picture, but at effort "fast"
 * @property {import('./maps.js').ConfidenceWeights} [confidence]
 * @property {import('./maps.js').SelectorWeights} [selector]
 */

/**
 * Loads onnxruntime-web, once for a thread.
 * @param {URL | string | import('./place.js').Place} folder that has its files
 * @param {number} threads
 * @param {string} [module] of the runtime: "ort.jspi.min.mjs" has WebGPU too
 */
export async function loadRuntime(folder, threads, module = 'ort.wasm.min.mjs') {
  const place = placeOf(folder);
  const address = place.address(module);
  const stem = module.includes('jspi') ? 'ort-wasm-simd-threaded.jspi' : 'ort-wasm-simd-threaded';
  const ort = await import(address);
  const onDisk = address.startsWith('file:');
  // Its workers begin with a fetch, which in Node reads no files: there, in tests, it has one thread.
  ort.env.wasm.numThreads = onDisk ? 1 : threads;
  ort.env.wasm.wasmPaths = { mjs: place.address(`${stem}.mjs`), wasm: place.address(`${stem}.wasm`) };
  if (onDisk) {
    const { readFile } = await import(/** @type {string} */ ('node:fs/promises'));
    ort.env.wasm.wasmBinary = await readFile(new URL(place.address(`${stem}.wasm`)));
  } else ort.env.wasm.wasmBinary = place.bytes(`${stem}.wasm`);
  return ort;
}

export class Network {
  /** @param {any} ort @param {any} session @param {Description} description */
  constructor(ort, session, description) {
    this.ort = ort;
    this.session = session;
    this.description = description;
  }

  /**
   * @param {any} ort @param {Uint8Array} file of the network @param {Description} description
   * @param {string[]} [providers] of the runtime, the one to run on first
   * @returns {Promise<Network>}
   */
  static async open(ort, file, description, providers = ['wasm']) {
    if (description.fit !== 'stretch') throw new CoreError('invalid', `${description.name}: fit = "${description.fit}" does not run in the browser yet; "stretch" does`);
    return new Network(ort, await ort.InferenceSession.create(file, { executionProviders: providers }), description);
  }

  /** Gives the network's memory back. */
  close() {
    return this.session.release();
  }

  /** @param {Core} core @param {import('./calls.js').Input} image H x W x 3 @returns {NativeArray} 3 x size x size, float32 */
  prepare(core, image) {
    const { size, mean, std, filter } = this.description;
    return core.prepare(image, { height: size, width: size, mean, std, filter });
  }

  /**
   * The network's maps of one picture, 0..1: as it is, and where the model and the effort ask for it of its
   * mirror image, as the network gave that.
   * @param {Core} core
   * @param {NativeArray} tensor of `prepare`
   * @param {Effort} effort
   * @returns {Promise<{maps: NativeArray, broken: boolean}>} planar; whether some values were not finite
   */
  async maps(core, tensor, effort) {
    const { description } = this;
    const { height, width } = tensor;
    const input = /** @type {Float32Array} */ (tensor.copy());
    const outputs = [await this.#run(input, height, width)];
    if (description.flip_tta && effort !== 'fast') {
      for (let row = 0; row < input.length; row += width) input.subarray(row, row + width).reverse();
      outputs.push(await this.#run(input, height, width));
    }
    const [{ rows, columns }] = outputs;
    const maps = new NativeArray(core, 'float32', rows, columns, outputs.length, true);
    try {
      const view = maps.view();
      outputs.forEach(({ values }, index) => view.set(values, index * rows * columns));
      const broken = coarseAlpha(maps, description);
      if (broken === maps.length) throw new CoreError('failed', `${description.name} gives no finite number for this picture; its file may be damaged`);
      return { maps, broken: broken > 0 };
    } catch (error) {
      maps.release();
      throw error;
    }
  }

  /** One forward pass. @param {Float32Array} input 3 x height x width @param {number} height @param {number} width */
  async #run(input, height, width) {
    const { ort, session, description } = this;
    // A copy: the runtime may keep what it is given, and the caller mirrors its own.
    const tensor = new ort.Tensor('float32', input.slice(), [1, 3, height, width]);
    const results = await session.run({ [session.inputNames[0]]: tensor });
    const output = results[session.outputNames[description.output_index]];
    const [rows, columns] = output.dims.slice(-2);
    const values = /** @type {Float32Array} */ (output.data);
    if (values.length !== rows * columns) throw new CoreError('failed', `${description.name} gives ${output.dims.join(' x ')} numbers, not one map of ${rows} x ${columns}; output_index may be wrong`);
    return { values, rows, columns };
  }
}
