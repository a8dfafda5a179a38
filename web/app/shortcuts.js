/** Keys that work everywhere on the page, except where a person types. */
import { showShortcuts } from './dialogs.js';
import { BACKDROPS, TOOLS, resizeBrush } from './toolbars.js';
import { texts } from '../texts.en.js';

/**
 * @typedef {object} Actions
 * @property {import('./store.js').Store} store
 * @property {import('./stage.js').Stage} stage
 * @property {import('./intake.js').Intake} intake
 * @property {import('./export.js').Exporter} exporter
 * @property {import('./list.js').PictureList} list
 */

/** @param {EventTarget | null} target */
const types = (target) =>
  target instanceof HTMLElement && (target.isContentEditable || target.matches('textarea, select, input:not([type=radio], [type=checkbox], [type=range], [type=color])'));

/** @param {Actions} actions */
export function listenToKeys({ store, stage, intake, exporter, list }) {
  const undo = () => store.undo() && store.notify({ text: texts.announce.undone, kind: 'quiet' });
  const redo = () => store.redo() && store.notify({ text: texts.announce.redone, kind: 'quiet' });
  const toggleLayer = (/** @type {'alpha' | 'original'} */ layer) => store.setView({ layer: store.view.layer === layer ? 'cutout' : layer });

  /** @type {Record<string, () => unknown>} */
  const commands = {
    o: () => intake.choose(false),
    s: () => exporter.download(),
    c: () => (window.getSelection()?.toString() ? null : exporter.copy()),
    z: undo,
    Z: redo,
    y: redo,
  };
  /** @type {Record<string, () => unknown>} */
  const keys = {
    j: () => store.step(1),
    k: () => store.step(-1),
    c: () => store.setView({ compare: !store.view.compare }),
    m: () => toggleLayer('alpha'),
    o: () => toggleLayer('original'),
    l: () => store.setView({ loupe: !store.view.loupe }),
    g: () => {
      const usable = BACKDROPS.filter((name) => name !== 'picture' || store.view.picture);
      store.setView({ backdrop: usable[(usable.indexOf(store.view.backdrop) + 1) % usable.length] });
    },
    '+': () => stage.zoomBy(1.4),
    '=': () => stage.zoomBy(1.4),
    '-': () => stage.zoomBy(1 / 1.4),
    0: () => stage.fit(),
    1: () => stage.actualSize(),
    '[': () => resizeBrush(store, -1),
    ']': () => resizeBrush(store, 1),
    '?': showShortcuts,
    Escape: () => store.view.tool !== 'move' && store.setView({ tool: 'move' }),
    Delete: () => store.selected && list.remove(store.selected),
  };
  for (const [tool, , key] of TOOLS) {
    keys[key.toLowerCase()] = () => {
      if (!store.selected?.picture?.result || stage.framing || !store.engine.offers.corrections) return;
      store.setView({ tool, layer: store.view.layer === 'original' ? 'cutout' : store.view.layer });
      store.notify({ text: texts.tools[tool], kind: 'quiet' });
    };
  }

  document.addEventListener('keydown', (event) => {
    if (event.defaultPrevented || event.altKey || types(event.target) || document.querySelector('dialog[open]')) return;
    const command = event.ctrlKey || event.metaKey;
    const key = event.key.length === 1 && !(command && event.shiftKey) ? event.key.toLowerCase() : event.key;
    const act = (command ? commands : keys)[command && event.shiftKey && key.toLowerCase() === 'z' ? 'Z' : key];
    if (!act) return;
    if (command && key === 'c' && window.getSelection()?.toString()) return;
    // Keys that a control under the focus has its own use for.
    if (!command && event.target instanceof HTMLInputElement && /^(Arrow|Home|End|Page)/.test(event.key)) return;
    event.preventDefault();
    act();
  });
}
