/**
 * The site without a network: every small file of the page is kept, checked and given from here.
 *
 * `SITE`, the list of the site's files, is put before this text when the site is made. Large files are the engine's
 * to load (site-files.js); from here they come once they are kept. Answers carry the policy, so that workers stand
 * under it as well, and what isolates the page, so that threads work on any file server. A new version waits until
 * no page of the old one is open: no page sees files of two.
 */
/** @typedef {import('./site-files.js').Site} Site */

const worker = /** @type {ServiceWorkerGlobalScope} */ (/** @type {unknown} */ (self));
const SITE = /** @type {Site} */ (/** @type {any} */ (self).SITE);
const scope = worker.registration.scope;
/** Several sites of one origin keep apart. */
const PREFIX = `nssbg ${new URL(scope).pathname} `;
const CACHE = PREFIX + SITE.version;
/** Some servers do not know them, and a module of another type does not run. */
const MODULE = /\.m?js$/;
const HEADERS = {
  'Content-Security-Policy': SITE.policy,
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
};

/** @param {ArrayBuffer} data */
async function sha256(data) {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', data));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Tells every page of a request that left for the site's server. @param {string} path */
async function tell(path) {
  for (const client of await worker.clients.matchAll({ includeUncontrolled: true })) client.postMessage({ type: 'request', path });
}

/** A file from the server, held to its checksum and kept. @param {string} path @returns {Promise<Response>} */
async function fresh(path) {
  tell(path);
  const address = new URL(path, scope).href;
  const wanted = path === 'site.json' ? null : SITE.files[path].sha256;
  for (const cache of /** @type {const} */ (['no-cache', 'reload'])) {
    const response = await fetch(address, { cache });
    if (!response.ok) throw new Error(`${address} answers ${response.status}`);
    const body = await response.arrayBuffer();
    const right = wanted === null ? JSON.parse(new TextDecoder().decode(body)).version === SITE.version : (await sha256(body)) === wanted;
    if (!right) continue;
    const type = MODULE.test(path) ? 'text/javascript' : response.headers.get('Content-Type') ?? 'application/octet-stream';
    const kept = new Response(body, { headers: { 'Content-Type': type } });
    await (await caches.open(CACHE)).put(address, kept.clone());
    return kept;
  }
  throw new Error(`${address} is not the file that the site's list names`);
}

/** A small file: as it is kept, or anew where that is damaged or gone. @param {string} path @returns {Promise<Response>} */
async function shell(path) {
  const kept = await (await caches.open(CACHE)).match(new URL(path, scope).href).catch(() => undefined);
  if (kept) {
    const body = await kept.arrayBuffer();
    if (path === 'site.json' || (await sha256(body)) === SITE.files[path].sha256) return new Response(body, { headers: kept.headers });
  }
  return fresh(path);
}

/** @param {Response} response */
function headed(response) {
  const headers = new Headers(response.headers);
  for (const [name, value] of Object.entries(HEADERS)) headers.set(name, value);
  return new Response(response.body, { status: response.status, statusText: response.statusText, headers });
}

/** @param {Request} request @param {string} path @returns {Promise<Response>} */
async function answer(request, path) {
  if (path === 'site.json' || SITE.files[path].kept === 'shell') return headed(await shell(path));
  const kept = request.cache === 'reload' ? undefined : await (await caches.open(CACHE)).match(new URL(path, scope).href);
  if (kept) return headed(kept);
  tell(path);
  return headed(await fetch(request));
}

worker.addEventListener('install', (event) => {
  const small = Object.keys(SITE.files).filter((path) => SITE.files[path].kept === 'shell');
  event.waitUntil(Promise.all(['site.json', ...small].map(fresh)));
});

worker.addEventListener('activate', (event) => {
  const old = async () => {
    for (const name of await caches.keys()) if (name.startsWith(PREFIX) && name !== CACHE) await caches.delete(name);
    await worker.clients.claim();
  };
  event.waitUntil(old());
});

worker.addEventListener('message', (event) => {
  if (event.data?.type === 'claim') event.waitUntil(worker.clients.claim());
});

worker.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || !url.href.startsWith(scope)) return;
  const below = decodeURIComponent(url.pathname.slice(new URL(scope).pathname.length));
  const path = below === '' ? 'index.html' : below;
  if (path === 'site.json' || path in SITE.files) event.respondWith(answer(request, path));
  else tell(below);
});
