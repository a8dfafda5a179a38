/**
 * The engine in WebAssembly, in a worker: of a page, or of Node in tests.
 *
 * It takes `open` once, then the rest as often as wanted, one after the other; every answer carries the number of what
 * it answers. Requests go to the addresses of `open` and nowhere else.
 */
import { CoreError, loadCore, supportedBuilds } from '../core/core.js';
import { analysed } from '../core/analysis.js';
import { edgePixels } from '../core/corrections.js';
import { cutoutPng, finished } from '../core/cutout.js';
import { loadRuntime, Network } from '../core/network.js';
import { decodePng, encodePng } from '../core/png.js';
import { composedFile, inBytes } from './wasm/composing.js';
import { decodeFile, JpegDecoder } from './wasm/picture-file.js';
import { paceOf } from './wasm/pace.js';
import { SiteFiles } from './wasm/site-files.js';
import { tryWebgpu, webgpuHere, WebgpuError } from './wasm/webgpu.js';

/**
 * @typedef {object} Open
 * @property {'open'} type
 * @property {number} id
 * @property {string | import('./wasm/site-files.js').Listed} [site] the folder of a site with its `site.json`, or a list of
 *   files: all that follows comes from it; else
 * @property {string} [core] the folder of the core's builds
 * @property {string} [runtime] the folder of onnxruntime-web; left out: the weights-free method alone
 * @property {string} [network] the network's file
 * @property {import('../core/network.js').Description} [description]
 * @property {import('../core/core.js').Build} [build]
 * @property {number} [threads]
 * @property {boolean} [weak] with a site: a device with little memory
 * @property {boolean | 'software'} [webgpu] with a site: whether WebGPU is tried; one in software too
 */

/**
 * @typedef {object} CutOut
 * @property {'cutout'} type
 * @property {number} id
 * @property {import('../core/native-array.js').Pixels} [image] decoded, H x W x 3; or
 * @property {Uint8Array} [png] a PNG file
 * @property {string} [name] for errors
 * @property {string} model "studio", the network's name, or "auto": the better answer of both
 * @property {import('../core/cutout.js').CutoutOptions & {frame?: import('../core/framing.js').Frame | null}} [options]
 */

/**
 * A picture from its file to its cut-out: as a PNG file, or, for showing, as RGBA in 8 bits.
 * @typedef {object} Picture
 * @property {'picture'} type
 * @property {number} id
 * @property {string} key names the file, so that its pixels are decoded once
 * @property {Blob | ImageData} file
 * @property {string} name
 * @property {number} maxPixels
 * @property {string} model
 * @property {import('../core/cutout.js').CutoutOptions} options
 * @property {{choke: number, softness: number}} [edge] shares of the most that is offered
 * @property {boolean} [shown] as pixels for showing
 */

/**
 * A cut-out's PNG file as a result looks: as a PNG file, or as RGBA in 8 bits.
 * @typedef {{type: 'frame', id: number, shown?: boolean} & import('./wasm/composing.js').Asked} FrameIt
 */
/** @typedef {{type: 'pace', id: number, effort: import('../core/maps.js').Effort}} AskPace how fast this device is */
/** @typedef {{type: 'memory', id: number}} AskMemory bytes that the core holds */
/** @typedef {{type: 'mask', id: number, file: Blob, name: string}} Mask the alpha of a cut-out's PNG file as one of its own */
/** @typedef {{type: 'encode', id: number, image: import('../core/native-array.js').Pixels}} Encode pixels as a PNG file */

/**
 * @typedef {{type: 'opened', id: number, build: string, threads: number, device?: string, deviceName?: string, timings?: Record<string, number>, notes?: string[], fetched?: {path: string, why: string}[]} |
 *   {type: 'loading', id: number, bytes: number, of: number} | {type: 'request', address: string} |
 *   {type: 'stage', id: number, stage: string} |
 *   ({type: 'done', id: number, png?: Uint8Array, rgba?: Uint8ClampedArray, width?: number, height?: number} &
 *     Partial<import('../core/cutout.js').Told>) |
 *   {type: 'memory', id: number, bytes: number} |
 *   {type: 'pace', id: number, pace: import('./wasm/pace.js').Pace} |
 *   {type: 'failed', id: number, kind: string, message: string}} Answer
 */

