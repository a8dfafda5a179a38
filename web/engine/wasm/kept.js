/**
 * The list of pictures over a reload or a crash of the tab: in IndexedDB, files and results as blobs.
 *
 * A picture's state and its result are written in one transaction, so that a crash leaves both or none. What is read back
 * are handles on files of the browser's, not bytes: a list of any length takes no memory (docs/decisions/1053-kept-batches.md).
 * One page at a time keeps; whatever stops the keeping is said once, and the page goes on without.
 */
import { siteTexts as texts } from '../../site/texts.en.js';

/** @typedef {import('../wasm.js').Held} Held */

const STORES = ['pictures', 'files', 'results', 'thumbnails'];
/** A page that is reloaded gives its lock back a moment after the next one asks for it. */
const LONGEST_WAIT = 2000;
/** So often may a page end while one picture is worked on before the picture is not tried again by itself. */
const MOST_ENDINGS = 2;
/** Of a write that concerns one picture: its file cannot be read any more. The picture's own error says so. */
const OF_THE_FILE = new Set(['DataError', 'NotReadableError', 'NotFoundError', 'DataCloneError']);

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
const answered = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

/** @param {IDBTransaction} transaction @returns {Promise<void>} */
const committed = (transaction) =>
  new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new DOMException('the write was ended', 'AbortError'));
  });

/** Held until the page ends. @param {string} name @returns {Promise<boolean>} whether this page has it */
function locked(name) {
  return new Promise((resolve) => {
    navigator.locks
      .request(name, { signal: AbortSignal.timeout(LONGEST_WAIT) }, () => {
        resolve(true);
        return new Promise(() => {});
      })
      .catch(() => resolve(false));
  });
}

/** @param {string} key @returns {string | null} */
function remembered(key) {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}
/** @param {string} key @param {string | null} value null: forget it */
function remember(key, value) {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // A browser that keeps nothing.
  }
}

export class Kept {
  /** Several sites of one origin keep apart. @param {URL} site @param {() => void} onChange told where `why` or `on` changed */
  constructor(site, onChange) {
    this.name = `nssbg pictures ${site.pathname}`;
    this.onChange = onChange;
    /** @type {IDBDatabase | null} */
    this.database = null;
    /** Why nothing (more) is kept. @type {string | null} */
    this.why = null;
    /** What was written of a picture. @type {Map<string, {state: string, file: Blob, blob: Blob | null, framed: Blob | null}>} */
    this.written = new Map();
  }

  /** Whether what comes is kept. */
  get on() {
    return this.database !== null && this.why === null;
  }

  /** The person's own wish. */
  get wanted() {
    return remembered(`${this.name} off`) === null;
  }

  /** Whether the list was paused when the page ended. */
  get paused() {
    return remembered(`${this.name} paused`) !== null;
  }

  set paused(paused) {
    remember(`${this.name} paused`, paused ? 'yes' : null);
  }

  /** The pictures of the last visit, oldest first; none where this page keeps nothing. @returns {Promise<Held[]>} */
  async open() {
    try {
      if (!globalThis.isSecureContext || !navigator.locks || !globalThis.indexedDB) return this.#none(texts.kept.insecure);
      if (!(await locked(this.name))) return this.#none(texts.kept.otherPage);
      this.database = await this.#opened();
      this.database.onversionchange = () => this.database?.close();
      this.database.onclose = () => this.#stop(texts.kept.failed('its storage was removed'));
      if (!this.wanted) {
        await this.#empty();
        return this.#none(texts.kept.unwanted);
      }
      return await this.#restored();
    } catch (error) {
      return this.#none(texts.kept.failed(error instanceof Error ? error.message : String(error)));
    }
  }

