/**
 * An engine in a worker of its own, and pictures through it, one after the other: opened with the first, given up where
 * a picture left more memory behind than is worth holding, opened anew with the next.
 */
import { EngineError } from '../engine/interface.js';
import { WorkerClient } from '../engine/wasm/worker-client.js';
import { files } from './assets.js';
import { engineOptions, isWeak, requestOf } from './options.js';
import { imageFrom } from './source.js';

/** @typedef {import('./options.js').PictureOptions} PictureOptions */
/** @typedef {import('./options.js').EngineOptions} EngineOptions */
/** @typedef {import('./options.js').RunOptions} RunOptions */
/** @typedef {import('./options.js').Progress} Progress */
/** @typedef {import('./source.js').ImageSource} ImageSource */

/**
 * What runs, once it does.
 * @typedef {object} About
 * @property {'simd-threads' | 'simd' | 'plain'} build of the core
 * @property {number} threads
 * @property {'cpu' | 'gpu'} device that the network runs on
 * @property {string[]} notes what runs in place of what could have, and why
 */

/**
 * A cut-out and its account.
 * @typedef {object} Cutout
 * @property {Blob} blob PNG: straight alpha, the picture's own depth, profile, EXIF and density; without alpha over a background
 * @property {number} width
 * @property {number} height
 * @property {string} model "studio" or the network's name: which one's answer was taken
 * @property {number | null} confidence expected IoU with the truth, 0 to 1; null where it is not known
 * @property {boolean | null} lowConfidence a person should look
 * @property {Record<string, number>} timings milliseconds by stage
 * @property {string[]} notes
 */

/** @typedef {{client: WorkerClient, about: About}} Engine */

/** Bytes of the engine's memory, which never shrinks, that are not held on to between pictures. */
const MOST_IDLE = 400 << 20;

export class Remover {
  /** @param {EngineOptions} [options] */
  constructor(options = {}) {
    const { publicPath, device } = engineOptions(options);
    this.publicPath = publicPath;
    this.device = device;
    /** @type {WorkerClient | null} */
    this.client = null;
    /** @type {Promise<Engine> | null} */
    this.opening = null;
    /** @type {Promise<unknown>} */
    this.line = Promise.resolve();
    this.waiting = 0;
    /** Why WebGPU was left halfway: it is not tried again. @type {string | null} */
    this.withoutWebgpu = null;
  }

  /** Loads the engine before the first picture wants it. @param {RunOptions} [how] @returns {Promise<About>} */
  preload({ signal, onProgress } = {}) {
    return this.turn(async () => (await this.open(onProgress)).about, signal);
  }

  /** A picture with its background made transparent, as a PNG file. @param {ImageSource} source @param {PictureOptions} [options] @returns {Promise<Blob>} */
  async removeBackground(source, options) {
    return (await this.cutout(source, options)).blob;
  }

  /** The same, with what is to be said of it. @param {ImageSource} source @param {PictureOptions} [options] @returns {Promise<Cutout>} */
  async cutout(source, options = {}) {
    const { frame, background, ...request } = requestOf(options);
    const { signal, onProgress } = options;
    const { file, name } = await imageFrom(source, { signal });
    const named = options.name ?? name ?? request.name;
    return this.turn(async () => {
      const { client } = await this.open(onProgress);
      const asked = { type: 'picture', key: keyOf(file), file, ...request, name: named };
      const made = await client.ask(asked, stagesTo(onProgress));
      /** @type {Cutout} */
      const cutout = {
        blob: new Blob([made.png], { type: 'image/png' }), width: made.width, height: made.height,
        model: made.model, confidence: made.confidence, lowConfidence: made.low_confidence, timings: made.timings, notes: made.notes,
      };
      if (!frame) return cutout;
      onProgress?.({ stage: 'compose' });
      const framed = await client.ask({ type: 'frame', file: cutout.blob, name: named, frame, background });
      return { ...cutout, blob: new Blob([framed.png], { type: 'image/png' }), width: framed.width, height: framed.height, timings: { ...made.timings, ...framed.timings } };
    }, signal);
  }

  /** Only the alpha, as a grey PNG file: white is the subject. @param {ImageSource} source @param {PictureOptions} [options] @returns {Promise<Blob>} */
  async alpha(source, options = {}) {
    if (requestOf(options).background) throw new EngineError('invalid', 'an alpha has no background');
    // No colours are needed but the picture's own.
    const blob = await this.removeBackground(source, { ...options, foreground: 'off', decontaminate: 0 });
    return this.turn(async () => {
      const { png } = await (await this.open()).client.ask({ type: 'mask', file: blob, name: options.name ?? 'the cut-out' });
      return new Blob([png], { type: 'image/png' });
    }, options.signal);
  }

  /**
   * A cut-out's pixels, straight, in 8 bits.
   * @param {ImageSource} source @param {PictureOptions} [options] not its framing @returns {Promise<ImageData>}
   */
  async pixels(source, options = {}) {
    const { frame, background: _, ...request } = requestOf(options);
    if (frame) throw new EngineError('invalid', 'pixels are not framed: trim, canvas, padding, longestSide and background are for files');
    const { file, name } = await imageFrom(source, options);
    return this.turn(async () => {
      const { client } = await this.open(options.onProgress);
      const asked = { type: 'picture', key: keyOf(file), file, ...request, name: options.name ?? name ?? request.name, shown: true };
      const { rgba, width, height } = await client.ask(asked, stagesTo(options.onProgress));
      return new ImageData(rgba, width, height);
    }, options.signal);
  }

