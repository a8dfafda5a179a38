/**
 * The engine in WebAssembly, in a worker: of a page, or of Node in tests.
 *
 * It takes `open` once, then `cutout` as often as wanted, one after the other; every answer carries the number
 * of what it answers. Requests go to the addresses of `open` and nowhere else.
 */
import { CoreError, loadCore } from '../core/core.js';
import { cutoutPng } from '../core/cutout.js';
import { loadRuntime, Network } from '../core/network.js';
import { decodePng } from '../core/png.js';

/**
 * @typedef {object} Open
 * @property {'open'} type
 * @property {number} id
 * @property {string} core the folder of the core's builds
 * @property {string} [runtime] the folder of onnxruntime-web; left out: the weights-free method alone
 * @property {string} [network] the network's file
 * @property {import('../core/network.js').Description} [description]
 * @property {import('../core/core.js').Build} [build]
 * @property {number} [threads]
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
 * @typedef {{type: 'opened', id: number, build: string, threads: number} |
 *   {type: 'stage', id: number, stage: string} |
 *   {type: 'done', id: number, png: Uint8Array} & import('../core/cutout.js').Told |
 *   {type: 'failed', id: number, kind: string, message: string}} Answer
 */

const inNode = typeof (/** @type {any} */ (globalThis).WorkerGlobalScope) === 'undefined';
const port = inNode ? (await import(/** @type {string} */ ('node:worker_threads'))).parentPort : globalThis;

/** @param {Answer} answer @param {ArrayBuffer[]} [moved] */
const tell = (answer, moved = []) => port.postMessage(answer, moved);

/** @type {import('../core/core.js').Core | undefined} */
let core;
/** @type {Network | null} */
let network = null;

/** @param {string} url @returns {Promise<Uint8Array>} */
async function bytesAt(url) {
  if (new URL(url).protocol === 'file:') return (await import(/** @type {string} */ ('node:fs/promises'))).readFile(new URL(url));
  const response = await fetch(url);
  if (!response.ok) throw new CoreError('failed', `${url} answers ${response.status}`);
  return new Uint8Array(await response.arrayBuffer());
}

/** @param {Open} said */
async function open({ id, core: base, runtime, network: file, description, build, threads }) {
  core = await loadCore({ base, build, threads });
  if (runtime && file && description) {
    const ort = await loadRuntime(runtime, core.threads);
    network = await Network.open(ort, await bytesAt(file), description);
  }
  tell({ type: 'opened', id, build: core.build, threads: core.threads });
}

/** @param {CutOut} said */
async function cutOut({ id, image, png, name, model, options }) {
  if (!core) throw new CoreError('invalid', 'the engine is not open yet');
  const here = network ? ['studio', network.description.name, 'auto'] : ['studio'];
  if (!here.includes(model)) throw new CoreError('invalid', `the model ${model} is not here; ${here.join(', ')} ${network ? 'are' : 'is'}`);
  const decoded = png ? await decodePng(core, png, { name }) : null;
  const pixels = decoded?.rgb ?? image;
  if (!pixels) throw new CoreError('invalid', 'a cut-out needs an image or a png');
  const held = core.array(pixels);
  try {
    const { profile = null, exif = null, dpi = null } = decoded ?? {};
    const onStage = (/** @type {string} */ stage) => tell({ type: 'stage', id, stage });
    const made = await cutoutPng(core, model === 'studio' ? null : network, held, { ...options, auto: model === 'auto', existing: decoded?.alpha ?? null, metadata: { profile, exif, dpi }, onStage });
    if (profile && made.model !== 'studio') made.notes.push('the network saw the colours as sRGB, not by their profile');
    tell({ type: 'done', id, ...made }, [/** @type {ArrayBuffer} */ (made.png.buffer)]);
  } finally {
    held.release();
  }
}

/** One after the other: the core does one thing at a time. @type {Promise<void>} */
let line = Promise.resolve();
/** @param {Open | CutOut} said */
function take(said) {
  line = line.then(async () => {
    try {
      await (said.type === 'open' ? open(said) : cutOut(said));
    } catch (error) {
      const kind = error instanceof CoreError ? error.kind : 'failed';
      tell({ type: 'failed', id: said.id, kind, message: error instanceof Error ? error.message : String(error) });
    }
  });
}

if (inNode) port.on('message', take);
else port.onmessage = (/** @type {MessageEvent} */ event) => take(event.data);
