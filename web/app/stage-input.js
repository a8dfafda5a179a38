/**
 * Mouse, pen, fingers and keys on the stage: pan, zoom, the comparison's handle, and the correcting tools.
 *
 * Two fingers always pinch and pan, whatever the tool. Keys move a cursor of the tool's own, so that a
 * picture can be corrected without a pointer.
 */
import { texts } from '../texts.en.js';
import { brushRadius } from './overlay.js';

/** @typedef {import('./stage.js').Stage} Stage */
/** @typedef {import('./store.js').Store} Store */

/** A brush stroke whose points are nearer than this share of its radius is as good with fewer. */
const LEAST_STEP = 0.15;
const KEY_STEP = 12;

export class StageInput {
  /** @param {Store} store @param {Stage} stage */
  constructor(store, stage) {
    this.store = store;
    this.stage = stage;
    /** @type {Map<number, {x: number, y: number}>} */
    this.pointers = new Map();
    this.space = false;
    this.panning = false;
    /** @type {{x: number, y: number} | null} */
    this.corner = null;
    /** Pressed and not yet let go: with a second finger it was none. @type {{kind: 'keep' | 'drop', point: [number, number]} | null} */
    this.pressed = null;
    /** @type {((position: {x: number, y: number}) => void) | undefined} */
    this.onHover = undefined;
    const { surface, handle } = stage;
    surface.addEventListener('pointerdown', (event) => this.down(event));
    surface.addEventListener('pointermove', (event) => this.move(event));
    surface.addEventListener('pointerup', (event) => this.up(event));
    surface.addEventListener('pointercancel', (event) => this.up(event, true));
    surface.addEventListener('pointerleave', () => this.leave());
    surface.addEventListener('wheel', (event) => this.wheel(event), { passive: false });
    surface.addEventListener('dblclick', (event) => this.doubleClick(event));
    surface.addEventListener('keydown', (event) => this.key(event));
    surface.addEventListener('keyup', (event) => event.key === ' ' && this.setSpace(false));
    surface.addEventListener('blur', () => this.setSpace(false));
    this.dragHandle(handle);
    store.on('selected', () => (this.corner = null));
  }

  /** @returns {Store['view']['tool']} */
  get tool() {
    const { picture } = this.store.selected ?? {};
    return this.space || this.stage.framing || !picture?.result ? 'move' : this.store.view.tool;
  }

  /** @param {PointerEvent | WheelEvent | MouseEvent} event */
  position(event) {
    const box = this.stage.surface.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }

  /** @param {{x: number, y: number}} screen @returns {[number, number]} in the picture, to a tenth of a pixel */
  inPicture(screen) {
    const { viewport } = this.stage;
    const [x, y] = viewport.toImage(screen.x, screen.y);
    const round = (/** @type {number} */ value, /** @type {number} */ most) => Math.round(10 * Math.min(most, Math.max(0, value))) / 10;
    return [round(x, viewport.imageWidth), round(y, viewport.imageHeight)];
  }

  /** @param {PointerEvent} event */
  down(event) {
    if (event.pointerType === 'mouse' && event.button === 2) return;
    const at = this.position(event);
    this.pointers.set(event.pointerId, at);
    this.stage.surface.setPointerCapture(event.pointerId);
    if (this.pointers.size > 1) {
      // The first finger meant no stroke.
      this.stage.stroke = this.stage.draft = this.pressed = null;
      this.panning = true;
      return;
    }
    const tool = event.button === 1 ? 'move' : this.tool;
    const point = this.inPicture(at);
    this.panning = tool === 'move';
    if (tool === 'keep' || tool === 'drop') {
      this.stage.stroke = { kind: tool, radius: Math.round(10 * brushRadius(this.stage)) / 10, points: [point] };
    } else if (tool === 'box') this.corner = { x: point[0], y: point[1] };
    else if (tool === 'keepPoint' || tool === 'dropPoint') this.pressed = { kind: tool === 'keepPoint' ? 'keep' : 'drop', point };
    this.setCursor(point, false);
  }

  /** @param {PointerEvent} event */
  move(event) {
    const at = this.position(event);
    const before = this.pointers.get(event.pointerId);
    const { stage } = this;
    this.onHover?.(at);
    if (!before) {
      this.setCursor(this.inPicture(at), false);
      return;
    }
    if (this.pointers.size === 2) this.pinch(event.pointerId, at);
    this.pointers.set(event.pointerId, at);
    if (this.pointers.size > 1) return;
    if (this.panning) {
      stage.viewport.pan(at.x - before.x, at.y - before.y);
      stage.invalidate();
    } else if (stage.stroke) {
      const events = event.getCoalescedEvents?.() ?? [];
      for (const each of events.length ? events : [event]) this.extend(this.inPicture(this.position(each)));
    } else if (this.tool === 'box' && this.corner) stage.draft = boxOf(this.corner, this.inPicture(at));
    this.setCursor(this.inPicture(at), false);
  }

