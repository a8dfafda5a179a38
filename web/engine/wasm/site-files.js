/**
 * The large files of the site: fetched once, held to their checksums, kept in Cache Storage.
 *
 * What is kept is checked at every start: an entry that is damaged, or that the browser has thrown away, is fetched
 * again. Where the page is not a secure context there is neither a cache nor a checksum; `note` says so.
 */
import { CoreError } from '../../core/core.js';

/** @typedef {{sha256: string, bytes: number, kept: 'worker' | 'shell'}} SiteFile */
/** @typedef {{version: string, nssbg: string, policy: string, files: Record<string, SiteFile>}} Site */
/** Files of the package, each with its own address. @typedef {{files: Record<string, {sha256: string, bytes: number, address: string}>}} Listed */

/** Several sites of one origin keep apart. @param {URL} folder @param {Site} site */
const cacheName = (folder, site) => `nssbg ${folder.pathname} ${site.version}`;

/** @param {Uint8Array} data @returns {Promise<string>} */
async function sha256(data) {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', /** @type {BufferSource} */ (data)));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

export class SiteFiles {
  /** @param {URL} base @param {Site | Listed} site @param {Cache | null} cache @param {string | null} note */
  constructor(base, site, cache, note) {
    this.base = base;
    this.site = site;
    this.cache = cache;
    this.note = note;
    /** Paths that came over the network, and why. @type {{path: string, why: 'new' | 'damaged'}[]} */
    this.fetched = [];
    /** What was fetched, by its path, for those who would fetch it again; null: a service worker has it for them. @type {Map<string, Uint8Array> | null} */
    this.held = null;
  }

  /** @param {string | Listed} base the site's folder, or a list of files @returns {Promise<SiteFiles>} */
  static async open(base) {
    if (typeof base !== 'string') {
      // The browser's own cache keeps them: whoever serves them says how long.
      const files = new SiteFiles(new URL(location.href), base, null, null);
      files.held = new Map();
      return files;
    }
    const folder = new URL(base);
    const response = await fetch(new URL('site.json', folder));
    if (!response.ok) throw new CoreError('failed', `${response.url} answers ${response.status}; is all of the site there?`);
    const site = /** @type {Site} */ (await response.json());
    if (!globalThis.isSecureContext) return new SiteFiles(folder, site, null, 'nothing is kept for the next visit: the page came neither over https nor from this computer');
    try {
      return new SiteFiles(folder, site, await caches.open(cacheName(folder, site)), null);
    } catch (error) {
      return new SiteFiles(folder, site, null, `nothing is kept for the next visit: ${error instanceof Error ? error.message : error}`);
    }
  }

  /** @param {string} path */
  at(path) {
    const file = this.site.files[path];
    return file && 'address' in file ? file.address : new URL(path, this.base).href;
  }

  /** A folder of it, for what loads from there. @param {string} folder @returns {import('../../core/place.js').Place} */
  place(folder) {
    return { address: (name) => this.at(folder + name), bytes: (name) => this.held?.get(folder + name) };
  }

  /** Of what was fetched for others this is not wanted any more. @param {string[]} paths */
  forget(paths) {
    for (const path of paths) this.held?.delete(path);
  }

  /** Of some files together. @param {string[]} paths */
  bytesOf(paths) {
    return paths.reduce((sum, path) => sum + this.#listed(path).bytes, 0);
  }

  /**
   * A file's bytes, as the list of the site has them.
   * @param {string} path
   * @param {(bytes: number) => void} [onBytes] told of every part that has come
   * @returns {Promise<Uint8Array>}
   */
  async bytes(path, onBytes = () => {}) {
    const { bytes, sha256: wanted } = this.#listed(path);
    const kept = await this.#kept(path);
    if (kept && (await this.#matches(kept, wanted))) {
      onBytes(bytes);
      return kept;
    }
    if (kept) await this.cache?.delete(this.at(path));
    this.fetched.push({ path, why: kept ? 'damaged' : 'new' });
    // Past the browser's own cache the second time: what came first may lie there.
    let found = await this.#fetched(path, kept ? 'reload' : 'default', onBytes);
    if (!(await this.#matches(found, wanted))) found = await this.#fetched(path, 'reload', () => {});
    if (!(await this.#matches(found, wanted))) {
      throw new CoreError('failed', `${this.at(path)} is not the file that the site's list names (${found.length} bytes, ${bytes} listed): it was damaged on its way or the site is being changed; reload the page`);
    }
    this.held?.set(path, found);
    // A full disk is no reason not to go on: the next visit fetches again.
    await this.cache?.put(this.at(path), new Response(/** @type {BodyInit} */ (found), { headers: { 'Content-Type': typeOf(path), 'Content-Length': String(found.length) } })).catch((error) => {
      this.note = `not kept for the next visit: ${error.message}`;
    });
    return found;
  }

  /** @param {string} path */
  #listed(path) {
    const file = this.site.files[path];
    if (!file) throw new CoreError('failed', `the site has no ${path}`);
    return file;
  }

  /** @param {string} path @returns {Promise<Uint8Array | null>} */
  async #kept(path) {
    try {
      const response = await this.cache?.match(this.at(path));
      return response ? new Uint8Array(await response.arrayBuffer()) : null;
    } catch {
      return null; // unreadable: as good as lost
    }
  }

  /** @param {Uint8Array} data @param {string} wanted */
  async #matches(data, wanted) {
    return !globalThis.isSecureContext || (await sha256(data)) === wanted;
  }

  /** @param {string} path @param {RequestCache} cache @param {(bytes: number) => void} onBytes */
  async #fetched(path, cache, onBytes) {
    const response = await fetch(this.at(path), { cache });
    if (!response.ok || !response.body) throw new CoreError('failed', `${this.at(path)} answers ${response.status}`);
    const parts = [];
    let length = 0;
    for (const reader = response.body.getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) break;
      parts.push(value);
      length += value.length;
      onBytes(value.length);
    }
    const all = new Uint8Array(length);
    let at = 0;
    for (const part of parts) {
      all.set(part, at);
      at += part.length;
    }
    return all;
  }
}

/** @param {string} path */
const typeOf = (path) => (path.endsWith('.wasm') ? 'application/wasm' : 'application/octet-stream');
