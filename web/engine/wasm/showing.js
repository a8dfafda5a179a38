/**
 * Layers of a picture for the screen, by the browser's own decoders: the picture's file and the cut-out's file as
 * bitmaps, their colours managed, a part of them at a scale. Nothing here goes into a file.
 */
import { EngineError } from '../interface.js';

/** @typedef {import('../interface.js').View} View */
/** @typedef {import('../interface.js').Layer} Layer */

/** Pixels of bitmaps that are held at once; those that were used last stay. */
const MOST_PIXELS = 48e6;

export class Showing {
  constructor() {
    /** By what they show; the newest last. @type {Map<string, ImageBitmap>} */
    this.bitmaps = new Map();
  }

  /** @param {string} key @param {() => Promise<ImageBitmap>} make @returns {Promise<ImageBitmap>} */
  async #held(key, make) {
    const found = this.bitmaps.get(key) ?? (await make());
    this.bitmaps.delete(key);
    this.bitmaps.set(key, found);
    let pixels = 0;
    for (const [name, bitmap] of [...this.bitmaps].reverse()) {
      pixels += bitmap.width * bitmap.height;
      // The one that was asked for stays, however large.
      if (pixels > MOST_PIXELS && name !== key) this.forget(name);
    }
    return found;
  }

  /** @param {string} key or what it begins with */
  forget(key) {
    for (const [name, bitmap] of this.bitmaps) {
      if (!name.startsWith(key)) continue;
      bitmap.close();
      this.bitmaps.delete(name);
    }
  }

  /**
   * @param {{id: string, name: string, file: Blob, result: Blob | null, framedResult: Blob | null, revision: number}} picture
   * @param {Layer} layer
   * @param {View} view
   */
  async view(picture, layer, view) {
    const { id, file, revision, name } = picture;
    const result = layer === 'framed' ? picture.framedResult ?? picture.result : picture.result;
    if (layer === 'original') {
      const bitmap = await this.#held(`${id} original`, () =>
        createImageBitmap(file).catch(() => {
          throw new EngineError('unreadable', `this browser cannot show ${name}`);
        }),
      );
      return part(bitmap, view, false);
    }
    if (!result) throw new EngineError('stale', `${name} has no result yet`);
    const bitmap = await this.#held(`${id} cutout ${revision} ${result === picture.result ? '' : layer}`, () => createImageBitmap(result));
    return part(bitmap, view, layer === 'alpha');
  }
}

/**
 * @param {ImageBitmap} bitmap of the whole layer @param {View} view @param {boolean} mask the alpha alone, in greys
 * @returns {Promise<{image: ImageBitmap, layerWidth: number, layerHeight: number}>}
 */
export async function part(bitmap, view, mask) {
  const { width: layerWidth, height: layerHeight } = bitmap;
  const scale = 'fit' in view ? Math.min(1, view.fit / Math.max(layerWidth, layerHeight)) : Math.min(1, view.scale);
  const { x, y, width, height } = 'fit' in view ? { x: 0, y: 0, width: layerWidth, height: layerHeight } : view;
  const size = { resizeWidth: Math.max(1, Math.round(width * scale)), resizeHeight: Math.max(1, Math.round(height * scale)) };
  const image = await createImageBitmap(bitmap, x, y, width, height, { ...size, resizeQuality: scale < 1 ? 'high' : 'pixelated' });
  if (!mask) return { image, layerWidth, layerHeight };
  const canvas = new OffscreenCanvas(image.width, image.height);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext('2d'));
  context.drawImage(image, 0, 0);
  image.close();
  context.globalCompositeOperation = 'source-in';
  context.fillStyle = '#fff';
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.globalCompositeOperation = 'destination-over';
  context.fillStyle = '#000';
  context.fillRect(0, 0, canvas.width, canvas.height);
  return { image: canvas.transferToImageBitmap(), layerWidth, layerHeight };
}
