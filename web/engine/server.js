/**
 * The engine on this computer: `nssbg studio`'s server, over its own origin and nothing else.
 *
 * Every address is relative to the page's. Events come over one EventSource; it is made anew after a
 * failure, with longer waits, and every connection begins with "ready".
 */
import { texts } from '../texts.en.js';
import { EngineError } from './interface.js';

/** @typedef {import('./interface.js').Engine} Engine */
/** @typedef {import('./interface.js').View} View */
/** @typedef {import('./interface.js').Layer} Layer */
/** @typedef {import('./interface.js').Edit} Edit */
/** @typedef {import('./interface.js').Picture} Picture */
/** @typedef {import('./interface.js').EngineEvent} EngineEvent */

const API = new URL('api/', document.baseURI);
const LONGEST_WAIT = 5000;
const DEFAULT_FILL = 0.85;

/** @param {string} path */
const at = (path) => new URL(path, API).href;

/**
 * @param {number} status
 * @param {string} text of the body
 * @param {string | null} retryAfter seconds
 */
function failure(status, text, retryAfter) {
  /** @type {{kind?: string, message?: string}} */
  let said = {};
  try {
    said = JSON.parse(text).error ?? {};
  } catch {
    // Not from the application: its status has to do.
  }
  /** @type {Record<number, string>} */
  const kinds = { 401: 'unauthorized', 409: 'stale', 429: 'busy', 503: 'busy' };
  const kind = kinds[status] ?? said.kind ?? 'failed';
  const wait = retryAfter ? Number(retryAfter) * 1000 : undefined;
  return new EngineError(kind, said.message ?? `${status}`, Number.isFinite(wait) ? wait : undefined);
}

/**
 * @param {string} path
 * @param {RequestInit} [options]
 * @returns {Promise<Response>}
 */
async function ask(path, options) {
  let response;
  try {
    response = await fetch(at(path), { credentials: 'same-origin', ...options });
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new EngineError('offline', texts.errors.offline);
  }
  if (!response.ok) throw failure(response.status, await response.text(), response.headers.get('Retry-After'));
  return response;
}

/** @param {string} path @param {string} method @param {unknown} [body] */
async function send(path, method, body) {
  const headers = body === undefined ? undefined : { 'Content-Type': 'application/json' };
  const response = await ask(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const text = await response.text();
  return text ? JSON.parse(text) : null;
}

/** @param {Response} response @param {number} began */
async function rendered(response, began) {
  const image = await createImageBitmap(await response.blob());
  return {
    image,
    layerWidth: Number(response.headers.get('X-Layer-Width')) || image.width,
    layerHeight: Number(response.headers.get('X-Layer-Height')) || image.height,
    milliseconds: performance.now() - began,
  };
}

/**
 * The server counts edits from 0 and says of which it has the result (-1: none); the page counts results from 1.
 * @param {any} told @returns {Picture}
 */
function pictureFrom(told) {
  const { done_revision: done, ...picture } = told;
  return { ...picture, revision: done + 1, result: done >= 0 ? told.result : null, edit: editFrom(told.edit) };
}

/** @param {any} told @returns {Edit} */
function editFrom(told) {
  const { framing } = told;
  return {
    ...told,
    framing: { ...framing, fill: framing.fill ?? DEFAULT_FILL, shadow: framing.shadow ? framing.shadow.kind : false },
  };
}

/** @param {Edit} edit */
function editTo(edit) {
  const { framing } = edit;
  return {
    ...edit,
    framing: {
      ...framing,
      // A preset has a fill of its own.
      fill: framing.canvas ? framing.fill : null,
      shadow: framing.shadow ? { kind: framing.shadow } : false,
    },
  };
}

/** @param {View} view @returns {Record<string, string>} */
const viewQuery = (view) => Object.fromEntries(Object.entries(view).map(([name, value]) => [name, String(value)]));

/** @param {import('./interface.js').Enhance} [enhance] @returns {Record<string, string>} */
function enhanceQuery(enhance) {
  if (!enhance) return {};
  const { model, ...how } = enhance;
  return { enhance: model, ...Object.fromEntries(Object.entries(how).filter(([, value]) => value !== undefined).map(([name, value]) => [name, String(value)])) };
}

/** @param {string} id */
const of = (id) => `pictures/${encodeURIComponent(id)}`;

/** @param {string | null} disposition @param {string} otherwise */
function fileName(disposition, otherwise) {
  const extended = /filename\*=UTF-8''([^;]+)/i.exec(disposition ?? '');
  if (extended) return decodeURIComponent(extended[1]);
  return /filename="([^"]+)"/i.exec(disposition ?? '')?.[1] ?? otherwise;
}

/**
 * fetch tells nothing of an upload's progress, XMLHttpRequest does.
 * @type {Engine['add']}
 */
