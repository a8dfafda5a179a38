/**
 * The C++ core as WebAssembly: the same kernels as in Python, and the same bytes.
 *
 * `loadCore` picks the build that runs here; a `Core` has the operations of one picture. They run in the
 * thread that calls them until they are done: call them in a worker. Nothing here knows files, networks
 * or pages.
 */
import { Calls, CoreError } from './calls.js';
import { DESCRIPTOR_WORDS, dtypeOfInput, NativeArray } from './native-array.js';
import { placeOf } from './place.js';

export { CoreError };

/** @typedef {import('./native-array.js').DType} DType */
/** @typedef {import('./calls.js').Input} Input */
/** @typedef {import('./calls.js').Build} Build */
/** @typedef {'box' | 'bilinear' | 'bicubic' | 'lanczos' | 'torch-bilinear'} Filter */
/** @typedef {[number, number, number]} Triple */
/** @typedef {{top: number, left: number, bottom: number, right: number}} Box half open */

/** A function that adds two vectors: what an engine without SIMD refuses. */
const SIMD_PROBE = new Uint8Array([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
]);

/** Pages of 64 KB: as cpp/bindings/web/CMakeLists.txt links it. */
const LARGEST_SHARED = 32768;
const FIRST_PAGES = 256;

/** Builds that run here, best first. @returns {Build[]} */
export function supportedBuilds() {
  if (!WebAssembly.validate(SIMD_PROBE)) return ['plain'];
  // Shared memory can be made in a cross-origin isolated page only, and in Node.
  const shared = typeof SharedArrayBuffer === 'function' && /** @type {any} */ (globalThis).crossOriginIsolated !== false;
  return shared ? ['simd-threads', 'simd', 'plain'] : ['simd', 'plain'];
}

/**
 * @param {object} [how]
 * @param {Build} [how.build] the best that runs here where not said; one that is named runs or it is an error
 * @param {number} [how.threads] at most; 1 without threads in the build. By default one a core, 8 at most.
 * @param {URL | string | import('./place.js').Place} [how.base] the folder of the builds; else the one beside this file's
 * @returns {Promise<Core>}
 */
export async function loadCore({ build, threads, base = new URL('../dist/core/', import.meta.url) } = {}) {
  const chosen = build ?? supportedBuilds()[0];
  const cores = /** @type {any} */ (globalThis.navigator)?.hardwareConcurrency ?? 4;
  const count = chosen === 'simd-threads' ? threads ?? Math.min(8, cores) : 1;
  if (!Number.isInteger(count) || count < 1 || count > 64) throw new CoreError('invalid', `threads are 1 to 64, not ${count}`);
  if (threads !== undefined && threads > count) throw new CoreError('invalid', `the build ${chosen} has no threads; ${threads} were asked for`);
  const place = placeOf(base);
  const glue = place.address(`${chosen}/nssbg-core.js`);
  const { default: instantiate } = await import(glue);
  const memory = chosen === 'simd-threads' ? sharedMemory() : undefined;
  const module = await instantiate({
    ...(glue.startsWith('file:') ? await fromDisk(new URL('./', glue)) : {
      locateFile: (/** @type {string} */ name) => place.address(`${chosen}/${name}`),
      // Its threads would look for their module by its name, which bundlers change.
      mainScriptUrlOrBlob: glue,
      wasmBinary: place.bytes(`${chosen}/nssbg-core.wasm`),
    }),
    wasmMemory: memory,
    // The caller takes part, so one less than the threads; a pool of none would never be ready.
    poolSize: Math.max(1, count - 1),
  });
  return new Core(module, memory ?? null, chosen, count);
}

/** In Node, which has no fetch of files and starts its workers as CommonJS. @param {URL} folder */
async function fromDisk(folder) {
  const [{ readFile }, { fileURLToPath }] = await Promise.all([import(/** @type {string} */ ('node:fs/promises')), import(/** @type {string} */ ('node:url'))]);
  return {
    wasmBinary: await readFile(new URL('nssbg-core.wasm', folder)),
    locateFile: (/** @type {string} */ name) => fileURLToPath(new URL(name.replace(/worker\.js$/, 'worker.cjs'), folder)),
  };
}

