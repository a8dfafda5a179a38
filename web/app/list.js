/** The list of pictures: thumbnail, name, state and progress of each, and of all together. */
import { texts } from '../texts.en.js';
import { h, icon, iconButton } from './dom.js';

/** @typedef {import('./store.js').Store} Store */
/** @typedef {import('./store.js').Item} Item */
/** @typedef {import('./intake.js').Intake} Intake */

const THUMBNAIL = 160;

/**
 * What to say of an item: a word, a share where there is one, and how it is meant.
 * @param {Item} item @param {boolean} online
 * @returns {{text: string, share: number | null, kind: 'quiet' | 'busy' | 'done' | 'look' | 'failed'}}
 */
export function stateOf(item, online) {
  const { upload, picture } = item;
  if (upload) {
    if (upload.state === 'failed') return { text: texts.states.failed, share: null, kind: 'failed' };
    if (upload.state === 'sending') return { text: texts.states.uploading(upload.share), share: upload.share * 0.1, kind: 'busy' };
    return { text: online ? texts.states.waiting : texts.states.offline, share: null, kind: 'quiet' };
  }
  if (!picture) return { text: texts.states.waiting, share: null, kind: 'quiet' };
  switch (picture.state) {
    case 'queued':
      return { text: picture.result ? texts.states.updating : texts.states.queued, share: picture.result ? 1 : 0.1, kind: 'quiet' };
    case 'running': {
      const text = picture.result ? texts.states.updating : picture.stage ? texts.stage(picture.stage) : texts.states.running;
      return { text, share: 0.1 + 0.9 * (picture.progress || 0), kind: 'busy' };
    }
    case 'failed':
      return { text: texts.states.failed, share: null, kind: 'failed' };
    case 'cancelled':
      return { text: texts.states.cancelled, share: null, kind: 'quiet' };
    default:
      return picture.result?.low_confidence
        ? { text: texts.states.look, share: null, kind: 'look' }
        : { text: texts.size(picture.width, picture.height), share: null, kind: 'done' };
  }
}

/** @param {Item} item */
export const isPending = (item) =>
  item.upload ? item.upload.state !== 'failed' : !!item.picture && ['queued', 'running'].includes(item.picture.state);

/** @param {Item} item */
export const isFailed = (item) => item.upload?.state === 'failed' || item.picture?.state === 'failed';

export class PictureList {
  /** @param {Store} store @param {Intake} intake @param {{empty: () => void}} actions */
  constructor(store, intake, actions) {
    this.store = store;
    this.intake = intake;
    /** @type {Map<Item, {element: HTMLLIElement, update: () => void}>} */
    this.rows = new Map();
    this.list = h('ul', { class: 'pictures', on: { keydown: (/** @type {KeyboardEvent} */ event) => this.key(event) } });
    this.count = h('span', { class: 'count' });
    this.bar = h('progress', { class: 'overall', 'aria-label': texts.list.progress, max: 1, value: 0, hidden: true });
    this.cancelAll = h('button', { type: 'button', class: 'link', hidden: true, on: { click: () => this.everyPending() } }, texts.list.cancelAll);
    this.retryAll = h('button', { type: 'button', class: 'link', hidden: true, on: { click: () => this.everyFailed() } }, texts.list.retryAll);
    let paused = store.engine.keeping?.().paused ?? false;
    const label = () => (paused ? texts.here.resume : texts.here.pause);
    this.pause = h(
      'button',
      {
        type: 'button',
        class: 'link pause',
        hidden: true,
        on: {
          click: () => {
            paused = !paused;
            this.pause.textContent = label();
            store.engine.pause?.(paused).catch((/** @type {unknown} */ error) => store.complain(error));
          },
        },
      },
      label(),
    );
    this.element = h(
      'nav',
      { class: 'list', 'aria-label': texts.list.label },
      h(
        'div',
        { class: 'list-head' },
        h('div', { class: 'list-title' }, this.count, this.bar),
        h(
          'div',
          { class: 'list-actions' },
          iconButton('add', texts.list.add, () => intake.choose(false), { class: 'icon-button add' }),
          iconButton('folder', texts.list.addFolder, () => intake.choose(true), { class: 'icon-button wide-only' }),
        ),
      ),
      this.list,
      h('div', { class: 'list-foot' }, this.pause, this.cancelAll, this.retryAll, h('button', { type: 'button', class: 'link quiet', on: { click: actions.empty } }, texts.list.empty)),
    );
    store.on('items', () => this.render());
    store.on('item', (item) => {
      this.rows.get(item)?.update();
      this.summary();
    });
    store.on('selected', () => this.mark());
    store.on('connection', () => this.rows.forEach((row) => row.update()));
    this.render();
  }

  render() {
    const { items } = this.store;
    for (const [item, row] of this.rows) {
      if (items.includes(item)) continue;
      row.element.remove();
      this.rows.delete(item);
    }
    items.forEach((item, at) => {
      let row = this.rows.get(item);
      if (!row) this.rows.set(item, (row = this.row(item)));
      if (this.list.children[at] !== row.element) this.list.insertBefore(row.element, this.list.children[at] ?? null);
    });
    this.mark();
    this.summary();
  }