function add(file, { name, path, signal, onProgress }) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open('POST', at(`pictures?${new URLSearchParams({ name })}`));
    request.setRequestHeader('Content-Type', 'application/octet-stream');
    if (path) request.setRequestHeader('X-Relative-Path', encodeURIComponent(path));
    request.upload.onprogress = (event) => event.lengthComputable && onProgress?.(event.loaded / event.total);
    request.onload = () => {
      if (request.status < 300) resolve(pictureFrom(JSON.parse(request.responseText)));
      else reject(failure(request.status, request.responseText, request.getResponseHeader('Retry-After')));
    };
    request.onerror = () => reject(new EngineError('offline', texts.errors.offline));
    request.onabort = () => reject(new DOMException('Cancelled', 'AbortError'));
    signal?.addEventListener('abort', () => request.abort(), { once: true });
    if (signal?.aborted) reject(new DOMException('Cancelled', 'AbortError'));
    else request.send(file);
  });
}

/** @type {Engine['subscribe']} */
function subscribe(listener) {
  /** @type {EventSource | undefined} */
  let source;
  let timer = 0;
  let wait = 250;
  let ended = false;

  const connect = () => {
    source = new EventSource(at('events'));
    source.onopen = () => {
      wait = 250;
      listener({ type: 'ready' });
    };
    source.addEventListener('picture', (event) => listener({ type: 'picture', picture: pictureFrom(JSON.parse(event.data)) }));
    source.addEventListener('removed', (event) => listener({ type: 'removed', id: JSON.parse(event.data).id }));
    source.addEventListener('queue', (event) => listener({ type: 'queue', queue: JSON.parse(event.data) }));
    source.onerror = async () => {
      source?.close();
      listener({ type: 'offline' });
      // EventSource keeps the status to itself; a plain request tells 401 from nobody there.
      try {
        await ask('pictures');
      } catch (error) {
        if (error instanceof EngineError && error.kind === 'unauthorized') listener({ type: 'unauthorized' });
      }
      if (!ended) timer = window.setTimeout(connect, wait);
      wait = Math.min(2 * wait, LONGEST_WAIT);
    };
  };
  connect();
  return () => {
    ended = true;
    window.clearTimeout(timer);
    source?.close();
  };
}

/** The server's count of a result. @param {Layer} layer @param {number} revision */
const counted = (layer, revision) => String(layer === 'original' ? 0 : revision - 1);

/** @type {Engine} */
export const engine = {
  offers: { batch: true, corrections: true, edge: true, shadow: true, backgrounds: ['none', 'color', 'blur', 'picture'], pause: false },
  async about() {
    const about = await send('about', 'GET');
    return { ...about, plan: about.plan ?? {}, defaults: editFrom(about.defaults) };
  },
  pictures: async () => (await send('pictures', 'GET')).map(pictureFrom),
  add,
  remove: (id) => send(of(id), 'DELETE'),
  clear: () => send('pictures', 'DELETE'),
  cancel: (id) => send(`${of(id)}/cancel`, 'POST'),
  retry: (id) => send(`${of(id)}/retry`, 'POST'),
  async setEdit(id, edit) {
    const { revision } = await send(`${of(id)}/edit`, 'PUT', editTo(edit));
    return { revision: revision + 1 };
  },
  async preview(id, edit, view, layer, signal) {
    const began = performance.now();
    const body = JSON.stringify({ edit: editTo(edit), view, layer });
    const headers = { 'Content-Type': 'application/json' };
    return rendered(await ask(`${of(id)}/preview`, { method: 'POST', headers, body, signal }), began);
  },
  async view(id, view, layer, revision, signal) {
    const began = performance.now();
    const query = new URLSearchParams({ layer, revision: counted(layer, revision), ...viewQuery(view) });
    return rendered(await ask(`${of(id)}/view?${query}`, { signal }), began);
  },
  async thumbnail(id, revision, layer, size) {
    return at(`${of(id)}/view?${new URLSearchParams({ layer, revision: counted(layer, revision), ...viewQuery({ fit: size }) })}`);
  },
  async download(id, { format, quality, mask, enhance }) {
    const query = new URLSearchParams({ format, ...enhanceQuery(enhance) });
    if (quality !== undefined) query.set('quality', String(quality));
    if (mask) query.set('mask', '1');
    const response = await ask(`${of(id)}/download?${query}`);
    return {
      blob: await response.blob(),
      name: fileName(response.headers.get('Content-Disposition'), `cutout.${format}`),
    };
  },
  async downloadAll({ format, quality, enhance }) {
    const query = new URLSearchParams({ format, ...enhanceQuery(enhance) });
    if (quality !== undefined) query.set('quality', String(quality));
    return { url: at(`download.zip?${query}`), name: 'cutouts.zip' };
  },
  async addBackground(file, name) {
    const query = new URLSearchParams({ name });
    const headers = { 'Content-Type': 'application/octet-stream' };
    return (await ask(`backgrounds?${query}`, { method: 'POST', headers, body: file })).json();
  },
  sample: async (sample) => (await ask(engine.sampleUrl(sample))).blob(),
  sampleUrl: (sample) => new URL(sample.url, document.baseURI).href,
  startBatch: (spec) => send('batch', 'POST', spec),
  async batch() {
    const told = await send('batch', 'GET');
    const state = { stopping: 'running', stopped: 'cancelled' }[/** @type {string} */ (told.state)] ?? told.state;
    return { done: 0, failed: 0, report: null, error: null, ...told, state, total: told.total || null };
  },
  stopBatch: () => send('batch/cancel', 'POST'),
  subscribe,
};
