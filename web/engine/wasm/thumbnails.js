/** Small pictures of the list: made one after the other, each of a bitmap that goes at once, and kept. */
import { EngineError } from '../interface.js';
import { part } from './showing.js';

export class Thumbnails {
  /** @param {import('./kept.js').Kept} kept */
  constructor(kept) {
    this.kept = kept;
    /** A long list asks for all of them at once: side by side their pixels would not fit. @type {Promise<unknown>} */
    this.line = Promise.resolve();
  }

  /**
   * @param {() => import('../wasm.js').Held} get the picture as it is once its turn has come
   * @param {import('../interface.js').Layer} layer @param {number} size of the longer side
   * @returns {Promise<Blob>}
   */
  of(get, layer, size) {
    const made = this.line.then(() => this.#made(get(), layer, size));
    this.line = made.catch(() => {});
    return made;
  }

  /** @param {import('../wasm.js').Held} picture @param {import('../interface.js').Layer} layer @param {number} size */
  async #made(picture, layer, size) {
    const { id, blob, file } = picture;
    if (layer === 'original' ? blob : !blob) throw new EngineError('stale', ''); // another one was asked for meanwhile
    const key = `${layer} ${picture.revision} ${size}`;
    const kept = await this.kept.thumbnail(id, key);
    if (kept) return kept;
    const whole = await createImageBitmap(/** @type {Blob} */ (layer === 'original' ? file : blob));
    const { image } = await part(whole, { fit: size }, layer === 'alpha');
    whole.close();
    const canvas = new OffscreenCanvas(image.width, image.height);
    canvas.getContext('2d')?.drawImage(image, 0, 0);
    image.close();
    const small = await canvas.convertToBlob();
    this.kept.keepThumbnail(id, key, small);
    return small;
  }
}