  /** @param {Item} item */
  row(item) {
    const { store } = this;
    const image = h('img', { alt: '', loading: 'lazy', decoding: 'async', draggable: false, hidden: true });
    image.addEventListener('error', () => (image.hidden = true));
    const thumb = h('span', { class: 'thumb' }, icon('image'), image);
    const name = h('span', { class: 'name' });
    const state = h('span', { class: 'state' });
    const bar = h('progress', { max: 1, 'aria-hidden': 'true', hidden: true });
    const open = h('button', { type: 'button', class: 'pick', on: { click: () => store.select(item) } }, thumb, h('span', { class: 'about' }, name, state, bar));
    const act = h('span', { class: 'row-actions' });
    const element = h('li', {}, open, act);
    let shown = '';
    let acts = '';

    const update = () => {
      const said = stateOf(item, store.connection === 'online');
      name.textContent = item.path || item.name;
      name.title = item.path || item.name;
      state.textContent = said.text;
      if (item.upload?.message || item.picture?.error) state.title = item.upload?.message || item.picture?.error?.message || '';
      element.dataset.state = said.kind;
      bar.hidden = said.share === null || (said.kind === 'quiet' && !item.picture?.result && said.share < 0.11 && item.picture?.state === 'queued');
      bar.value = said.share ?? 0;
      const { picture } = item;
      const key = picture?.result && picture.revision ? `${picture.id} ${picture.revision}` : item.localUrl ?? (picture && picture.state !== 'failed' ? picture.id : '');
      if (key !== shown && (store.connection === 'online' || item.localUrl)) {
        shown = key;
        this.thumbnail(item, image);
      }
      thumb.classList.toggle('cut', !!picture?.result);
      const kind = isFailed(item) || picture?.state === 'cancelled' ? 'retry' : isPending(item) && !picture?.result ? 'cancel' : 'remove';
      if (`${kind} ${item.name}` !== acts) {
        acts = `${kind} ${item.name}`;
        const focused = act.contains(document.activeElement);
        act.replaceChildren(
          ...(kind === 'retry' ? [iconButton('retry', texts.list.retry(item.name), () => this.retry(item))] : []),
          kind === 'cancel'
            ? iconButton('close', texts.list.cancel(item.name), () => this.cancel(item))
            : iconButton('trash', texts.list.remove(item.name), () => this.remove(item)),
        );
        if (focused) /** @type {HTMLElement} */ (act.firstChild)?.focus();
      }
    };
    update();
    return { element, update };
  }

  /** @param {Item} item @param {HTMLImageElement} image */
  async thumbnail(item, image) {
    const { picture } = item;
    let address = item.localUrl;
    if (picture && (picture.result || !address)) {
      try {
        address = await this.store.engine.thumbnail(picture.id, picture.revision, picture.result ? 'cutout' : 'original', THUMBNAIL);
      } catch {
        return;
      }
    }
    if (!address) return;
    if (image.src.startsWith('blob:') && image.src !== item.localUrl) URL.revokeObjectURL(image.src);
    image.hidden = false;
    image.src = address;
  }

  mark() {
    for (const [item, { element }] of this.rows) {
      const current = item === this.store.selected;
      element.classList.toggle('current', current);
      element.firstElementChild?.setAttribute('aria-current', current ? 'true' : 'false');
      if (current) element.scrollIntoView({ block: 'nearest', inline: 'nearest' });
    }
  }

  summary() {
    const { items } = this.store;
    const pending = items.filter(isPending);
    const failed = items.filter(isFailed).length;
    const done = items.length - pending.length;
    const text = pending.length ? texts.list.overall(done, items.length) : texts.list.allDone(items.length);
    this.count.textContent = failed ? `${text}, ${texts.list.failed(failed)}` : text;
    this.bar.hidden = !pending.length || items.length < 2;
    this.bar.value = items.length ? items.reduce((sum, item) => sum + (isPending(item) ? stateOf(item, true).share ?? 0 : 1), 0) / items.length : 0;
    this.cancelAll.hidden = pending.length < 2;
    this.pause.hidden = !this.store.engine.offers.pause || !pending.length;
    this.retryAll.hidden = !failed || pending.length > 0;
  }

  /** @param {Item} item */
  async remove(item) {
    const id = item.picture?.id;
    const row = this.rows.get(item)?.element;
    const neighbour = row?.nextElementSibling ?? row?.previousElementSibling;
    const focused = row?.contains(document.activeElement);
    this.store.dropItem(item);
    if (focused) /** @type {HTMLElement | null | undefined} */ (neighbour?.querySelector('.pick'))?.focus();
    this.store.notify({ text: texts.announce.removed(item.name), kind: 'quiet' });
    if (id) await this.store.engine.remove(id).catch((error) => this.store.complain(error));
  }

  /** @param {Item} item */
  async cancel(item) {
    if (!item.picture) {
      this.store.dropItem(item);
      this.store.notify({ text: texts.announce.cancelled(item.name), kind: 'quiet' });
      return;
    }
    await this.store.engine.cancel(item.picture.id).catch((error) => this.store.complain(error));
  }

  /** @param {Item} item */
  async retry(item) {
    item.fresh = true;
    if (item.upload) this.intake.again(item);
    else if (item.picture) await this.store.engine.retry(item.picture.id).catch((error) => this.store.complain(error));
  }

  everyPending() {
    for (const item of this.store.items.filter(isPending)) this.cancel(item);
  }

  everyFailed() {
    for (const item of this.store.items.filter(isFailed)) this.retry(item);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    const forward = ['ArrowDown', 'ArrowRight'].includes(event.key);
    if (!forward && !['ArrowUp', 'ArrowLeft'].includes(event.key)) return;
    event.preventDefault();
    this.store.step(forward ? 1 : -1);
    /** @type {HTMLElement | null} */ (this.list.querySelector('.current .pick'))?.focus();
  }
}
