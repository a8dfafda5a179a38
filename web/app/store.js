/**
 * What the page knows: the pictures, the one that is selected, what was changed and not yet sent.
 *
 * Parts of the page read it and listen to topics; they change it through its functions only. A picture is an
 * `Item` from the moment a person gives it, before the engine has it, and keeps its undo stack here.
 */
import { EngineError } from '../engine/interface.js';

/** @typedef {import('../engine/interface.js').Engine} Engine */
/** @typedef {import('../engine/interface.js').Picture} Picture */
/** @typedef {import('../engine/interface.js').Edit} Edit */
/** @typedef {import('../engine/interface.js').About} About */
/** @typedef {'items' | 'item' | 'selected' | 'edit' | 'connection' | 'view' | 'about' | 'notice'} Topic */

/**
 * @typedef {object} Item
 * @property {string} key of this page's own
 * @property {string} name
 * @property {Blob | null} file until the engine has it
 * @property {string} path
 * @property {string | null} localUrl of the file, to show it at once
 * @property {{state: 'waiting' | 'sending' | 'failed', share: number, message: string, stop: AbortController} | null} upload
 * @property {Picture | null} picture
 * @property {Edit | null} edit what the page shows; the engine's lags behind
 * @property {Edit[]} undone
 * @property {Edit[]} done
 * @property {string} gesture changes of one gesture are one step of undo
 * @property {number} dirty changes that the engine has not got, by serial; 0: none
 * @property {number} expected the revision that the last change leads to
 * @property {boolean} fresh not yet announced as done
 */

/** @typedef {'checker' | 'white' | 'black' | 'color' | 'picture' | 'blur'} Backdrop */

/** How long after the last change it is sent whole; previews of the visible part come earlier. */
const COMMIT_AFTER = 350;
const MOST_UNDO = 200;

export class Store {
  /** @param {Engine} engine */
  constructor(engine) {
    this.engine = engine;
    /** @type {Item[]} */
    this.items = [];
    /** @type {Item | null} */
    this.selected = null;
    /** @type {About | null} */
    this.about = null;
    /** @type {'connecting' | 'online' | 'offline' | 'unauthorized'} */
    this.connection = 'connecting';
    this.view = {
      /** @type {'cutout' | 'alpha' | 'original'} */
      layer: 'cutout',
      compare: false,
      loupe: false,
      /** @type {Backdrop} */
      backdrop: 'checker',
      color: '#0f766e',
      /** @type {ImageBitmap | null} */
      picture: null,
      /** @type {'move' | 'keep' | 'drop' | 'box' | 'keepPoint' | 'dropPoint'} */
      tool: 'move',
      brush: 0.03,
      /** @type {'cutout' | 'frame' | 'device'} */
      panel: 'cutout',
    };
    /** @type {number | null} milliseconds of the last preview */
    this.lastPreview = null;
    /** @type {Map<Topic, Set<(payload?: any) => void>>} */
    this.listeners = new Map();
    this.serial = 0;
    /** @type {Map<Item, number>} */
    this.timers = new Map();
  }

  /** @param {Topic} topic @param {(payload?: any) => void} listener */
  on(topic, listener) {
    const all = this.listeners.get(topic) ?? new Set();
    this.listeners.set(topic, all.add(listener));
    return () => all.delete(listener);
  }

  /** @param {Topic} topic @param {any} [payload] */
  emit(topic, payload) {
    for (const listener of this.listeners.get(topic) ?? []) listener(payload);
  }

  /** @param {{text: string, kind?: 'info' | 'error' | 'quiet'}} notice shown and read out; "quiet" is only read out */
  notify(notice) {
    this.emit('notice', notice);
  }

  /** @param {unknown} error what a call of the engine threw */
  complain(error) {
    if (error instanceof DOMException && error.name === 'AbortError') return;
    if (error instanceof EngineError && ['offline', 'unauthorized', 'stale', 'missing'].includes(error.kind)) return; // the banner says it, something newer comes, or it was removed
    this.notify({ text: error instanceof Error ? error.message : String(error), kind: 'error' });
  }

  /** @param {Partial<Store['view']>} changes */
  setView(changes) {
    Object.assign(this.view, changes);
    this.emit('view', changes);
  }

  /** @param {Store['connection']} state */
  setConnection(state) {
    if (this.connection === state) return;
    this.connection = state;
    this.emit('connection');
  }

  /** @param {Item | null} item */
  select(item) {
    if (this.selected === item) return;
    if (this.selected) this.selected.gesture = '';
    this.selected = item;
    this.emit('selected');
  }

