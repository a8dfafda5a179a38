/**
 * How pictures come in: dropped, pasted, chosen, a folder, a sample; one on its way to the engine at a time.
 *
 * A picture is in the list from the moment it was given; while the engine is away it waits there.
 */
import { EngineError } from '../engine/interface.js';
import { texts } from '../texts.en.js';

/** @typedef {import('./store.js').Store} Store */
/** @typedef {import('./store.js').Item} Item */
/** @typedef {{file: Blob, name: string, path: string}} Given */

// One: to this computer it is as fast as more, and pictures keep the order that they were given in.
const AT_A_TIME = 1;
const BUSY_WAIT = 1500;
const SUFFIXES = /\.(jpe?g|jfif|png|webp|tiff?|bmp|gif|avif|hei[cf]|jxl)$/i;
// The operating system's own, in folders of pictures.
const JUNK = /^(\.|thumbs\.db$|desktop\.ini$)/i;

/** @param {{name: string, type?: string}} file */
const isImage = (file) => !JUNK.test(file.name) && (SUFFIXES.test(file.name) || (file.type ?? '').startsWith('image/'));

export class Intake {
  /** @param {Store} store */
  constructor(store) {
    this.store = store;
    this.sending = 0;
    this.pausedUntil = 0;
    /** Pictures that the engine told of before the answer to their upload came. @type {Map<string, import('../engine/interface.js').Picture>} */
    this.unclaimed = new Map();
    /** Another way to a folder, where there is one. @type {(() => void) | null} */
    this.chooseFolder = null;
    store.on('connection', () => store.connection === 'online' && this.pump());
  }

  /** @param {Given[]} given */
  add(given) {
    const images = given.filter(({ file, name }) => isImage({ name, type: file.type }));
    const skipped = given.length - images.length;
    const limit = this.store.about?.limits?.max_bytes ?? Infinity;
    /** @type {Item | null} */
    let first = null;
    for (const { file, name, path } of images) {
      const tooLarge = file.size > limit;
      const item = this.store.addItem({
        name,
        path,
        file,
        localUrl: URL.createObjectURL(file),
        upload: {
          state: tooLarge ? 'failed' : 'waiting',
          share: 0,
          message: tooLarge ? texts.errors.tooLarge(name) : '',
          stop: new AbortController(),
        },
      });
      first ??= item;
    }
    if (!images.length) {
      if (given.length) this.store.notify({ text: texts.errors.noImages, kind: 'error' });
      return;
    }
    this.store.emit('items');
    if (first && (!this.store.selected || images.length === 1)) this.store.select(first);
    this.store.notify({ text: texts.announce.added(images.length) + (skipped ? ` ${texts.announce.skipped(skipped)}` : ''), kind: skipped ? 'info' : 'quiet' });
    this.pump();
  }

  /** Send what waits, as far as there is room. */
  pump() {
    if (this.store.connection !== 'online' || performance.now() < this.pausedUntil) return;
    for (const item of this.store.items) {
      if (this.sending >= AT_A_TIME) return;
      if (item.upload?.state === 'waiting') this.send(item);
    }
  }

  /** @param {Item} item */
  async send(item) {
    const upload = item.upload;
    if (!upload || !item.file) return;
    this.sending += 1;
    upload.state = 'sending';
    upload.share = 0;
    this.store.emit('item', item);
    try {
      const picture = await this.store.engine.add(item.file, {
        name: item.name,
        path: item.path || undefined,
        signal: upload.stop.signal,
        onProgress: (share) => {
          upload.share = share;
          this.store.emit('item', item);
        },
      });
      item.upload = null;
      item.file = null;
      const newest = this.unclaimed.get(picture.id) ?? picture;
      this.unclaimed.delete(picture.id);
      const twin = this.store.itemOf(picture.id);
      if (twin && twin !== item) this.store.dropItem(twin);
      // Removed here while it was on its way.
      if (!this.store.items.includes(item)) this.store.engine.remove(picture.id).catch(() => {});
      else this.store.update(item, newest.revision >= picture.revision ? newest : picture);
    } catch (error) {
      this.refused(item, error);
    } finally {
      this.sending -= 1;
      if (!this.sending) this.claimStrangers();
      this.pump();
    }
  }

  /** @param {Item} item @param {unknown} error */
  refused(item, error) {
    const upload = item.upload;
    if (!upload || (error instanceof DOMException && error.name === 'AbortError')) return;
    const kind = error instanceof EngineError ? error.kind : 'failed';
    if (kind === 'offline' || kind === 'unauthorized' || kind === 'busy') {
      upload.state = 'waiting';
      if (kind === 'busy') {
        const wait = (error instanceof EngineError && error.retryAfter) || BUSY_WAIT;
        this.pausedUntil = performance.now() + wait;
        window.setTimeout(() => this.pump(), wait + 10);
      }
    } else {
      upload.state = 'failed';
      upload.message = error instanceof Error ? error.message : String(error);
      this.store.notify({ text: texts.announce.failed(item.name, upload.message), kind: 'quiet' });
    }
    this.store.emit('item', item);
  }

