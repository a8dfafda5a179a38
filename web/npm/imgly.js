/**
 * `@nssbg/web/imgly`: functions and configuration by the names of `@imgly/background-removal`, on this package's engine.
 *
 * What a configuration asks for and this engine does not have is warned of once, by its name; a value that neither
 * knows is refused.
 */
import { EngineError } from '../engine/interface.js';
import { shared } from './shared.js';
import { imageFrom } from './source.js';

/** An array of height x width x channels, as the package ndarray makes it. @typedef {{data: Uint8Array | Uint8ClampedArray, shape: number[]}} PixelArray */
/** @typedef {ImageData | ArrayBuffer | Uint8Array | Blob | URL | string | PixelArray} ImageSource */
/** @typedef {'image/png' | 'image/jpeg' | 'image/webp' | 'image/x-rgba8' | 'image/x-alpha8'} Format */

/**
 * @typedef {object} Config
 * @property {string} [publicPath] where this package's `npm/files` lie
 * @property {boolean} [debug] timings on the console
 * @property {boolean} [rescale] results always have the picture's size
 * @property {'cpu' | 'gpu'} [device] "gpu": WebGPU where its values agree and it is faster
 * @property {boolean} [proxyToWorker] it always runs in a worker
 * @property {RequestInit} [fetchArgs] for the picture's address
 * @property {(key: string, current: number, total: number) => void} [progress]
 * @property {'isnet' | 'isnet_fp16' | 'isnet_quint8' | 'small' | 'medium' | 'large' | 'auto' | 'studio' | 'nssbg-lite'} [model]
 * @property {{format?: Format, quality?: number, type?: string}} [output] quality: 0 to 1, 0.8
 */

const FORMATS = ['image/png', 'image/jpeg', 'image/webp', 'image/x-rgba8', 'image/x-alpha8'];
const THEIR_MODELS = ['isnet', 'isnet_fp16', 'isnet_quint8', 'small', 'medium', 'large'];
const OUR_MODELS = ['auto', 'studio', 'nssbg-lite'];
const KNOWN = ['publicPath', 'debug', 'rescale', 'device', 'proxyToWorker', 'fetchArgs', 'progress', 'model', 'output'];

/** @type {Set<string>} */
const warned = new Set();
/** @param {string} name @param {string} message */
function warnOnce(name, message) {
  if (warned.has(name)) return;
  warned.add(name);
  console.warn(`@nssbg/web/imgly: ${name}: ${message}`);
}

/** @param {string} message @returns {never} */
function refuse(message) {
  throw new EngineError('invalid', message);
}

/** A configuration as this package's options. @param {Config} config */
function asked(config) {
  for (const [name, value] of Object.entries(config)) {
    if (!KNOWN.includes(name) && value !== undefined) warnOnce(name, 'there is no such configuration; it is left out');
  }
  const { publicPath, debug = false, rescale = true, device = 'cpu', proxyToWorker = true, fetchArgs, progress, model = 'auto', output = {} } = config;
  if (![...THEIR_MODELS, ...OUR_MODELS].includes(model)) refuse(`model is one of ${[...THEIR_MODELS, ...OUR_MODELS].join(', ')}, not ${JSON.stringify(model)}`);
  if (!['cpu', 'gpu'].includes(device)) refuse(`device is "cpu" or "gpu", not ${JSON.stringify(device)}`);
  const { format = 'image/png', quality = 0.8, type } = output;
  if (!FORMATS.includes(format)) refuse(`output.format is one of ${FORMATS.join(', ')}, not ${JSON.stringify(format)}`);
  if (typeof quality !== 'number' || !(quality >= 0 && quality <= 1)) refuse(`output.quality is a number from 0 to 1, not ${JSON.stringify(quality)}`);
  if (THEIR_MODELS.includes(model)) warnOnce('model', `${model} is not in this package; "auto" runs in its place`);
  if (!rescale) warnOnce('rescale', 'results have the size of the picture here');
  if (!proxyToWorker) warnOnce('proxyToWorker', 'the engine always runs in a worker');
  if (type !== undefined) warnOnce('output.type', 'is left out; the functions say what is made');
  /** @type {((progress: import('./options.js').Progress) => void) | undefined} */
  const onProgress = progress ? ({ stage, loaded = 0, total = 1 }) => progress(stage === 'load' ? 'fetch:engine' : `compute:${stage}`, loaded, total) : undefined;
  const ours = /** @type {import('./options.js').Model} */ (OUR_MODELS.includes(model) ? model : 'auto');
  const { remover } = shared({ publicPath, device: device === 'gpu' ? 'auto' : 'cpu' });
  return { remover, debug, fetchArgs, format, quality, options: { model: ours, onProgress } };
}

/** @typedef {ReturnType<typeof asked>} Asked */

/** @param {ImageSource} image @param {Asked} how */
async function fileOf(image, { fetchArgs }) {
  if (isPixelArray(image)) return { file: imageOf(image), name: null };
  return imageFrom(image, { fetchArgs, anyOrigin: true });
}

/** @param {any} image @returns {image is PixelArray} */
const isPixelArray = (image) => Array.isArray(image?.shape) && ArrayBuffer.isView(image.data);

/** @param {PixelArray} array @returns {ImageData} */
function imageOf({ data, shape }) {
  const [height, width, channels = 1] = shape;
  if (![1, 3, 4].includes(channels) || data.length !== height * width * channels) refuse(`an array of pixels has height x width x 1, 3 or 4 bytes, not ${shape.join(' x ')} with ${data.length}`);
  const image = new ImageData(width, height);
  for (let i = 0; i < height * width; i++) {
    for (let c = 0; c < 3; c++) image.data[4 * i + c] = data[i * channels + Math.min(c, channels - 1)];
    image.data[4 * i + 3] = channels === 4 ? data[4 * i + 3] : 255;
  }
  return image;
}

