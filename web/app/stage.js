/**
 * The picture in the middle of the page: layers, comparison, overlays, drawn on one canvas when something changed.
 *
 * Owns the viewport and the layers; `stage-input.js` moves them, `loupe.js` looks into them.
 */
import { texts } from '../texts.en.js';
import { drawBackdrop } from './backdrop.js';
import { h } from './dom.js';
import { Layer } from './layer.js';
import { drawOverlay } from './overlay.js';
import { Viewport } from './viewport.js';

/** @typedef {import('./store.js').Store} Store */
/** @typedef {import('./store.js').Item} Item */
/** @typedef {import('../engine/interface.js').Stroke} Stroke */

export class Stage {
  /** @param {Store} store */
  constructor(store) {
    this.store = store;
    this.viewport = new Viewport();
    this.split = 0.5;
    this.ratio = 1;
    /** Painted and not yet in the edit. @type {Stroke | null} */
    this.stroke = null;
    /** Drawn and not yet in the edit. @type {[number, number, number, number] | null} */
    this.draft = null;
    /** Where the tool is, in picture pixels. @type {{x: number, y: number, byKeys: boolean} | null} */
    this.cursor = null;
    /** Strokes stay visible until a preview shows what they did. */
    this.showStrokes = 0;
    // What the engine could not read it has said of the picture already.
    const failed = (/** @type {unknown} */ error) => store.selected?.picture?.state !== 'failed' && store.complain(error);
    const redraw = () => this.invalidate();
    this.layers = {
      original: new Layer(store.engine, 'original', redraw, failed),
      cutout: new Layer(store.engine, 'cutout', redraw, failed),
      alpha: new Layer(store.engine, 'alpha', redraw, failed),
      framed: new Layer(store.engine, 'framed', () => this.framedArrived(), failed),
    };
    this.canvas = h('canvas', { class: 'stage-canvas', role: 'img' });
    this.context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext('2d'));
    this.buffer = document.createElement('canvas');
    this.bufferContext = /** @type {CanvasRenderingContext2D} */ (this.buffer.getContext('2d'));
    this.local = h('img', { class: 'stage-local', alt: '', hidden: true });
    this.local.addEventListener('error', () => (this.local.hidden = true));
    this.handle = h(
      'div',
      {
        class: 'split',
        role: 'slider',
        tabindex: '0',
        hidden: true,
        'aria-label': texts.viewer.split,
        'aria-valuemin': '0',
        'aria-valuemax': '100',
        'aria-orientation': 'horizontal',
      },
      h('span', { class: 'split-knob' }),
    );
    this.before = h('span', { class: 'side before', hidden: true }, texts.viewer.before);
    this.after = h('span', { class: 'side after', hidden: true }, texts.viewer.after);
    this.surface = h(
      'div',
      { class: 'surface', tabindex: '0', role: 'application', 'aria-label': texts.viewer.label, 'aria-describedby': 'stage-help', data: { tool: 'move' } },
      this.local,
      this.canvas,
    );
    this.element = h('div', { class: 'stage-area', dir: 'ltr' }, this.surface, this.before, this.after, this.handle, h('p', { id: 'stage-help', class: 'visually-hidden' }, texts.viewer.help));
    this.frame = 0;
    this.ended = false;
    new ResizeObserver(() => this.resize()).observe(this.surface);
    for (const topic of /** @type {const} */ (['selected', 'view'])) store.on(topic, () => this.refresh());
    store.on('item', (item) => item === store.selected && this.refresh());
    store.on('edit', ({ item }) => item === store.selected && this.invalidate());
    store.on('connection', () => this.refresh());
  }

  /** Framing is looked at in its own panel, in its own frame. */
  get framing() {
    return this.store.view.panel === 'frame' && !!this.store.selected?.picture?.result;
  }

  /** @returns {'framed' | 'cutout' | 'alpha' | 'original'} */
  get shown() {
    const item = this.store.selected;
    if (!item?.picture?.revision || !(item.picture.result || this.layers.cutout.base)) return 'original';
    return this.framing ? 'framed' : this.store.view.layer;
  }

  get comparing() {
    return this.store.view.compare && this.shown !== 'framed' && this.shown !== 'original' && !!this.layers.original.base;
  }

  /** Take up what is selected and what of it is shown. */
  refresh() {
    const item = this.store.selected;
    const picture = item?.picture ?? null;
    this.local.hidden = true;
    if (!item || !picture) {
      for (const layer of Object.values(this.layers)) layer.clear();
      if (item?.localUrl) this.showLocal(item);
      this.invalidate();
      return;
    }
    const longest = Math.max(this.viewport.width, this.viewport.height) * this.ratio;
    if (this.layers.original.id && this.layers.original.id !== picture.id) {
      this.viewport.imageWidth = 0;
      this.stroke = this.draft = this.cursor = null;
      this.showStrokes = 0;
      for (const layer of Object.values(this.layers)) layer.clear();
    }
    if (this.store.connection !== 'online') {
      this.invalidate();
      return;
    }
    const settled = !item.dirty && picture.revision >= item.expected;
    const { original } = this.layers;
    // What the file's head says is not yet turned upright.
    if (original.id === picture.id && original.width && (original.width !== picture.width || original.height !== picture.height)) original.clear();
    // It never changes else.
    original.show(picture.id, 0, longest);
    if (picture.result && picture.revision) {
      for (const name of /** @type {const} */ (['cutout', 'alpha', 'framed'])) {
        const layer = this.layers[name];
        const needed = name === this.shown || (name === 'cutout' && this.shown !== 'framed');
        if (needed && (settled || layer.id !== picture.id)) layer.show(picture.id, picture.revision, longest);
      }
    }
    const framed = this.layers.framed;
    if (this.shown === 'framed') {
      const size = framed.width ? framed : picture.framed ?? picture;
      this.viewport.setImage(size.width, size.height);
    } else if (picture.width) this.viewport.setImage(picture.width, picture.height);
    if (!this.layers.original.base && item.localUrl) this.showLocal(item);
    this.invalidate();
  }

  framedArrived() {
    const { framed } = this.layers;
    if (this.shown === 'framed' && framed.width) this.viewport.setImage(framed.width, framed.height);
    this.invalidate();
  }

  /** The file itself, before the engine has it. @param {Item} item */
  showLocal(item) {
    if (this.local.src !== item.localUrl) this.local.src = item.localUrl ?? '';
    this.local.hidden = false;
  }

  resize() {
    const { clientWidth, clientHeight } = this.surface;
    this.ratio = Math.min(3, window.devicePixelRatio || 1);
    for (const canvas of [this.canvas, this.buffer]) {
      canvas.width = Math.round(clientWidth * this.ratio);
      canvas.height = Math.round(clientHeight * this.ratio);
    }
    // Room for the bars that float over the stage.
    const narrow = matchMedia('(max-width: 1099px)').matches;
    this.viewport.margin = narrow ? { top: 64, bottom: 68, inline: 12 } : { top: 56, bottom: 84, inline: 84 };
    this.viewport.resize(clientWidth, clientHeight);
    this.draw();
  }

  invalidate() {
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.draw();
    });
  }

  /** The picture's rectangle in device pixels. */
  pictureRect() {
    const [left, top] = this.viewport.toScreen(0, 0);
    const [right, bottom] = this.viewport.toScreen(this.viewport.imageWidth, this.viewport.imageHeight);
    const x = Math.round(left * this.ratio);
    const y = Math.round(top * this.ratio);
    return { x, y, width: Math.round(right * this.ratio) - x, height: Math.round(bottom * this.ratio) - y };
  }

  draw() {
    const { context, viewport, ratio, store } = this;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, this.canvas.width, this.canvas.height);
    const item = store.selected;
    const picture = item?.picture;
    const layer = this.layers[this.shown];
    const comparing = this.comparing;
    if (picture && viewport.imageWidth && layer.base) {
      this.local.hidden = true;
      const rect = this.pictureRect();
      const visible = viewport.visible();
      layer.want(visible, viewport.scale * ratio);
      if (this.shown === 'cutout' || this.shown === 'framed') {
        drawBackdrop(context, rect, store.view, this.layers.original.base?.image ?? null, ratio);
        this.bufferContext.clearRect(0, 0, this.buffer.width, this.buffer.height);
        layer.draw(this.bufferContext, viewport, ratio);
        context.drawImage(this.buffer, 0, 0);
      } else layer.draw(context, viewport, ratio);
      if (comparing) {
        const edge = Math.round(this.split * this.canvas.width);
        this.layers.original.want(visible, viewport.scale * ratio);
        context.save();
        context.beginPath();
        context.rect(0, 0, edge, this.canvas.height);
        context.clip();
        context.clearRect(rect.x, rect.y, rect.width, rect.height);
        this.layers.original.draw(context, viewport, ratio);
        context.restore();
      }
      if (this.shown !== 'framed') drawOverlay(this);
    }
    this.describe(comparing);
  }

  /** Names, values and the parts that are elements. @param {boolean} comparing */
  describe(comparing) {
    const { store, viewport } = this;
    const { layer, tool } = store.view;
    this.surface.dataset.tool = this.framing ? 'move' : tool;
    for (const part of [this.handle, this.before, this.after]) part.hidden = !comparing;
    this.element.style.setProperty('--split', `${100 * this.split}%`);
    if (comparing) {
      const { y, height } = this.pictureRect();
      const top = Math.max(0, y / this.ratio);
      this.element.style.setProperty('--top', `${top}px`);
      this.element.style.setProperty('--bottom', `${Math.max(0, viewport.height - Math.max(top + 60, (y + height) / this.ratio))}px`);
    }
    this.handle.setAttribute('aria-valuenow', String(Math.round(100 * this.split)));
    this.handle.setAttribute('aria-valuetext', texts.viewer.splitValue(this.split));
    const picture = store.selected?.picture;
    const shown = this.shown;
    const { x, y, width, height } = this.pictureRect();
    this.canvas.dataset.rect = [x, y, width, height].map((value) => value / this.ratio).join(' ');
    const what = shown === 'framed' ? texts.viewer.framed : shown === 'original' ? texts.viewer.original : layer === 'alpha' ? texts.viewer.mask : texts.viewer.result;
    const label = picture
      ? texts.viewer.canvas(picture.name, what, texts.size(viewport.imageWidth, viewport.imageHeight), viewport.scale)
      : texts.viewer.label;
    if (this.canvas.getAttribute('aria-label') !== label) this.canvas.setAttribute('aria-label', label);
    this.onDraw?.();
  }

  /** What the bars around the stage hang on. @type {(() => void) | undefined} */
  onDraw;

  /** @param {number} factor @param {number} [x] @param {number} [y] */
  zoomBy(factor, x, y) {
    this.viewport.zoomTo(this.viewport.scale * factor, x, y);
    this.invalidate();
  }

  fit() {
    this.viewport.fit();
    this.invalidate();
  }

  /** Every pixel of the picture is one of the screen. */
  actualSize() {
    const at = this.cursor && !this.viewport.fitted ? this.viewport.toScreen(this.cursor.x, this.cursor.y) : [];
    this.viewport.zoomTo(1 / this.ratio, ...at);
    this.invalidate();
  }

  /** @param {number} share */
  setSplit(share) {
    this.split = Math.min(1, Math.max(0, share));
    this.invalidate();
  }
}