  /** @param {number} step */
  step(step) {
    const at = this.selected ? this.items.indexOf(this.selected) : -1;
    const next = this.items[Math.min(this.items.length - 1, Math.max(0, at + step))];
    if (next) this.select(next);
  }

  /** @param {Partial<Item>} given @returns {Item} */
  addItem(given) {
    /** @type {Item} */
    const item = {
      key: `item-${++this.serial}`,
      name: '',
      file: null,
      path: '',
      localUrl: null,
      upload: null,
      picture: null,
      edit: null,
      undone: [],
      done: [],
      gesture: '',
      dirty: 0,
      expected: 0,
      fresh: true,
      ...given,
    };
    this.items.push(item);
    return item;
  }

  /** @param {Item} item */
  dropItem(item) {
    const at = this.items.indexOf(item);
    if (at < 0) return;
    item.upload?.stop.abort();
    window.clearTimeout(this.timers.get(item));
    if (item.localUrl) URL.revokeObjectURL(item.localUrl);
    this.items.splice(at, 1);
    if (this.selected === item) this.select(this.items[at] ?? this.items[at - 1] ?? null);
    this.emit('items');
  }

  /** @param {string} id */
  itemOf(id) {
    return this.items.find((item) => item.picture?.id === id);
  }

  /** What the engine says of a picture. @param {Item} item @param {Picture} picture */
  update(item, picture) {
    const before = item.picture;
    // An older answer may come after a newer event.
    if (before && picture.revision < before.revision) return;
    item.picture = picture;
    item.name = picture.name;
    item.path = picture.path && picture.path !== picture.name ? picture.path : item.path;
    // Said before the engine took the last change: its edit is the one before.
    if (!item.dirty && picture.revision >= item.expected) item.edit = picture.edit;
    if (picture.state === 'done' && item.localUrl && picture.result) {
      URL.revokeObjectURL(item.localUrl);
      item.localUrl = null;
    }
    this.emit('item', item);
  }

  /**
   * Change what is asked of the selected picture, as a step that can be undone.
   * @param {(edit: Edit) => void} mutate
   * @param {{gesture?: string, preview?: boolean}} [how] changes with the same gesture in a row are one step
   */
  change(mutate, { gesture = '', preview = true } = {}) {
    const item = this.selected;
    if (!item?.edit || !item.picture) return;
    const before = item.edit;
    const after = structuredClone(before);
    mutate(after);
    if (!gesture || item.gesture !== gesture) {
      item.done.push(before);
      if (item.done.length > MOST_UNDO) item.done.shift();
    }
    item.gesture = gesture;
    item.undone = [];
    this.setEdit(item, after, preview);
  }

  /** What comes next is a step of its own: a slider was let go. */
  endGesture() {
    if (this.selected) this.selected.gesture = '';
  }

  undo() {
    const item = this.selected;
    const before = item?.edit && item.done.pop();
    if (!item?.edit || !before) return false;
    item.undone.push(item.edit);
    item.gesture = '';
    this.setEdit(item, before, true);
    return true;
  }

  redo() {
    const item = this.selected;
    const after = item?.edit && item.undone.pop();
    if (!item?.edit || !after) return false;
    item.done.push(item.edit);
    item.gesture = '';
    this.setEdit(item, after, true);
    return true;
  }

  /** @param {Item} item @param {Edit} edit @param {boolean} preview */
  setEdit(item, edit, preview) {
    item.edit = edit;
    item.dirty = ++this.serial;
    this.emit('edit', { item, preview });
    window.clearTimeout(this.timers.get(item));
    this.timers.set(item, window.setTimeout(() => this.commit(item), COMMIT_AFTER));
  }

  /** Send a changed edit whole; a newer change sends again. @param {Item} item */
  async commit(item) {
    window.clearTimeout(this.timers.get(item));
    if (!item.dirty || !item.edit || !item.picture) return;
    const sent = item.dirty;
    try {
      const { revision } = await this.engine.setEdit(item.picture.id, item.edit);
      item.expected = revision;
      if (item.dirty === sent) item.dirty = 0;
      this.emit('item', item);
    } catch (error) {
      // Offline: kept, and sent when the engine is back. Refused: what the engine has stands.
      if (error instanceof EngineError && ['offline', 'unauthorized'].includes(error.kind)) return;
      if (item.dirty === sent) {
        item.dirty = 0;
        item.edit = item.picture.edit;
        this.emit('edit', { item, preview: false });
      }
      this.complain(error);
    }
  }

  /** Whether the picture is being changed or its change computed. @param {Item} item */
  busy(item) {
    return item.dirty > 0 || (!!item.picture && ['queued', 'running'].includes(item.picture.state));
  }
}