  /** @param {string} why @returns {Held[]} */
  #none(why) {
    this.why = why;
    this.onChange();
    return [];
  }

  /** @returns {Promise<IDBDatabase>} */
  #opened() {
    const request = indexedDB.open(this.name, 1);
    request.onupgradeneeded = () => STORES.forEach((store) => request.result.createObjectStore(store));
    return answered(request);
  }

  /** @param {string[]} stores @param {IDBTransactionMode} mode */
  #transaction(stores, mode) {
    if (!this.database) throw new DOMException('nothing is kept', 'InvalidStateError');
    return this.database.transaction(stores, mode);
  }

  /** @returns {Promise<Held[]>} */
  async #restored() {
    const transaction = this.#transaction(['pictures', 'files', 'results'], 'readonly');
    const [pictures, files, fileKeys, results, resultKeys] = await Promise.all([
      answered(transaction.objectStore('pictures').getAll()),
      answered(transaction.objectStore('files').getAll()),
      answered(transaction.objectStore('files').getAllKeys()),
      answered(transaction.objectStore('results').getAll()),
      answered(transaction.objectStore('results').getAllKeys()),
    ]);
    const fileOf = new Map(fileKeys.map((key, at) => [key, files[at]]));
    const resultOf = new Map(resultKeys.map((key, at) => [key, results[at]]));
    const left = remembered(`${this.name} left`);
    remember(`${this.name} left`, null);
    /** @type {Held[]} */
    const found = [];
    for (const { order: _, ...picture } of pictures.sort((a, b) => a.order - b.order)) {
      const { blob = null, framedBlob = null } = resultOf.get(picture.id) ?? {};
      /** @type {Held} */
      const held = { ...picture, file: fileOf.get(picture.id), blob, framedBlob };
      this.written.set(held.id, { state: stateOf(held), file: held.file, blob, framed: framedBlob });
      if (held.state === 'running') {
        // Left by the person: that says nothing of the picture.
        if (left === held.id) held.begun -= 1;
        const fatal = held.begun >= MOST_ENDINGS;
        Object.assign(held, fatal ? { state: 'failed', error: { kind: 'failed', message: texts.kept.fatal } } : { state: 'queued' });
        Object.assign(held, { stage: null, progress: 0 });
      }
      found.push(held);
    }
    return found;
  }

  /**
   * Writes what changed of a picture; its blobs become those that lie on the disk. @param {Held} picture
   */
  async follow(picture) {
    if (!this.on) return;
    const before = this.written.get(picture.id);
    const state = stateOf(picture);
    const { file, blob, framedBlob: framed } = picture;
    if (before?.state === state && before.blob === blob && before.framed === framed) return;
    this.written.set(picture.id, { state, file, blob, framed });
    const [addsFile, addsResult] = [!before, blob !== null && (before?.blob !== blob || before.framed !== framed)];
    try {
      const transaction = this.#transaction(STORES, 'readwrite');
      const done = committed(transaction);
      const { file: _, blob: __, framedBlob: ___, ...record } = picture;
      transaction.objectStore('pictures').put({ ...record, order: Number(picture.id.slice(1)) }, picture.id);
      if (addsFile) transaction.objectStore('files').put(file, picture.id);
      if (addsResult) transaction.objectStore('results').put({ blob, framedBlob: framed }, picture.id);
      await done;
    } catch (error) {
      // Its file is gone or was changed: cutting it out says so; the others are kept.
      if (addsFile && OF_THE_FILE.has(/** @type {Error} */ (error).name)) this.written.delete(picture.id);
      else this.#stop(reasonOf(error));
      return;
    }
    if (addsFile || addsResult) await this.#onDisk(picture, addsFile, addsResult);
  }

  /** Lets go of bytes in memory that lie on the disk now. @param {Held} picture @param {boolean} file @param {boolean} result */
  async #onDisk(picture, file, result) {
    try {
      const transaction = this.#transaction(['files', 'results'], 'readonly');
      const [ofFile, ofResult] = await Promise.all([
        file ? answered(transaction.objectStore('files').get(picture.id)) : null,
        result ? answered(transaction.objectStore('results').get(picture.id)) : null,
      ]);
      const said = this.written.get(picture.id);
      if (!said) return; // removed meanwhile
      if (ofFile && picture.file === said.file) picture.file = said.file = ofFile;
      if (ofResult && picture.blob === said.blob) picture.blob = said.blob = ofResult.blob;
      if (ofResult && picture.framedBlob === said.framed) picture.framedBlob = said.framed = ofResult.framedBlob;
    } catch {
      // The bytes in memory are as good.
    }
  }

  /** @param {string} id @param {string} key what it shows @returns {Promise<Blob | null>} */
  async thumbnail(id, key) {
    if (!this.database) return null;
    try {
      const found = await answered(this.#transaction(['thumbnails'], 'readonly').objectStore('thumbnails').get(id));
      return found?.key === key ? found.blob : null;
    } catch {
      return null;
    }
  }

  /** @param {string} id @param {string} key @param {Blob} blob */
  async keepThumbnail(id, key, blob) {
    if (!this.on || !this.written.has(id)) return;
    try {
      const transaction = this.#transaction(['thumbnails'], 'readwrite');
      const done = committed(transaction);
      transaction.objectStore('thumbnails').put({ key, blob }, id);
      await done;
    } catch {
      // Made again next time; a full disk is said where it costs something.
    }
  }

  /** Removes all that is kept of a picture. @param {string} id */
  async remove(id) {
    if (!this.written.delete(id)) return;
    await this.#removed((store) => store.delete(id));
  }

  /** Removes everything; what comes is kept again, unless it is not wanted. */
  async clear() {
    this.written.clear();
    if (!this.database) return;
    await this.#empty();
    if (this.why !== null && this.wanted) {
      this.why = null;
      this.onChange();
    }
  }

  /** The person's wish: without it everything is removed at once. @param {boolean} wanted @param {Iterable<Held>} pictures that are there */
  async want(wanted, pictures) {
    remember(`${this.name} off`, wanted ? null : 'yes');
    if (!this.database) return;
    await this.clear();
    this.why = wanted ? null : texts.kept.unwanted;
    this.onChange();
    for (const picture of pictures) await this.follow(picture);
  }

  /** The page ends because the person leaves it: told at the last moment, when nothing can be waited for. @param {string | undefined} id of the picture that is worked on */
  leaving(id) {
    if (this.on && id) remember(`${this.name} left`, id);
  }

  #empty() {
    return this.#removed((store) => store.clear());
  }

  /** @param {(store: IDBObjectStore) => void} how */
  async #removed(how) {
    if (!this.database) return;
    try {
      const transaction = this.#transaction(STORES, 'readwrite');
      const done = committed(transaction);
      for (const store of STORES) how(transaction.objectStore(store));
      await done;
    } catch (error) {
      this.#stop(reasonOf(error));
    }
  }

  /** @param {string} why */
  #stop(why) {
    if (this.why !== null) return; // said once
    this.why = why;
    this.onChange();
  }
}

/** What of a picture, its blobs aside, is worth a write. @param {Held} picture */
const stateOf = ({ state, revision, wanted, begun }) => `${state} ${revision} ${wanted} ${begun}`;

/** @param {unknown} error */
function reasonOf(error) {
  const { name, message } = /** @type {Error} */ (error);
  return name === 'QuotaExceededError' ? texts.kept.full : texts.kept.failed(message || name);
}