/** As much as the build allows, or what the system gives: browsers reserve the maximum at once. */
function sharedMemory() {
  for (let maximum = LARGEST_SHARED; ; maximum /= 2) {
    try {
      return new WebAssembly.Memory({ initial: FIRST_PAGES, maximum, shared: true });
    } catch (error) {
      if (maximum <= 4 * FIRST_PAGES) throw error;
    }
  }
}

export class Core extends Calls {
  /**
   * A network's input: resized, normalised, planar.
   * @param {Input} image uint8 or uint16 of 1, 3 or 4 channels (a fourth is not read)
   * @param {object} how
   * @param {number} how.height
   * @param {number} how.width
   * @param {Triple} [how.mean] 0..1
   * @param {Triple} [how.std] 0..1
   * @param {Filter} [how.filter]
   * @param {DType} [how.dtype] uint8 gives 0..255, not normalised
   * @param {Box} [how.content] where the image lands; else everywhere
   * @param {Triple} [how.fill] colour around it, 0..255
   * @param {[number, number, number, number]} [how.part] left, top, right, bottom of the image to show
   * @returns {NativeArray} 3 x height x width
   */
  prepare(image, { height, width, mean = [0, 0, 0], std = [1, 1, 1], filter = 'lanczos', dtype = 'float32', content, fill = [0, 0, 0], part = [0, 0, 0, 0] }) {
    const { top, left, bottom, right } = content ?? { top: 0, left: 0, bottom: height, right: width };
    return this.result(new NativeArray(this, dtype, height, width, 3, true), (target) => {
      this.call('prepare', this.of(image), this.of(target), this.word(filter), this.ints([top, left, bottom, right]),
        this.block(Uint8Array.from(fill)), this.doubles([...mean, ...std, ...part]), this.threads);
    });
  }

  /**
   * The weights-free method.
   * @param {Input} image H x W x 3, uint8 or uint16
   * @param {object} [how]
   * @param {'auto' | 'off' | 'green' | 'blue'} [how.chroma]
   * @param {boolean} [how.shadow]
   * @param {number} [how.leastBorder] share of the border that has to be one backdrop
   * @returns {{alpha: NativeArray | null, shadow: NativeArray | null, measures: any}} alpha is null where the
   *   border is no backdrop
   */
  studio(image, { chroma = 'auto', shadow = false, leastBorder = 0 } = {}) {
    const { height, width } = image;
    const alpha = new NativeArray(this, 'uint8', height, width);
    const layer = shadow ? new NativeArray(this, 'uint8', height, width) : null;
    try {
      return this.scoped(() => {
        const stopped = this.ints([0]);
        this.call('studio', this.of(image), this.of(alpha), this.of(layer), this.word(chroma), leastBorder, this.threads, stopped);
        const measures = JSON.parse(this.text());
        if (this.words(stopped, 1)[0] !== 0) {
          alpha.release();
          layer?.release();
          return { alpha: null, shadow: null, measures };
        }
        return { alpha, shadow: layer, measures };
      });
    } catch (error) {
      alpha.release();
      layer?.release();
      throw error;
    }
  }

  /**
   * A coarse alpha at the image's size.
   * @param {Input} image H x W x 3, uint8 or uint16
   * @param {NativeArray | import('./native-array.js').Pixels} coarse any size, uint8 or float32 0..1
   * @param {{level?: 'none' | 'guided' | 'matting' | 'auto', trimap?: Input | null, tile?: number}} [how]
   * @returns {{alpha: NativeArray, report: any}} alpha of coarse's type
   */
  refine(image, coarse, { level = 'guided', trimap = null, tile = 512 } = {}) {
    let report;
    const own = coarse instanceof NativeArray ? coarse : this.array(coarse);
    try {
      const alpha = this.result(new NativeArray(this, own.dtype, image.height, image.width), (out) => {
        this.call('refine', this.of(image), this.of(own), this.of(trimap), this.of(out), this.word(level), tile, this.threads);
        report = JSON.parse(this.text());
      });
      return { alpha, report };
    } finally {
      if (own !== coarse) own.release();
    }
  }