  /** @param {[number, number]} point */
  extend(point) {
    const { stroke } = this.stage;
    if (!stroke) return;
    const last = stroke.points[stroke.points.length - 1];
    if (Math.hypot(point[0] - last[0], point[1] - last[1]) >= stroke.radius * LEAST_STEP) stroke.points.push(point);
  }

  /** @param {number} id @param {{x: number, y: number}} at */
  pinch(id, at) {
    const [otherId] = [...this.pointers.keys()].filter((key) => key !== id);
    const other = this.pointers.get(otherId);
    const before = this.pointers.get(id);
    if (!other || !before) return;
    const was = Math.hypot(before.x - other.x, before.y - other.y);
    const is = Math.hypot(at.x - other.x, at.y - other.y);
    const { stage } = this;
    stage.viewport.pan((at.x - before.x) / 2, (at.y - before.y) / 2);
    if (was > 0) stage.zoomBy(is / was, (at.x + other.x) / 2, (at.y + other.y) / 2);
  }

  /** @param {PointerEvent} event @param {boolean} [cancelled] */
  up(event, cancelled = false) {
    if (!this.pointers.delete(event.pointerId)) return;
    const { stage } = this;
    const { stroke, draft } = stage;
    const { pressed } = this;
    stage.stroke = stage.draft = this.pressed = null;
    if (!this.pointers.size) this.panning = false;
    if (!cancelled && stroke) this.addStroke(stroke);
    else if (!cancelled && draft) this.setBox(draft);
    else if (!cancelled && pressed) this.addPoint(pressed.kind, pressed.point);
    if (!this.pointers.size) this.corner = null;
    stage.invalidate();
  }

  leave() {
    if (this.pointers.size) return;
    if (this.stage.cursor && !this.stage.cursor.byKeys) this.stage.cursor = null;
    this.onHover?.({ x: -1, y: -1 });
    this.stage.invalidate();
  }

  /** @param {WheelEvent} event */
  wheel(event) {
    event.preventDefault();
    const { x, y } = this.position(event);
    const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? 32 : 1;
    // A pinch on a touchpad comes as a wheel with Ctrl, in smaller steps.
    if (event.shiftKey && !event.ctrlKey) this.stage.viewport.pan(-(event.deltaX || event.deltaY) * unit, 0);
    else this.stage.zoomBy(Math.exp(-event.deltaY * unit * (event.ctrlKey ? 0.01 : 0.0022)), x, y);
    this.stage.invalidate();
  }

  /** @param {MouseEvent} event */
  doubleClick(event) {
    if (this.tool !== 'move') return;
    const { x, y } = this.position(event);
    if (this.stage.viewport.fitted) this.stage.viewport.zoomTo(1 / this.stage.ratio, x, y);
    else this.stage.viewport.fit();
    this.stage.invalidate();
  }

  /** @param {[number, number]} point @param {boolean} byKeys */
  setCursor([x, y], byKeys) {
    this.stage.cursor = { x, y, byKeys };
    this.stage.invalidate();
  }

  /** @param {boolean} held */
  setSpace(held) {
    this.space = held;
    this.stage.surface.classList.toggle('space', held);
  }