  /** Pixels as a PNG file, by the engine's encoder. @param {ImageData} image @param {{signal?: AbortSignal}} [how] @returns {Promise<Blob>} */
  encode({ data, width, height }, { signal } = {}) {
    return this.turn(async () => {
      const image = { data, width, height, channels: 4 };
      const { png } = await (await this.open()).client.ask({ type: 'encode', image });
      return new Blob([png], { type: 'image/png' });
    }, signal);
  }

  /** Ends the worker and gives its memory back; the next picture opens another. @param {string} [why] what is said to who waits for it */
  close(why = 'the engine was closed') {
    this.client?.close(why);
    this.client = null;
    this.opening = null;
  }

  /**
   * Runs work when what was asked before is done.
   * @template T @param {() => Promise<T>} work @param {AbortSignal} [signal] @returns {Promise<T>}
   */
  turn(work, signal) {
    this.waiting += 1;
    const mine = this.line.then(async () => {
      signal?.throwIfAborted();
      // The core does not look up from a stage that it is in: only its end ends that.
      const ended = () => this.close('aborted');
      signal?.addEventListener('abort', ended, { once: true });
      try {
        return await work();
      } catch (error) {
        throw signal?.aborted ? signal.reason : error;
      } finally {
        signal?.removeEventListener('abort', ended);
      }
    });
    this.line = mine.catch(() => {}).then(() => this.rest());
    return signal ? untilAborted(mine, signal) : mine;
  }

  /** After each turn. */
  async rest() {
    this.waiting -= 1;
    if (this.waiting || !this.client || !this.opening) return;
    const { client } = this;
    const bytes = await client.ask({ type: 'memory' }).then((told) => told.bytes, () => 0);
    if (bytes >= MOST_IDLE && client === this.client && !this.waiting) this.close();
  }

  /** @param {(progress: Progress) => void} [onProgress] @returns {Promise<Engine>} */
  open(onProgress) {
    const opening = this.opening ?? this.start(onProgress);
    this.opening = opening;
    opening.catch(() => {
      if (this.opening === opening) this.close();
    });
    return opening;
  }

  /** @param {(progress: Progress) => void} [onProgress] @returns {Promise<Engine>} */
  async start(onProgress) {
    const listed = files(this.publicPath);
    const client = new WorkerClient(workerAt(listed.worker), () => this.client === client && this.close(), () => {});
    this.client = client;
    const webgpu = this.device !== 'cpu' && !this.withoutWebgpu;
    const loading = (/** @type {{bytes: number, of: number}} */ { bytes, of }) => onProgress?.({ stage: 'load', loaded: bytes, total: of });
    try {
      const { build, threads, device, notes } = await client.ask({ type: 'open', site: { files: listed.files }, weak: isWeak(), webgpu }, loading);
      if (this.device === 'gpu' && device !== 'gpu') throw new EngineError('unsupported', `device "gpu" does not run here: ${notes.find((/** @type {string} */ note) => note.includes('WebGPU')) ?? 'this browser has no WebGPU for it'}`);
      const about = { build, threads, device, notes: [...notes, ...(this.withoutWebgpu ? [this.withoutWebgpu] : [])] };
      return { client, about };
    } catch (error) {
      client.close(error instanceof Error ? error.message : String(error));
      const { kind, message } = error instanceof EngineError ? error : { kind: 'failed', message: String(error) };
      if (kind === 'webgpu' && this.device === 'auto') {
        this.withoutWebgpu = message;
        return this.start(onProgress);
      }
      if (message.includes('could not be started')) throw new EngineError('failed', `${message}: is ${listed.worker} there? The package's files have to lie beside the program, or where publicPath says`);
      throw error;
    }
  }
}

/** @param {((progress: Progress) => void) | undefined} onProgress */
const stagesTo = (onProgress) => (/** @type {{stage: string}} */ { stage }) => onProgress?.({ stage });

/** @param {string} address @returns {Worker} */
function workerAt(address) {
  try {
    return new Worker(address, { type: 'module' });
  } catch (error) {
    throw new EngineError('failed', `no worker can be started from ${address}: ${error instanceof Error ? error.message : error}`);
  }
}

/** So that pixels of one file are decoded once for cut-outs that follow each other. @type {WeakMap<object, string>} */
const keys = new WeakMap();
let serial = 0;
/** @param {Blob | ImageData} file @returns {string} */
function keyOf(file) {
  // Pixels of ImageData may change between two calls.
  if (!(file instanceof Blob)) return `p${++serial}`;
  const key = keys.get(file) ?? `p${++serial}`;
  keys.set(file, key);
  return key;
}

/** Who waits need not wait for the line. @template T @param {Promise<T>} work @param {AbortSignal} signal @returns {Promise<T>} */
function untilAborted(work, signal) {
  return new Promise((resolve, reject) => {
    const ended = () => reject(signal.reason);
    if (signal.aborted) ended();
    else signal.addEventListener('abort', ended, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', ended));
  });
}