  /**
   * Straight RGBA, edge colours freed of the background.
   * @param {Input} image H x W x 3, uint8 or uint16
   * @param {Input} alpha H x W, uint8, uint16 or float32
   * @param {{method?: 'multilevel' | 'blur-fusion' | 'off', strength?: number, extend?: boolean, background?: NativeArray | null}} [how]
   *   `background` is filled with the estimate of the background's colours
   * @returns {NativeArray} H x W x 4 of the image's type
   */
  decontaminate(image, alpha, { method = 'multilevel', strength = 1, extend = false, background = null } = {}) {
    return this.result(this.like(image, 4), (rgba) => {
      this.call('decontaminate', this.of(image), this.of(alpha), this.of(rgba), this.of(background), this.word(method), strength, Number(extend), this.threads);
    });
  }

  /**
   * Small components removed, or holes filled, in place.
   * @param {NativeArray} alpha uint8 or float32
   * @param {{holes?: boolean, level: number, leastArea?: number, keepLargest?: boolean, deepest?: number, ofLargest?: number, faint?: number}} how
   * @returns {{components: number, changed: number, gave_up: boolean}}
   */
  cleanComponents(alpha, { holes = false, level, leastArea = 0, keepLargest = false, deepest = 0, ofLargest = 0, faint = 0 }) {
    return this.scoped(() => {
      this.call('clean_components', this.of(alpha), Number(holes), level, leastArea, Number(keepLargest), deepest, ofLargest, faint);
      return JSON.parse(this.text());
    });
  }

  /** What is too small to be a subject's after a refinement, in place. @param {NativeArray} alpha @returns {{components: number, changed: number, gave_up: boolean}} */
  removeSmallComponents(alpha) {
    return this.scoped(() => {
      this.call('remove_small_components', this.of(alpha));
      return JSON.parse(this.text());
    });
  }

  /** Faint components and stray alpha removed, small holes filled, in place. @param {NativeArray} alpha of a network whose subjects are opaque */
  postProcess(alpha) {
    this.scoped(() => this.call('post_process', this.of(alpha)));
  }

  /** @param {NativeArray} alpha changed in place @param {{level: number, reach: number}} how */
  removeStrayAlpha(alpha, { level, reach }) {
    this.scoped(() => this.call('remove_stray_alpha', this.of(alpha), level, reach));
  }

  /** The product of an alpha with the one that the picture came with. @param {Input} alpha uint8 or float32 @param {Input} existing uint8 or uint16 @returns {NativeArray} the finer of both types */
  mergeAlpha(alpha, existing) {
    const dtype = dtypeOfInput(alpha) === 'float32' ? 'float32' : dtypeOfInput(existing);
    return this.result(new NativeArray(this, dtype, alpha.height, alpha.width), (out) => this.call('merge_alpha', this.of(alpha), this.of(existing), this.of(out)));
  }

  /** A Gaussian blur. @param {Input} alpha uint8 or float32 @param {number} sigma pixels @returns {NativeArray} */
  feather(alpha, sigma) {
    return this.result(this.like(alpha, 1), (out) => this.call('feather', this.of(alpha), this.of(out), sigma, this.threads));
  }

  /**
   * A straight cut-out over an image, or over one colour (an image of one row counts for every row).
   * @param {Input} rgba @param {Input} background of the cut-out's type and width @returns {NativeArray} H x W x 3
   */
  overImage(rgba, background) {
    return this.result(this.like(rgba, 3), (out) => {
      const back = this.of(background);
      if (background.height === 1) {
        // One row for all: as high as the cut-out, its rows no distance apart.
        const words = this.words(back, DESCRIPTOR_WORDS);
        [words[2], words[5]] = [rgba.height, 0];
      }
      this.call('over_image', this.of(rgba), back, this.of(out), this.threads);
    });
  }