  /** @param {KeyboardEvent} event */
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { stage } = this;
    /** @type {Record<string, [number, number]>} */
    const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const arrow = arrows[event.key];
    if (arrow) {
      event.preventDefault();
      if (this.tool === 'move') stage.viewport.pan(-arrow[0] * (event.shiftKey ? 200 : 50), -arrow[1] * (event.shiftKey ? 200 : 50));
      else this.moveByKeys(arrow, event.shiftKey ? 5 : 1);
      stage.invalidate();
    } else if (event.key === ' ') {
      event.preventDefault();
      if (!event.repeat) this.setSpace(true);
    } else if (event.key === 'Enter' && this.tool !== 'move') {
      event.preventDefault();
      this.useByKeys();
    } else if (event.key === 'Escape' && (this.corner || this.store.view.tool !== 'move')) {
      event.stopPropagation();
      if (this.corner) this.corner = stage.draft = null;
      else this.store.setView({ tool: 'move' });
      stage.invalidate();
    }
  }

  /** @param {[number, number]} direction @param {number} factor */
  moveByKeys([dx, dy], factor) {
    const { viewport, cursor } = this.stage;
    const step = (KEY_STEP * factor) / viewport.scale;
    const from = cursor ?? { x: viewport.imageWidth / 2, y: viewport.imageHeight / 2 };
    const x = Math.min(viewport.imageWidth, Math.max(0, from.x + dx * step));
    const y = Math.min(viewport.imageHeight, Math.max(0, from.y + dy * step));
    this.setCursor([x, y], true);
    viewport.reveal(x, y);
    if (this.tool === 'box' && this.corner) this.stage.draft = boxOf(this.corner, [x, y]);
  }

  useByKeys() {
    const { stage, tool } = this;
    const { viewport } = stage;
    const { x, y } = stage.cursor ?? { x: viewport.imageWidth / 2, y: viewport.imageHeight / 2 };
    const point = this.inPicture({ x: viewport.toScreen(x, y)[0], y: viewport.toScreen(x, y)[1] });
    if (tool === 'keep' || tool === 'drop') {
      this.addStroke({ kind: tool, radius: Math.round(10 * brushRadius(stage)) / 10, points: [point] });
    } else if (tool === 'keepPoint' || tool === 'dropPoint') this.addPoint(tool === 'keepPoint' ? 'keep' : 'drop', point);
    else if (tool === 'box' && !this.corner) {
      this.corner = { x: point[0], y: point[1] };
      this.store.notify({ text: texts.announce.boxCorner, kind: 'quiet' });
    } else if (tool === 'box' && this.corner) {
      this.setBox(boxOf(this.corner, point));
      this.corner = stage.draft = null;
    }
    this.setCursor([x, y], true);
  }

  /** @param {import('../engine/interface.js').Stroke} stroke */
  addStroke(stroke) {
    this.stage.showStrokes += 1;
    this.store.change((edit) => edit.corrections.strokes.push(stroke));
    this.tell(stroke.kind, stroke.points[stroke.points.length - 1]);
  }

  /** @param {'keep' | 'drop'} kind @param {[number, number]} point */
  addPoint(kind, point) {
    this.store.change((edit) => edit.corrections[kind].push(point));
    this.tell(kind, point);
  }

  /** @param {'keep' | 'drop'} kind @param {[number, number]} point */
  tell(kind, [x, y]) {
    const { imageWidth, imageHeight } = this.stage.viewport;
    this.store.notify({ text: texts.announce.painted(kind, x / imageWidth, y / imageHeight), kind: 'quiet' });
  }

  /** @param {[number, number, number, number]} box */
  setBox(box) {
    // A click is no box.
    if (box[2] - box[0] < 4 || box[3] - box[1] < 4) return;
    this.store.change((edit) => {
      edit.corrections.box = box;
      // The engine refuses keep points outside a box: everything there is background.
      edit.corrections.keep = edit.corrections.keep.filter(([x, y]) => x >= box[0] && x <= box[2] && y >= box[1] && y <= box[3]);
    });
    this.store.notify({ text: texts.announce.boxed, kind: 'quiet' });
  }

  /** @param {HTMLElement} handle */
  dragHandle(handle) {
    const { stage } = this;
    handle.addEventListener('pointerdown', (event) => {
      event.preventDefault();
      handle.focus();
      handle.setPointerCapture(event.pointerId);
      const follow = (/** @type {PointerEvent} */ moved) => stage.setSplit(this.position(moved).x / stage.viewport.width);
      handle.addEventListener('pointermove', follow);
      handle.addEventListener('lostpointercapture', () => handle.removeEventListener('pointermove', follow), { once: true });
    });
    handle.addEventListener('keydown', (event) => {
      const step = event.shiftKey ? 0.1 : 0.02;
      /** @type {Record<string, number>} */
      const to = {
        ArrowLeft: stage.split - step,
        ArrowDown: stage.split - step,
        ArrowRight: stage.split + step,
        ArrowUp: stage.split + step,
        PageDown: stage.split - 0.1,
        PageUp: stage.split + 0.1,
        Home: 0,
        End: 1,
      };
      if (!(event.key in to)) return;
      event.preventDefault();
      event.stopPropagation();
      stage.setSplit(to[event.key]);
    });
  }
}

/** @param {{x: number, y: number}} corner @param {[number, number]} other @returns {[number, number, number, number]} */
function boxOf(corner, [x, y]) {
  return [Math.min(corner.x, x), Math.min(corner.y, y), Math.max(corner.x, x), Math.max(corner.y, y)];
}
