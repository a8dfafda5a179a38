/**
 * The engine in the page: WebAssembly in a worker, pictures as files in the browser's keeping, one after the other.
 *
 * Implements interface.js for a static site. A picture is its file and, once it is cut out, the PNG file of the
 * result; pixels are in memory for the one that is worked on and those that are shown.
 */
import { texts } from '../texts.en.js';
import { EngineError } from './interface.js';
import { cutoutRequest, frameRequest, isFramed } from './wasm/asking.js';
import { writeInto } from './wasm/folder-out.js';
import { Kept } from './wasm/kept.js';
import { refused } from './wasm/limits.js';
import { cutoutName, pathBelow } from './wasm/result-names.js';
import { part, Showing } from './wasm/showing.js';
import { controlled, watchRequests } from './wasm/site-worker.js';
import { Thumbnails } from './wasm/thumbnails.js';
import { WorkerClient } from './wasm/worker-client.js';
import { zipOf } from './wasm/zip.js';

/** @typedef {import('./interface.js').Engine} Engine */
/** @typedef {import('./interface.js').Edit} Edit */
/** @typedef {import('./interface.js').Picture} Picture */
/** @typedef {import('./interface.js').EngineEvent} EngineEvent */
/**
 * @typedef {Picture & {file: Blob, blob: Blob | null, framedBlob: Blob | null, made: Edit | null, wanted: number, begun: number}} Held
 * `blob`: the cut-out, and framed, of the edit `made`; `wanted`: the revision that its edit leads to; `begun`: how often it was
 * started without an end
 */

const SITE = new URL('./', document.baseURI);
const MOST_BYTES = 256 << 20;
/** What browsers tell of the device's memory, in GB; 8 where they do not. */
const WEAK = (/** @type {any} */ (navigator).deviceMemory ?? 8) <= 2;
/** `?webgpu=off` leaves it out, `?webgpu=software` takes an adapter in software too, which only tests want. @type {boolean | 'software'} */
let webgpu = { off: false, software: /** @type {const} */ ('software') }[new URLSearchParams(location.search).get('webgpu') ?? ''] ?? true;
const MOST_PIXELS = WEAK ? 16e6 : 50e6;
/** Bytes of the engine's memory that are not held on to. */
const MOST_IDLE = 400 << 20;
/** Of the whole picture on every change: only where that is quick. */
const MOST_PREVIEWED = 3e6;
/** How far along a picture is when a stage begins. @type {Record<string, number>} */
const PROGRESS = { decode: 0.05, studio: 0.25, prepare: 0.25, segment: 0.3, 'second pass': 0.5, 'post-process': 0.7, refine: 0.75, correct: 0.75, edge: 0.83, 'merge alpha': 0.85, foreground: 0.87, encode: 0.93 };

/** @type {Edit} */
const DEFAULTS = {
  model: 'auto',
  effort: WEAK ? 'fast' : 'balanced',
  refine: 'guided',
  foreground: 'multilevel',
  decontaminate: 1,
  softness: 0,
  choke: 0,
  corrections: { box: null, keep: [], drop: [], strokes: [] },
  framing: { trim: false, profile: null, canvas: null, fill: 0.85, align: null, shadow: false, background: null },
};

/** @type {Map<string, Held>} */
const held = new Map();
/** @type {Set<(event: EngineEvent) => void>} */
const listeners = new Set();
const showing = new Showing();
/** Background pictures, as they were given. @type {Map<string, {file: Blob, name: string}>} */
const backgrounds = new Map();
/** @type {import('./wasm/asking.js').Preset[]} */
let presets = [];
const kept = new Kept(SITE, () => tell({ type: 'keeping' }));
const thumbnails = new Thumbnails(kept);
let serial = 0;
let paused = kept.paused;
/** The picture that is worked on. @type {Held | null} */
let running = null;

/** What the worker said when it was ready. @type {any} */
let opened = null;
/** @type {import('./interface.js').About['pace']} */
let pace;
/** @type {WorkerClient} */
let worker;

/** @param {EngineEvent} event */
const tell = (event) => listeners.forEach((listener) => listener(event));

/** @param {Held} picture @returns {Picture} */
function told({ file: _, blob: __, framedBlob: ___, made: ____, wanted: _____, begun: ______, ...picture }) {
  return structuredClone(picture);
}
/** @param {Held} picture */
function changed(picture) {
  if (!held.has(picture.id)) return;
  tell({ type: 'picture', picture: told(picture) });
  kept.follow(picture);
}

/** @param {string} id */
function get(id) {
  const picture = held.get(id);
  if (!picture) throw new EngineError('missing', `there is no picture ${id}`);
  return picture;
}

