/**
 * One layer of a picture on the screen: the whole of it small, the visible part sharp, a change's preview above.
 *
 * Asks the engine for what is in sight only, and keeps what it shows until what replaces it is there.
 */

/** @typedef {import('../engine/interface.js').Engine} Engine */
/** @typedef {import('../engine/interface.js').Layer} LayerName */
/** @typedef {{x: number, y: number, width: number, height: number}} Rect */
/** @typedef {{image: ImageBitmap, rect: Rect}} Part */

const DETAIL_AFTER = 90;
/** Asked for around the visible part, so that a short pan needs nothing new. */
const MARGIN = 0.2;
const MOST_BASE = 2048;

export class Layer {
  /** @param {Engine} engine @param {LayerName} name @param {() => void} redraw @param {(error: unknown) => void} failed */
  constructor(engine, name, redraw, failed) {
    this.engine = engine;
    this.name = name;
    this.redraw = redraw;
    this.failed = failed;
    this.id = '';
    this.revision = -1;
    this.width = 0;
    this.height = 0;
    /** @type {Part | null} */
    this.base = null;
    /** @type {(Part & {scale: number}) | null} */
    this.detail = null;
    /** @type {Part | null} */
    this.patch = null;
    /** The patch is what the engine has computed since, and goes as soon as that is on the screen as sharp. */
    this.patchDone = false;
    this.stop = new AbortController();
    this.detailStop = new AbortController();
    this.timer = 0;
    this.wanted = '';
  }

  /** @param {string} id @param {number} revision @param {number} longest pixels of the stage's longer side */
  show(id, revision, longest) {
    if (id === this.id && revision === this.revision) return;
    if (id !== this.id) this.clear();
    this.id = id;
    this.revision = revision;
    this.stop.abort();
    this.stop = new AbortController();
    this.wanted = '';
    this.loadBase(Math.min(MOST_BASE, 256 * Math.ceil(longest / 256)), this.stop.signal);
  }

  /** @param {number} fit @param {AbortSignal} signal */
  async loadBase(fit, signal) {
    try {
      const made = await this.engine.view(this.id, { fit }, this.name, this.revision, signal);
      if (signal.aborted) {
        made.image.close();
        return;
      }
      this.width = made.layerWidth;
      this.height = made.layerHeight;
      this.setBase(made.image);
      this.patchDone = true;
      this.redraw();
    } catch (error) {
      if (!signal.aborted) {
        this.revision = -1;
        this.failed(error);
      }
    }
  }

  /** Ask for the visible part where the whole is not sharp enough. @param {Rect | null} visible @param {number} scale device pixels per picture pixel */
  want(visible, scale) {
    if (!this.base || !visible || this.revision < 0) return;
    const asked = Math.min(1, 2 ** Math.ceil(Math.log2(scale)));
    if (this.base.image.width >= this.width * Math.min(asked, scale * 0.98)) {
      if (this.patch && this.patchDone) this.setPatch(null);
      return;
    }
    if (this.detail && this.detail.scale >= asked && within(visible, this.detail.rect)) return;
    const rect = this.expanded(visible, asked);
    const wanted = `${this.revision} ${asked} ${Object.values(rect)}`;
    if (wanted === this.wanted) return;
    this.wanted = wanted;
    window.clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.loadDetail(rect, asked), DETAIL_AFTER);
  }

  /** @param {Rect} visible @param {number} scale @returns {Rect} on whole output pixels */
  expanded({ x, y, width, height }, scale) {
    const unit = Math.max(1, Math.round(1 / scale)) * 8;
    const left = Math.max(0, unit * Math.floor((x - width * MARGIN) / unit));
    const top = Math.max(0, unit * Math.floor((y - height * MARGIN) / unit));
    const right = Math.min(this.width, unit * Math.ceil((x + width * (1 + MARGIN)) / unit));
    const bottom = Math.min(this.height, unit * Math.ceil((y + height * (1 + MARGIN)) / unit));
    return { x: left, y: top, width: right - left, height: bottom - top };
  }

  /** @param {Rect} rect @param {number} scale */
  async loadDetail(rect, scale) {
    this.detailStop.abort();
    this.detailStop = new AbortController();
    const { signal } = this.detailStop;
    const revision = this.revision;
    try {
      const made = await this.engine.view(this.id, { ...rect, scale }, this.name, revision, signal);
      if (signal.aborted || revision !== this.revision) {
        made.image.close();
        return;
      }
      this.detail?.image.close();
      this.detail = { image: made.image, rect, scale };
      if (this.patchDone) this.setPatch(null);
      this.redraw();
    } catch (error) {
      if (!signal.aborted) {
        this.wanted = '';
        this.failed(error);
      }
    }
  }

  /** What a change looks like, until the engine has computed it whole. @param {Part | null} patch */
  setPatch(patch) {
    this.patch?.image.close();
    this.patch = patch;
    this.patchDone = false;
    this.redraw();
  }

  /** The whole layer anew; its size stands in width and height. @param {ImageBitmap} image */
  setBase(image) {
    // Pixels are let go at once: a collector does not see how much they weigh.
    this.base?.image.close();
    this.detail?.image.close();
    this.base = { image, rect: { x: 0, y: 0, width: this.width, height: this.height } };
    this.detail = null;
  }

  clear() {
    this.stop.abort();
    this.detailStop.abort();
    window.clearTimeout(this.timer);
    for (const part of [this.base, this.detail, this.patch]) part?.image.close();
    this.base = this.detail = this.patch = null;
    this.id = '';
    this.revision = -1;
    this.width = this.height = 0;
  }

  /**
   * @param {CanvasRenderingContext2D} context in device pixels
   * @param {import('./viewport.js').Viewport} viewport
   * @param {number} ratio device pixels per CSS pixel
   */
  draw(context, viewport, ratio) {
    context.imageSmoothingEnabled = viewport.scale * ratio < 3;
    context.imageSmoothingQuality = 'high';
    for (const part of [this.base, this.detail, this.patch]) {
      if (!part) continue;
      const [left, top] = viewport.toScreen(part.rect.x, part.rect.y);
      const [right, bottom] = viewport.toScreen(part.rect.x + part.rect.width, part.rect.y + part.rect.height);
      const x = Math.round(left * ratio);
      const y = Math.round(top * ratio);
      const width = Math.max(1, Math.round(right * ratio) - x);
      const height = Math.max(1, Math.round(bottom * ratio) - y);
      if (part !== this.base) context.clearRect(x, y, width, height);
      context.drawImage(part.image, x, y, width, height);
    }
  }
}

/** @param {Rect} inner @param {Rect} outer */
function within(inner, outer) {
  return (
    inner.x >= outer.x &&
    inner.y >= outer.y &&
    inner.x + inner.width <= outer.x + outer.width &&
    inner.y + inner.height <= outer.y + outer.height
  );
}