const inNode = typeof (/** @type {any} */ (globalThis).WorkerGlobalScope) === 'undefined';
const port = inNode ? (await import(/** @type {string} */ ('node:worker_threads'))).parentPort : globalThis;

/** @param {Answer} answer @param {Transferable[]} [moved] */
const tell = (answer, moved = []) => port.postMessage(answer, moved);

/** @type {import('../core/core.js').Core | undefined} */
let core;
/** @type {Network | null} */
let network = null;
/** @type {JpegDecoder | undefined} */
let decoder;
/** Pixels of a picture that is not kept for an edit. */
const MOST_KEPT = 16e6;
/** The last picture's pixels: an edit of it needs no second reading. @type {{key: string, decoded: import('./wasm/picture-file.js').DecodedFile} | null} */
let last = null;

/** What the network found of it: corrections and edges of it need no second run. @type {{wanted: string, analysis: import('../core/analysis.js').Analysis} | null} */
let found = null;
function forget() {
  found?.analysis.release();
  found = null;
}

/** @param {string} url @returns {Promise<Uint8Array>} */
async function bytesAt(url) {
  if (new URL(url).protocol === 'file:') return (await import(/** @type {string} */ ('node:fs/promises'))).readFile(new URL(url));
  const response = await fetch(url);
  if (!response.ok) throw new CoreError('failed', `${url} answers ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** @param {Open} said */
async function open({ id, site, core: base, runtime, network: file, description, build, threads, weak, webgpu }) {
  if (site) return openSite({ id, site, weak, webgpu });
  core = await loadCore({ base, build, threads });
  if (runtime && file && description) {
    const ort = await loadRuntime(runtime, core.threads);
    network = await Network.open(ort, await bytesAt(file), description);
  }
  tell({ type: 'opened', id, build: core.build, threads: core.threads });
}

/** All from one site: each file held to the site's list, and kept. @param {{id: number, site: string | import('./wasm/site-files.js').Listed, weak?: boolean, webgpu?: boolean | 'software'}} said */
async function openSite({ id, site, weak = false, webgpu = true }) {
  const files = await SiteFiles.open(site);
  const builds = supportedBuilds().filter((build) => !weak || build !== 'simd-threads');
  const gpu = !weak && (webgpu === 'software' || webgpu === true) && (await webgpuHere(webgpu === 'software'));
  const [module, runtime] = gpu ? ['ort.jspi.min.mjs', 'runtime/ort-wasm-simd-threaded.jspi.wasm'] : ['ort.wasm.min.mjs', 'runtime/ort-wasm-simd-threaded.wasm'];
  const description = await (await fetch(files.at('models/nssbg-lite.json'))).json();
  const weights = `models/${description.file}`;
  const large = [`core/${builds[0]}/nssbg-core.wasm`, 'decoder/mozjpeg_dec.wasm', runtime, weights];
  // From the second visit on the page is isolated, by its service worker, and may have no network then.
  if (files.cache && !crossOriginIsolated && !weak && builds[0] === 'simd') large.push('core/simd-threads/nssbg-core.wasm');
  const of = files.bytesOf(large);
  let bytes = 0;
  const onBytes = (/** @type {number} */ more) => {
    bytes += more;
    tell({ type: 'loading', id, bytes: Math.min(bytes, of), of });
  };
  /** @type {Record<string, number>} */
  const timings = {};
  let began = performance.now();
  const lap = (/** @type {string} */ name) => {
    timings[name] = performance.now() - began;
    began = performance.now();
  };
  /** @type {Uint8Array | undefined} */
  let bytesOfNetwork;
  for (const path of large) {
    const found = await files.bytes(path, onBytes);
    if (path === weights) bytesOfNetwork = found;
  }
  lap('load');
  /** @type {string[]} */
  const notes = [];
  for (const build of builds) {
    try {
      core = await loadCore({ base: files.place('core/'), build });
      break;
    } catch (error) {
      if (build === builds[builds.length - 1]) throw error;
      notes.push(`the build ${build} does not start here: ${error instanceof Error ? error.message : error}`);
    }
  }
  if (!core) throw new CoreError('failed', 'no build of the core runs here');
  lap('core');
  decoder = new JpegDecoder(files.place('decoder/'));
  const weightsFile = /** @type {Uint8Array} */ (bytesOfNetwork);
  let device = 'cpu';
  /** @type {string | undefined} */
  let deviceName;
  try {
    const ort = await loadRuntime(files.place('runtime/'), core.threads, module);
    network = await Network.open(ort, weightsFile, description);
    const tried = gpu ? await tryWebgpu(ort, core, weightsFile, description, network, webgpu === 'software') : null;
    if (tried?.network) {
      await network.close();
      network = tried.network;
      [device, deviceName] = ['gpu', tried.note];
    } else if (tried) notes.push(tried.note);
  } catch (error) {
    if (!gpu || error instanceof WebgpuError) throw error;
    throw new WebgpuError(`WebGPU is left out: its runtime does not start: ${error instanceof Error ? error.message : error}`);
  }
  files.forget([runtime, weights]);
  lap('network');
  tell({ type: 'opened', id, build: core.build, threads: core.threads, device, deviceName, timings, notes: files.note ? [files.note, ...notes] : notes, fetched: files.fetched });
}

/** @param {string} model @returns {Network | null} */
function networkOf(model) {
  const here = network ? ['studio', network.description.name, 'auto'] : ['studio'];
  if (!here.includes(model)) throw new CoreError('invalid', `the model ${model} is not here; ${here.join(', ')} ${network ? 'are' : 'is'}`);
  return model === 'studio' ? null : network;
}

/** @returns {import('../core/core.js').Core} */
function opened() {
  if (!core) throw new CoreError('invalid', 'the engine is not open yet');
  return core;
}

const UNMANAGED = 'the network saw the colours as sRGB, not by their profile';

/** @param {CutOut} said */
async function cutOut({ id, image, png, name, model, options }) {
  const core = opened();
  const chosen = networkOf(model);
  const decoded = png ? await decodePng(core, png, { name }) : null;
  const pixels = decoded?.rgb ?? image;
  if (!pixels) throw new CoreError('invalid', 'a cut-out needs an image or a png');
  const held = core.array(pixels);
  try {
    const { profile = null, exif = null, dpi = null } = decoded ?? {};
    const onStage = (/** @type {string} */ stage) => tell({ type: 'stage', id, stage });
    const made = await cutoutPng(core, chosen, held, { ...options, auto: model === 'auto', existing: decoded?.alpha ?? null, metadata: { profile, exif, dpi }, onStage });
    if (profile && made.model !== 'studio') made.notes.push(UNMANAGED);
    tell({ type: 'done', id, ...made }, [/** @type {ArrayBuffer} */ (made.png.buffer)]);
  } finally {
    held.release();
  }
}

/** @param {Picture} said */
async function picture({ id, key, file, name, maxPixels, model, options, edge, shown }) {
  const core = opened();
  const chosen = networkOf(model);
  const onStage = (/** @type {string} */ stage) => tell({ type: 'stage', id, stage });
  onStage('decode');
  const began = performance.now();
  if (last?.key !== key) {
    forget();
    last = null; // before the next one is there: two large ones need not fit
    last = { key, decoded: await decodeFile(core, /** @type {JpegDecoder} */ (decoder), file, { name, maxPixels }) };
  }
  const { rgb, alpha: existing, metadata, notes } = last.decoded;
  const decode = performance.now() - began;
  const held = core.array(rgb);
  /** @type {import('../core/cutout.js').CutoutResult} */
  let made;
  try {
    const { effort, ...how } = options;
    const box = how.corrections?.box ?? null;
    const wanted = JSON.stringify([key, model, effort, box]);
    if (found?.wanted !== wanted) {
      forget();
      found = { wanted, analysis: await analysed(core, chosen, held, { auto: model === 'auto', effort, box, onStage }) };
    }
    made = await finished(core, held, found.analysis, { ...how, existing, edge: edge ? edgePixels(core, edge, held) : null, onStage });
  } finally {
    held.release();
  }
  try {
    const { rgba: result, ...told } = made;
    const { width, height } = result;
    told.notes = [...notes, ...told.notes, ...(metadata.profile && told.model !== 'studio' ? [UNMANAGED] : [])];
    told.timings = { decode, ...told.timings };
    if (shown) {
      const rgba = inBytes(result.view());
      tell({ type: 'done', id, ...told, rgba, width, height }, [rgba.buffer]);
      return;
    }
    onStage('encode');
    const before = performance.now();
    const png = await encodePng(core, result, metadata);
    told.timings.encode = performance.now() - before;
    tell({ type: 'done', id, ...told, png, width, height }, [/** @type {ArrayBuffer} */ (png.buffer)]);
  } finally {
    if (rgb.height * rgb.width > MOST_KEPT) {
      last = null;
      forget();
    }
    made.rgba.release();
    core.trim();
  }
}

/** @param {FrameIt} said */
async function frameIt({ id, shown, ...asked }) {
  const core = opened();
  const began = performance.now();
  const { pixels, metadata } = await composedFile(core, /** @type {JpegDecoder} */ (decoder), asked);
  try {
    const size = { width: pixels.width, height: pixels.height };
    if (shown) {
      const bytes = opaque(inBytes(pixels.view()), pixels.channels);
      tell({ type: 'done', id, rgba: bytes, ...size }, [bytes.buffer]);
      return;
    }
    const png = await encodePng(core, pixels, metadata);
    tell({ type: 'done', id, png, ...size, timings: { compose: performance.now() - began } }, [/** @type {ArrayBuffer} */ (png.buffer)]);
  } finally {
    pixels.release();
  }
}

/** With a fourth channel where there are three. @param {Uint8ClampedArray<ArrayBuffer>} bytes @param {number} channels */
function opaque(bytes, channels) {
  if (channels === 4) return bytes;
  const all = new Uint8ClampedArray((bytes.length / 3) * 4).fill(255);
  for (let from = 0, to = 0; from < bytes.length; from += 3, to += 4) for (let c = 0; c < 3; c++) all[to + c] = bytes[from + c];
  return all;
}

/** @param {Mask} said */
async function mask({ id, file, name }) {
  const core = opened();
  const { alpha } = await decodePng(core, new Uint8Array(await file.arrayBuffer()), { name });
  if (!alpha) throw new CoreError('failed', `${name} has no alpha`);
  const png = await encodePng(core, alpha);
  tell({ type: 'done', id, png }, [/** @type {ArrayBuffer} */ (png.buffer)]);
}

/** @param {Encode} said */
async function encode({ id, image }) {
  const png = await encodePng(opened(), image);
  tell({ type: 'done', id, png }, [/** @type {ArrayBuffer} */ (png.buffer)]);
}

/** One after the other: the core does one thing at a time. @type {Promise<void>} */
let line = Promise.resolve();
/** @param {Open | CutOut | Picture | Mask | FrameIt | Encode | AskPace | AskMemory} said */
function take(said) {
  line = line.then(async () => {
    try {
      if (said.type === 'open') await open(said);
      else if (said.type === 'cutout') await cutOut(said);
      else if (said.type === 'picture') await picture(said);
      else if (said.type === 'mask') await mask(said);
      else if (said.type === 'frame') await frameIt(said);
      else if (said.type === 'encode') await encode(said);
      else if (said.type === 'memory') tell({ type: 'memory', id: said.id, bytes: opened().memoryBytes });
      else tell({ type: 'pace', id: said.id, pace: await paceOf(opened(), networkOf('auto'), said.effort) });
    } catch (error) {
      const kind = error instanceof CoreError || error instanceof WebgpuError ? error.kind : 'failed';
      tell({ type: 'failed', id: said.id, kind, message: error instanceof Error ? error.message : String(error) });
    }
  });
}

if (inNode) {
  port.on('message', take);
} else {
  new PerformanceObserver((list) => {
    for (const { name } of list.getEntries()) tell({ type: 'request', address: name });
  }).observe({ type: 'resource', buffered: true });
  port.onmessage = (/** @type {MessageEvent} */ event) => take(event.data);
}