  /**
   * @param {Input} rgba
   * @param {Input} colors a table of N x 1 x 3
   * @param {{radial: boolean, origin?: number, across?: number, down?: number, centerX?: number, centerY?: number, scale?: number}} how
   *   where each pixel falls in the table: see cpp/include/nssbg/compose.hpp
   * @returns {NativeArray} H x W x 3
   */
  overGradient(rgba, colors, { radial, origin = 0, across = 0, down = 0, centerX = 0, centerY = 0, scale = 0 }) {
    return this.result(this.like(rgba, 3), (out) => {
      this.call('over_gradient', this.of(rgba), this.of(colors), this.of(out), Number(radial), this.doubles([origin, across, down, centerX, centerY, scale]), this.threads);
    });
  }

  /** One straight layer over another. @param {Input} front @param {Input} back @returns {NativeArray} H x W x 4 */
  overLayer(front, back) {
    return this.result(this.like(front, 4), (out) => this.call('over_layer', this.of(front), this.of(back), this.of(out), this.threads));
  }

  /** @param {Input} rgba @returns {NativeArray} */
  premultiply(rgba) {
    return this.result(this.like(rgba, 4), (out) => this.call('premultiply', this.of(rgba), this.of(out), this.threads));
  }

  /** @param {Input} rgba @param {{screen: 0 | 1 | 2, strength?: number}} how the channel @returns {NativeArray} */
  suppressSpill(rgba, { screen, strength = 1 }) {
    return this.result(this.like(rgba, 4), (out) => this.call('suppress_spill', this.of(rgba), this.of(out), screen, strength, this.threads));
  }

  /** Around all pixels whose alpha is above the threshold. @param {Input} rgba @param {number} threshold @returns {Box} */
  subjectBox(rgba, threshold) {
    return this.scoped(() => {
      const box = this.ints([0, 0, 0, 0]);
      this.call('subject_box', this.of(rgba), threshold, this.threads, box);
      const [top, left, bottom, right] = this.words(box, 4);
      return { top, left, bottom, right };
    });
  }

  /** Turned upright. @param {Input} image @param {number} orientation of EXIF, 1 to 8 @returns {NativeArray} */
  orient(image, orientation) {
    const swapped = orientation >= 5;
    const out = new NativeArray(this, dtypeOfInput(image), swapped ? image.width : image.height, swapped ? image.height : image.width, image.channels);
    return this.result(out, () => this.call('orient', this.of(image), this.of(out), orientation, this.threads));
  }

  /**
   * @param {Input} pixels 1, 3 or 4 channels, uint8 or uint16
   * @param {{compression?: 'fast' | 'default' | 'best', chunks?: Uint8Array}} [how] whole chunks before the pixels
   * @returns {Uint8Array} the file
   */
  pngEncode(pixels, { compression = 'default', chunks = new Uint8Array(0) } = {}) {
    return this.scoped(() => {
      const out = this.ints([0, 0]);
      this.call('png_encode', this.of(pixels), this.word(compression), this.block(chunks), chunks.length, this.threads, out, out + 4);
      const [file, length] = [...this.words(out, 2)].map((word) => word >>> 0);
      this.scratch.push(file);
      return this.bytes.slice(file, file + length);
    });
  }

  /**
   * Undoes PNG's row filters.
   * @param {Uint8Array} filtered rows of a filter byte and rowBytes bytes
   * @param {{height: number, rowBytes: number, pixelBytes: number}} how
   * @returns {Uint8Array} height x rowBytes
   */
  pngUnfilter(filtered, { height, rowBytes, pixelBytes }) {
    if (filtered.length !== height * (rowBytes + 1)) throw new RangeError(`${height} rows of 1 + ${rowBytes} bytes are not ${filtered.length} bytes`);
    return this.scoped(() => {
      const plain = this.acquire(height * rowBytes);
      this.scratch.push(plain);
      this.call('png_unfilter', this.block(filtered), height, rowBytes, pixelBytes, plain);
      return this.bytes.slice(plain, plain + height * rowBytes);
    });
  }
}