/** Takes the worker's own requests, where nobody else sees them. @type {(address: string) => void} */
let reportWorker = () => {};
/** The list of the site's files, which every visit needs. @returns {Promise<import('./wasm/site-files.js').Site>} */
const site = (async () => {
  const through = await controlled(SITE);
  reportWorker = watchRequests(through, (path) => tell({ type: 'request', path }));
  const response = await fetch(new URL('site.json', SITE));
  if (!response.ok) throw new EngineError('failed', `${response.url} answers ${response.status}: the site is not whole`);
  const given = await response.json();
  // Beside the engine a small thing: without it there are no presets, and that is seen.
  presets = await fetch(new URL('presets.json', SITE)).then((answer) => (answer.ok ? answer.json() : []), () => []);
  return given;
})();
site.catch(() => {}); // whoever awaits it says it

/** Why WebGPU was left halfway, in this visit or an earlier one: it is not tried again in this browser. @type {string | null} */
let withoutWebgpu = null;
const LEFT = `nssbg-webgpu ${SITE.pathname}`;
/** @param {string} why */
function remember(why) {
  try {
    localStorage.setItem(LEFT, why);
  } catch {
    // A browser that keeps nothing tries again.
  }
}
try {
  withoutWebgpu = localStorage.getItem(LEFT);
  if (withoutWebgpu && webgpu === true) webgpu = false;
  else withoutWebgpu = null;
} catch {
  // The same.
}

/** A worker that went down with a picture is started anew; one that does not start is said. */
let restarts = 3;

/** From here on requests go to the new one, which takes them once it is open. @returns {Promise<void>} */
function start() {
  const broken = (/** @type {string} */ message) => {
    if (opened && restarts-- > 0) {
      opened = null;
      start().then(pump, (error) => tell({ type: 'failed', message: error.message }));
    } else tell({ type: 'failed', message });
  };
  worker = new WorkerClient(new Worker(new URL('./wasm-worker.js', import.meta.url), { type: 'module' }), broken, (address) => reportWorker(address));
  const asked = worker.ask({ type: 'open', site: SITE.href, weak: WEAK, webgpu }, ({ bytes, of }) => tell({ type: 'loading', bytes, of }));
  return asked.then(
    (answer) => (opened = answer),
    (error) => {
      if (error.kind !== 'webgpu' || webgpu === false) throw error;
      [webgpu, withoutWebgpu] = [false, error.message];
      remember(error.message);
      worker.close(error.message);
      return start();
    },
  );
}

/** Memory that a module has taken never goes back: after a large picture, once nothing waits, the worker is a new one. */
async function refresh() {
  if (!opened || (await worker.ask({ type: 'memory' })).bytes < MOST_IDLE || running || worker.waiting.size) return;
  opened = null;
  worker.close(texts.here.opening);
  await start().catch((error) => tell({ type: 'failed', message: error.message }));
  pump();
}
const ready = site.then(start);
/** What the last visit left. */
const restored = kept.open().then((pictures) => {
  for (const picture of pictures) held.set(picture.id, picture);
  serial = Math.max(serial, ...pictures.map(({ id }) => Number(id.slice(1))));
  for (const picture of pictures) kept.follow(picture); // what was running waits again
  if (pictures.length) tell({ type: 'ready' });
  return { pictures: pictures.length, waiting: pictures.filter(({ state }) => state === 'queued').length };
});
addEventListener('pagehide', () => kept.leaving(running?.id));
ready.then(
  async () => {
    tell({ type: 'opened' });
    tell({ type: 'ready' });
    await restored;
    pump();
    // Pictures that wait already are worth more than a forecast of them.
    if (held.size) return;
    const told = await worker.ask({ type: 'pace', effort: DEFAULTS.effort }).catch(() => ({}));
    pace = told.pace;
    tell({ type: 'ready' });
  },
  (error) => tell({ type: 'failed', message: error instanceof Error ? error.message : String(error) }),
);

/** @param {Held} picture @param {Edit} edit */
const request = (picture, edit) => cutoutRequest(picture, edit, MOST_PIXELS);
/** A list that outlasted the page may name a background that did not. @param {Held} picture @param {Blob} cutout @param {Edit} edit */
const framing = (picture, cutout, edit) => {
  refused(edit, { weak: WEAK, presets, backgrounds });
  return frameRequest(picture, cutout, edit, { presets, backgrounds, maxPixels: MOST_PIXELS });
};

/** Whether the cut-out that is there is an edit's: all but its framing. @param {Held} picture @param {Edit} edit */
const sameCutout = ({ blob, made }, edit) => !!blob && JSON.stringify({ ...made, framing: null }) === JSON.stringify({ ...edit, framing: null });

