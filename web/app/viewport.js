/** Zoom and pan: how a picture's pixels lie on the screen. No drawing and no elements. */

const MOST_ZOOM = 32;

export class Viewport {
  constructor() {
    /** Of the stage, in CSS pixels. */
    this.width = 1;
    this.height = 1;
    /** Of the picture. */
    this.imageWidth = 1;
    this.imageHeight = 1;
    /** CSS pixels per picture pixel. */
    this.scale = 1;
    /** Picture coordinates at the stage's centre. */
    this.x = 0.5;
    this.y = 0.5;
    /** Whether the picture follows the stage's size. */
    this.fitted = true;
    this.margin = { top: 24, bottom: 24, inline: 24 };
  }

  /** @param {number} width @param {number} height */
  resize(width, height) {
    this.width = Math.max(1, width);
    this.height = Math.max(1, height);
    if (this.fitted) this.fit();
    else this.clamp();
  }

  /** @param {number} width @param {number} height keeps the place where the size is the same */
  setImage(width, height) {
    if (width === this.imageWidth && height === this.imageHeight) return;
    this.imageWidth = width;
    this.imageHeight = height;
    this.fit();
  }

  get fitScale() {
    const width = Math.max(1, this.width - 2 * this.margin.inline);
    const height = Math.max(1, this.height - this.margin.top - this.margin.bottom);
    // A small picture is not blown up beyond twice its pixels.
    return Math.min(width / this.imageWidth, height / this.imageHeight, 2);
  }

  fit() {
    this.scale = this.fitScale;
    this.x = this.imageWidth / 2;
    this.y = this.imageHeight / 2 + (this.margin.bottom - this.margin.top) / 2 / this.scale;
    this.fitted = true;
  }

  /** @param {number} scale @param {number} [screenX] the point that stays where it is @param {number} [screenY] */
  zoomTo(scale, screenX = this.width / 2, screenY = this.height / 2) {
    const least = Math.min(this.fitScale, 1);
    const next = Math.min(MOST_ZOOM, Math.max(least, scale));
    if (next <= this.fitScale * 1.0001 && scale < this.scale) {
      this.fit();
      return;
    }
    const [x, y] = this.toImage(screenX, screenY);
    this.scale = next;
    this.x = x - (screenX - this.width / 2) / next;
    this.y = y - (screenY - this.height / 2) / next;
    this.fitted = false;
    this.clamp();
  }

  /** @param {number} dx CSS pixels @param {number} dy */
  pan(dx, dy) {
    this.x -= dx / this.scale;
    this.y -= dy / this.scale;
    this.fitted = false;
    this.clamp();
  }

  /** At least a part of the picture stays in sight. */
  clamp() {
    const reachX = Math.max(0, this.imageWidth / 2 - (this.width / 2 - 48) / this.scale) + 96 / this.scale;
    const reachY = Math.max(0, this.imageHeight / 2 - (this.height / 2 - 48) / this.scale) + 96 / this.scale;
    this.x = Math.min(this.imageWidth / 2 + reachX, Math.max(this.imageWidth / 2 - reachX, this.x));
    this.y = Math.min(this.imageHeight / 2 + reachY, Math.max(this.imageHeight / 2 - reachY, this.y));
  }

  /** Bring a point of the picture into sight. @param {number} x @param {number} y */
  reveal(x, y) {
    const [sx, sy] = this.toScreen(x, y);
    const edge = 40;
    const dx = sx < edge ? edge - sx : sx > this.width - edge ? this.width - edge - sx : 0;
    const dy = sy < edge ? edge - sy : sy > this.height - edge ? this.height - edge - sy : 0;
    if (dx || dy) this.pan(dx, dy);
  }

  /** @param {number} x @param {number} y @returns {[number, number]} */
  toScreen(x, y) {
    return [(x - this.x) * this.scale + this.width / 2, (y - this.y) * this.scale + this.height / 2];
  }

  /** @param {number} x @param {number} y @returns {[number, number]} */
  toImage(x, y) {
    return [(x - this.width / 2) / this.scale + this.x, (y - this.height / 2) / this.scale + this.y];
  }

  /** The part of the picture in sight, in its pixels; null where there is none. */
  visible() {
    const [left, top] = this.toImage(0, 0);
    const [right, bottom] = this.toImage(this.width, this.height);
    const x = Math.max(0, Math.floor(left));
    const y = Math.max(0, Math.floor(top));
    const width = Math.min(this.imageWidth, Math.ceil(right)) - x;
    const height = Math.min(this.imageHeight, Math.ceil(bottom)) - y;
    return width > 0 && height > 0 ? { x, y, width, height } : null;
  }
}