  /** @param {Item} item */
  again(item) {
    if (!item.upload) return;
    item.upload.state = 'waiting';
    this.store.emit('item', item);
    this.pump();
  }

  /** Pictures that no item has: another page's, or one whose upload is about to be answered. @param {...import('../engine/interface.js').Picture} pictures */
  strangers(...pictures) {
    for (const picture of pictures) this.unclaimed.set(picture.id, picture);
    if (!this.sending) this.claimStrangers();
  }

  claimStrangers() {
    for (const picture of this.unclaimed.values()) {
      if (this.store.itemOf(picture.id)) continue;
      const item = this.store.addItem({ name: picture.name, fresh: picture.state !== 'done' });
      this.store.update(item, picture);
    }
    if (this.unclaimed.size) this.store.emit('items');
    this.unclaimed.clear();
    if (!this.store.selected && this.store.items.length) this.store.select(this.store.items[0]);
  }

  /** @param {{name: string, url: string}} sample */
  async addSample(sample) {
    try {
      const file = await this.store.engine.sample(sample);
      const suffix = SUFFIXES.test(sample.name) ? '' : { 'image/png': '.png', 'image/webp': '.webp' }[file.type] ?? '.jpg';
      this.add([{ file, name: sample.name + suffix, path: '' }]);
    } catch (error) {
      this.store.complain(error);
    }
  }

  /** @param {boolean} folder */
  choose(folder) {
    if (folder && this.chooseFolder) return this.chooseFolder();
    const input = document.createElement('input');
    input.type = 'file';
    input.multiple = true;
    if (folder) input.webkitdirectory = true;
    else input.accept = 'image/*,.heic,.heif,.tif,.tiff,.jxl,.avif';
    input.addEventListener('change', () => this.add(fromList(input.files)));
    input.click();
    return undefined;
  }

  /** Take drops anywhere on the page and pictures from the clipboard. @param {HTMLElement} veil shown while something is dragged over */
  listen(veil) {
    let depth = 0;
    const carries = (/** @type {DragEvent} */ event) => event.dataTransfer?.types.includes('Files') ?? false;
    const show = (/** @type {boolean} */ shown) => {
      veil.hidden = !shown;
      if (!shown) depth = 0;
    };
    document.addEventListener('dragenter', (event) => {
      if (!carries(event)) return;
      event.preventDefault();
      depth += 1;
      show(true);
    });
    document.addEventListener('dragover', (event) => {
      if (!carries(event) || !event.dataTransfer) return;
      event.preventDefault();
      event.dataTransfer.dropEffect = 'copy';
    });
    document.addEventListener('dragleave', (event) => {
      if (carries(event) && --depth <= 0) show(false);
    });
    document.addEventListener('drop', async (event) => {
      show(false);
      if (!event.dataTransfer || !carries(event)) return;
      event.preventDefault();
      this.add(await fromTransfer(event.dataTransfer));
    });
    document.addEventListener('paste', (event) => {
      const files = fromList(event.clipboardData?.files ?? null);
      if (!files.length) return;
      event.preventDefault();
      this.add(files);
    });
  }
}

/** @param {FileList | null} list @returns {Given[]} */
function fromList(list) {
  return [...(list ?? [])].map((file) => ({ file, name: file.name, path: file.webkitRelativePath ?? '' }));
}

/** Files and whole folders. @param {DataTransfer} transfer @returns {Promise<Given[]>} */
async function fromTransfer(transfer) {
  // Entries have to be taken before the first await: the list is emptied after.
  const entries = [...transfer.items].map((item) => (item.kind === 'file' ? item.webkitGetAsEntry?.() : null));
  const files = [...transfer.files];
  if (!entries.some((entry) => entry?.isDirectory)) return files.map((file) => ({ file, name: file.name, path: '' }));
  /** @type {Given[]} */
  const found = [];
  for (const entry of entries) if (entry) await walk(entry, found);
  return found;
}

/** @param {FileSystemEntry} entry @param {Given[]} found */
async function walk(entry, found) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => /** @type {FileSystemFileEntry} */ (entry).file(resolve, reject));
    if (isImage(file)) found.push({ file, name: file.name, path: entry.fullPath.replace(/^\//, '') });
    return;
  }
  const reader = /** @type {FileSystemDirectoryEntry} */ (entry).createReader();
  // It gives a hundred at a time, and an empty list at the end.
  for (;;) {
    /** @type {FileSystemEntry[]} */
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return;
    for (const each of some.sort((a, b) => a.name.localeCompare(b.name))) await walk(each, found);
  }
}
