/** A round glass at the pointer that shows every pixel of the edge, six times as large. */
import { drawBackdrop } from './backdrop.js';
import { h } from './dom.js';

/** @typedef {import('./stage.js').Stage} Stage */

const SIZE = 176;
const FACTOR = 6;
/** Pixels of the picture are asked for in squares of this side, and a few kept. */
const BLOCK = 256;
const MOST_BLOCKS = 16;

export class Loupe {
  /** @param {Stage} stage */
  constructor(stage) {
    this.stage = stage;
    this.canvas = h('canvas', { class: 'loupe', hidden: true, 'aria-hidden': 'true' });
    this.context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext('2d'));
    /** @type {Map<string, ImageBitmap | null>} */
    this.blocks = new Map();
    this.at = { x: -1, y: -1 };
    stage.element.append(this.canvas);
  }

  /** @param {{x: number, y: number}} at CSS pixels on the stage; outside hides it */
  hover(at) {
    this.at = at;
    this.draw();
  }

  draw() {
    const { stage, at } = this;
    const { store, viewport } = stage;
    const picture = store.selected?.picture;
    const shown = stage.shown;
    const inside = at.x >= 0 && at.y >= 0 && at.x <= viewport.width && at.y <= viewport.height;
    const visible = store.view.loupe && inside && !!picture?.width && shown !== 'framed' && store.connection === 'online';
    this.canvas.hidden = !visible;
    if (!visible || !picture) return;
    const ratio = Math.min(2, stage.ratio);
    const side = Math.round(SIZE * ratio);
    if (this.canvas.width !== side) this.canvas.width = this.canvas.height = side;
    // Beside the pointer, on the side with room.
    const left = at.x + SIZE + 24 > viewport.width ? at.x - SIZE - 20 : at.x + 20;
    const top = at.y + SIZE + 24 > viewport.height ? at.y - SIZE - 20 : at.y + 20;
    this.canvas.style.transform = `translate(${Math.max(4, left)}px, ${Math.max(4, top)}px)`;
    const [cx, cy] = viewport.toImage(at.x, at.y);
    const reach = SIZE / FACTOR / 2;
    const { context } = this;
    context.clearRect(0, 0, side, side);
    const zoom = FACTOR * ratio;
    const x0 = side / 2 - cx * zoom;
    const y0 = side / 2 - cy * zoom;
    const rect = { x: x0, y: y0, width: picture.width * zoom, height: picture.height * zoom };
    if (shown === 'cutout') drawBackdrop(context, rect, store.view, stage.layers.original.base?.image ?? null, ratio);
    context.imageSmoothingEnabled = false;
    for (let by = Math.floor((cy - reach) / BLOCK); by <= Math.floor((cy + reach) / BLOCK); by += 1) {
      for (let bx = Math.floor((cx - reach) / BLOCK); bx <= Math.floor((cx + reach) / BLOCK); bx += 1) {
        const image = this.block(picture, shown, bx, by);
        if (image) context.drawImage(image, x0 + bx * BLOCK * zoom, y0 + by * BLOCK * zoom, image.width * zoom, image.height * zoom);
      }
    }
  }

  /** @param {import('../engine/interface.js').Picture} picture @param {'cutout' | 'alpha' | 'original' | 'framed'} layer @param {number} bx @param {number} by */
  block(picture, layer, bx, by) {
    const x = bx * BLOCK;
    const y = by * BLOCK;
    if (x < 0 || y < 0 || x >= picture.width || y >= picture.height) return null;
    const revision = layer === 'original' ? 0 : picture.revision;
    const key = `${picture.id} ${layer} ${revision} ${bx} ${by}`;
    const held = this.blocks.get(key);
    if (held !== undefined) return held;
    this.blocks.set(key, null);
    for (const old of [...this.blocks.keys()].slice(0, Math.max(0, this.blocks.size - MOST_BLOCKS))) {
      this.blocks.get(old)?.close();
      this.blocks.delete(old);
    }
    const view = { x, y, width: Math.min(BLOCK, picture.width - x), height: Math.min(BLOCK, picture.height - y), scale: 1 };
    this.stage.store.engine
      .view(picture.id, view, layer, revision)
      .then(({ image }) => {
        this.blocks.set(key, image);
        this.draw();
      })
      .catch(() => this.blocks.delete(key));
    return null;
  }
}