/** Works on what waits, oldest first. */
async function pump() {
  if (running || paused || !opened) return;
  const next = [...held.values()].find(({ state }) => state === 'queued');
  if (!next) {
    refresh();
    return;
  }
  running = next;
  const { edit, wanted } = next;
  // Whatever is said of it counts only while nobody cancelled, removed or changed it.
  const current = () => held.get(next.id) === next && next.wanted === wanted && next.state === 'running';
  Object.assign(next, { state: 'running', stage: null, progress: 0, error: null, begun: next.begun + 1 });
  changed(next);
  try {
    const onStage = (/** @type {{stage: string}} */ { stage }) => {
      if (!current()) return;
      Object.assign(next, { stage, progress: PROGRESS[stage] ?? next.progress });
      changed(next);
    };
    const kept = sameCutout(next, edit) && next.result ? next : null;
    const made = kept ? { ...kept.result, width: kept.width, height: kept.height } : await worker.ask(request(next, edit), onStage);
    const blob = kept?.blob ?? new Blob([made.png], { type: 'image/png' });
    const framed = isFramed(edit) ? await worker.ask(framing(next, blob, edit)) : null;
    if (current()) {
      showing.forget(`${next.id} cutout`);
      next.blob = blob;
      next.framedBlob = framed && new Blob([framed.png], { type: 'image/png' });
      next.framed = framed && { width: framed.width, height: framed.height };
      next.made = edit;
      if (framed) made.timings = { ...made.timings, ...framed.timings };
      Object.assign(next, {
        state: 'done', stage: null, progress: 1, begun: 0, revision: wanted, width: made.width, height: made.height,
        result: { model: made.model, method: made.model === 'studio' ? 'studio' : 'network', confidence: made.confidence, low_confidence: made.low_confidence, plan: plan(made.model), timings: made.timings, notes: made.notes },
      });
    }
  } catch (error) {
    if (current()) {
      const kind = error instanceof EngineError ? error.kind : 'failed';
      Object.assign(next, { state: 'failed', stage: null, begun: 0, error: { kind, message: error instanceof Error ? error.message : String(error) } });
    }
  }
  running = null;
  changed(next);
  pump();
}

/** @param {string} [model] that ran */
function plan(model) {
  if (!opened) return {};
  const fallbacks = [...opened.notes, ...(withoutWebgpu ? [withoutWebgpu] : [])];
  if (WEAK) fallbacks.push(texts.here.weak);
  else if (opened.threads === 1) fallbacks.push(crossOriginIsolated ? texts.here.oneCore : texts.here.notIsolated);
  return { backend: model === 'studio' ? undefined : 'onnxruntime-web', device: model === 'studio' ? 'cpu' : opened.device, precision: 'float32', fallbacks };
}

/** Every result by its name, in the folders that the pictures came in. */
const results = () => [...held.values()].flatMap(({ name, path, blob, framedBlob }) => (blob ? [{ name: cutoutName(pathBelow(path ?? name)), blob: framedBlob ?? blob }] : []));