/** Pixels in the format asked for. @param {ImageData} image @param {Asked} how @returns {Promise<Blob>} */
async function encoded(image, { remover, format, quality }) {
  const { data, width, height } = image;
  const type = `${format};width=${width};height=${height}`;
  if (format === 'image/x-rgba8') return new Blob([data], { type });
  if (format === 'image/x-alpha8') return new Blob([data.filter((_, i) => i % 4 === 3)], { type });
  if (format === 'image/png') return remover.encode(image);
  const canvas = new OffscreenCanvas(width, height);
  /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext('2d')).putImageData(image, 0, 0);
  const blob = await canvas.convertToBlob({ type: format, quality });
  if (blob.type !== format) throw new EngineError('unsupported', `this browser writes no ${format}`);
  return blob;
}

/** @template T @param {string} what @param {Asked} how @param {() => Promise<T>} work @returns {Promise<T>} */
async function timed(what, { debug }, work) {
  const began = performance.now();
  const made = await work();
  if (debug) console.debug(`@nssbg/web/imgly: ${what}: ${Math.round(performance.now() - began)} ms`);
  return made;
}

/** A picture's pixels as they are, and its alpha. @param {ImageSource} image @param {Asked} how */
async function pixelsAndAlpha(image, how) {
  const { file, name } = await fileOf(image, how);
  const cut = await how.remover.pixels(file, { ...how.options, name: name ?? undefined, foreground: 'off', decontaminate: 0 });
  return { cut, alpha: cut.data.filter((_, i) => i % 4 === 3), file };
}

/** A picture with its background made transparent. @param {ImageSource} image @param {Config} [config] @returns {Promise<Blob>} */
export async function removeBackground(image, config = {}) {
  const how = asked(config);
  return timed('removeBackground', how, async () => {
    const { file, name } = await fileOf(image, how);
    const options = { ...how.options, name: name ?? undefined };
    if (how.format === 'image/png') return how.remover.removeBackground(file, options);
    return encoded(await how.remover.pixels(file, options), how);
  });
}

/** A picture with its subject made transparent. @param {ImageSource} image @param {Config} [config] @returns {Promise<Blob>} */
export async function removeForeground(image, config = {}) {
  const how = asked(config);
  return timed('removeForeground', how, async () => {
    const { alpha, file } = await pixelsAndAlpha(image, how);
    const whole = await decoded(file);
    for (let i = 0; i < alpha.length; i++) whole.data[4 * i + 3] = Math.min(whole.data[4 * i + 3], 255 - alpha[i]);
    return encoded(whole, how);
  });
}

/** The alpha, as that of a white picture. @param {ImageSource} image @param {Config} [config] @returns {Promise<Blob>} */
export async function segmentForeground(image, config = {}) {
  const how = asked(config);
  return timed('segmentForeground', how, async () => {
    const { cut, alpha } = await pixelsAndAlpha(image, how);
    for (let i = 0; i < alpha.length; i++) cut.data.fill(255, 4 * i, 4 * i + 3);
    return encoded(cut, how);
  });
}

export const alphamask = segmentForeground;

/**
 * A picture with a mask of `segmentForeground` as its alpha; a mask of another size is scaled.
 * @param {ImageSource} image @param {ImageSource} mask its alpha counts, or, where it is opaque, its grey @param {Config} [config] @returns {Promise<Blob>}
 */
export async function applySegmentationMask(image, mask, config = {}) {
  const how = asked(config);
  return timed('applySegmentationMask', how, async () => {
    const whole = await decoded((await fileOf(image, how)).file);
    const { width, height } = whole;
    const shape = await decoded((await fileOf(mask, how)).file, { width, height });
    const own = shape.data.some((value, i) => i % 4 === 3 && value < 255) ? 3 : 0;
    for (let i = 0; i < width * height; i++) whole.data[4 * i + 3] = shape.data[4 * i + own];
    return encoded(whole, how);
  });
}

/** Loads the engine before the first picture wants it. @param {Config} [config] @returns {Promise<void>} */
export async function preload(config = {}) {
  const how = asked(config);
  await timed('preload', how, () => how.remover.preload({ onProgress: how.options.onProgress }));
}

/**
 * A file's pixels, upright, as sRGB in 8 bits, by the browser; raw ones by the width and height in their type.
 * @param {Blob | ImageData} file @param {{width: number, height: number}} [size] that it is scaled to
 * @returns {Promise<ImageData>} one of its own
 */
async function decoded(file, size) {
  let image = file;
  if (image instanceof Blob) {
    const raw = /^image\/x-(rgba|alpha)8;.*width=(\d+);\s*height=(\d+)/.exec(image.type);
    if (raw) {
      const data = new Uint8Array(await image.arrayBuffer());
      image = imageOf({ data, shape: [Number(raw[3]), Number(raw[2]), raw[1] === 'rgba' ? 4 : 1] });
    }
  }
  if (image instanceof ImageData && (!size || (size.width === image.width && size.height === image.height))) {
    return new ImageData(image.data.slice(), image.width, image.height);
  }
  const bitmap = await createImageBitmap(image, { premultiplyAlpha: 'none' }).catch((error) => {
    throw new EngineError('unsupported', `the picture cannot be read: ${error instanceof Error ? error.message : error}`);
  });
  const { width, height } = size ?? bitmap;
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (new OffscreenCanvas(width, height).getContext('2d'));
  context.drawImage(bitmap, 0, 0, width, height);
  bitmap.close();
  return context.getImageData(0, 0, width, height);
}

export default removeBackground;
