/**
 * A change, shown at once: the visible part is asked for while the whole is still to be computed.
 *
 * One request at a time, the newest edit wins: the picture keeps up with a brush or a slider however fast
 * the engine is.
 */

/** @typedef {import('./store.js').Store} Store */
/** @typedef {import('./store.js').Item} Item */
/** @typedef {import('./stage.js').Stage} Stage */
/** @typedef {import('../engine/interface.js').Edit} Edit */

export class Previewer {
  /** @param {Store} store @param {Stage} stage */
  constructor(store, stage) {
    this.store = store;
    this.stage = stage;
    this.running = false;
    /** @type {{item: Item, edit: Edit, strokes: number} | null} */
    this.next = null;
    store.on('edit', ({ item, preview }) => preview && item === store.selected && item.edit && this.ask(item, item.edit));
  }

  /** @param {Item} item @param {Edit} edit */
  ask(item, edit) {
    if (!item.picture?.result || this.store.connection !== 'online') return;
    this.next = { item, edit, strokes: edit.corrections.strokes.length };
    if (!this.running) this.run();
  }

  async run() {
    this.running = true;
    while (this.next) {
      const { item, edit } = this.next;
      this.next = null;
      const { stage } = this;
      const name = stage.framing ? 'framed' : this.store.view.layer === 'alpha' ? 'alpha' : 'cutout';
      const visible = stage.viewport.visible();
      if (!item.picture || (!visible && name !== 'framed')) continue;
      const pixels = stage.viewport.scale * stage.ratio;
      const scale = Math.min(1, 2 ** Math.ceil(Math.log2(pixels * 0.75)));
      const view =
        name === 'framed' || !visible
          ? { fit: Math.min(2048, Math.round(Math.max(stage.canvas.width, stage.canvas.height))) }
          : { ...onWholePixels(visible, scale, item.picture), scale };
      try {
        const made = await this.store.engine.preview(item.picture.id, edit, view, name);
        this.store.lastPreview = made.milliseconds;
        // Something else is shown by now.
        if (item !== this.store.selected || stage.layers[name].id !== item.picture.id) continue;
        const layer = stage.layers[name];
        if ('fit' in view) {
          layer.width = made.layerWidth;
          layer.height = made.layerHeight;
          layer.setBase(made.image);
          layer.redraw();
        } else layer.setPatch({ image: made.image, rect: view });
        if (!this.next && !stage.stroke) stage.showStrokes = 0;
        stage.invalidate();
      } catch (error) {
        stage.showStrokes = 0;
        stage.invalidate();
        this.store.complain(error);
      }
    }
    this.running = false;
  }
}

/** @param {{x: number, y: number, width: number, height: number}} rect @param {number} scale @param {{width: number, height: number}} bounds */
function onWholePixels({ x, y, width, height }, scale, bounds) {
  const unit = Math.max(1, Math.round(1 / scale));
  const left = unit * Math.floor(x / unit);
  const top = unit * Math.floor(y / unit);
  const right = Math.min(bounds.width, unit * Math.ceil((x + width) / unit));
  const bottom = Math.min(bounds.height, unit * Math.ceil((y + height) / unit));
  return { x: left, y: top, width: right - left, height: bottom - top };
}