/** @type {Engine} */
export const engine = {
  offers: { batch: false, corrections: true, edge: true, shadow: true, backgrounds: ['none', 'color', 'blur', 'picture'], pause: true },
  inPage: true,
  async about() {
    const { nssbg, files } = await site;
    return {
      version: nssbg,
      isa: opened ? texts.here.build(opened.build, opened.threads) : undefined,
      plan: plan(),
      device_name: opened?.deviceName,
      pace,
      models: [
        { name: 'auto', here: true, licence: 'Apache-2.0', commercial: true },
        { name: 'nssbg-lite', here: true, licence: 'Apache-2.0', commercial: true, title: texts.here.network },
        { name: 'studio', here: true, licence: 'Apache-2.0', commercial: true },
      ],
      profiles: presets.map(({ name, summary }) => ({ name, title: name, summary })),
      efforts: WEAK ? ['fast'] : ['fast', 'balanced', 'best'],
      refines: ['none', 'guided', 'matting', 'auto'],
      foreground_methods: ['multilevel', 'blur-fusion', 'off'],
      aligns: ['center', 'bottom'],
      formats: ['png'],
      session_folder: null,
      limits: { max_pixels: MOST_PIXELS, max_bytes: MOST_BYTES },
      samples: Object.keys(files).filter((path) => path.startsWith('samples/')).map((path) => ({ name: path.slice('samples/'.length), url: path })),
      defaults: structuredClone(DEFAULTS),
    };
  },
  async pictures() {
    await restored;
    return [...held.values()].map(told);
  },
  async add(file, { name, path, signal, onProgress }) {
    await Promise.all([ready, restored]);
    if (signal?.aborted) throw new DOMException('Cancelled', 'AbortError');
    onProgress?.(1);
    /** @type {Held} */
    const picture = {
      id: `p${++serial}`, name, path: path ?? null, width: 0, height: 0, bytes: file.size, state: 'queued', stage: null, progress: 0,
      error: null, revision: 0, edit: structuredClone(DEFAULTS), result: null, framed: null, file, blob: null, framedBlob: null, made: null, wanted: 1, begun: 0,
    };
    held.set(picture.id, picture);
    const written = kept.follow(picture);
    changed(picture);
    pump();
    await written; // the next one comes when this one is safe
    return told(picture);
  },
  async remove(id) {
    if (!held.delete(id)) return;
    showing.forget(`${id} `);
    tell({ type: 'removed', id });
    await kept.remove(id);
  },
  async clear() {
    const ids = [...held.keys()];
    held.clear();
    for (const id of ids) {
      showing.forget(`${id} `);
      tell({ type: 'removed', id });
    }
    await kept.clear();
  },
  async cancel(id) {
    const picture = get(id);
    if (!['queued', 'running'].includes(picture.state)) return;
    // What there is stands, and is what is set again.
    if (picture.made) Object.assign(picture, { state: 'done', revision: picture.wanted, edit: picture.made });
    else picture.state = 'cancelled';
    picture.stage = null;
    changed(picture);
  },
  async retry(id) {
    Object.assign(get(id), { state: 'queued', error: null, progress: 0, begun: 0 });
    changed(get(id));
    pump();
  },
  async setEdit(id, edit) {
    const picture = get(id);
    refused(edit, { weak: WEAK, presets, backgrounds });
    picture.edit = structuredClone(edit);
    picture.wanted += 1;
    Object.assign(picture, { state: 'queued', error: null, progress: 0 });
    changed(picture);
    pump();
    return { revision: picture.wanted };
  },
  async pause(wanted) {
    kept.paused = paused = wanted;
    tell({ type: 'paused', paused });
    pump();
  },
  async preview(id, edit, view, layer) {
    const picture = get(id);
    refused(edit, { weak: WEAK, presets, backgrounds });
    // The whole of a larger one takes longer than a person waits; its result comes soon.
    if (!picture.blob || picture.width * picture.height > MOST_PREVIEWED) throw new EngineError('stale', '');
    const began = performance.now();
    if (layer === 'framed' && !sameCutout(picture, edit)) throw new EngineError('stale', '');
    const asked = layer === 'framed' ? framing(picture, picture.blob, edit) : request(picture, edit);
    const { rgba, width, height } = await worker.ask({ ...asked, shown: true });
    const whole = await createImageBitmap(new ImageData(rgba, width, height));
    const made = await part(whole, view, layer === 'alpha');
    whole.close();
    return { ...made, milliseconds: performance.now() - began };
  },
  async view(id, view, layer) {
    const began = performance.now();
    const picture = get(id);
    const made = await showing.view({ ...picture, result: picture.blob, framedResult: picture.framedBlob }, layer, view);
    return { ...made, milliseconds: performance.now() - began };
  },
  async thumbnail(id, _, layer, size) {
    return URL.createObjectURL(await thumbnails.of(() => get(id), layer, size));
  },
  async download(id, { mask }) {
    const picture = get(id);
    if (!picture.blob) throw new EngineError('not-ready', `${picture.name} has no result yet`);
    if (!mask) return { blob: picture.framedBlob ?? picture.blob, name: cutoutName(picture.name) };
    const { png } = await worker.ask({ type: 'mask', file: picture.blob, name: picture.name });
    return { blob: new Blob([png], { type: 'image/png' }), name: cutoutName(picture.name).replace(/cutout\.png$/, 'mask.png') };
  },
  async downloadAll() {
    return { url: URL.createObjectURL(await zipOf(results())), name: 'cutouts.zip' };
  },
  writeAll: (folder, how) => writeInto(folder, results(), how),
  restored: () => restored,
  keeping() {
    const bytes = [...held.values()].reduce((sum, { file, blob, framedBlob }) => sum + file.size + (blob?.size ?? 0) + (framedBlob?.size ?? 0), 0);
    return { on: kept.on, why: kept.why, wanted: kept.wanted, bytes, paused };
  },
  keep: (wanted) => kept.want(wanted, held.values()),
  async addBackground(file, name) {
    const id = `b${++serial}`;
    backgrounds.set(id, { file, name });
    return { id };
  },
  async sample({ url }) {
    const response = await fetch(new URL(url, SITE));
    if (!response.ok) throw new EngineError('failed', `${response.url} answers ${response.status}`);
    return response.blob();
  },
  sampleUrl: ({ url }) => new URL(url, SITE).href,
  async startBatch() {
    throw new EngineError('unsupported', texts.here.refused(texts.batch.open));
  },
  batch: async () => ({ state: 'idle', done: 0, failed: 0, total: null }),
  stopBatch: async () => {},
  subscribe(listener) {
    listeners.add(listener);
    // The page shows itself at once; what it gets to do waits for the worker.
    setTimeout(() => listener({ type: 'ready' }), 0);
    return () => listeners.delete(listener);
  },
};
