/** The bars that float over the stage: correcting tools at its side, what is shown and how at its foot. */
import { texts } from '../texts.en.js';
import { h, icon, iconButton, segmented, slider } from './dom.js';

/** @typedef {import('./store.js').Store} Store */
/** @typedef {import('./stage.js').Stage} Stage */

/** @type {[Store['view']['tool'], keyof typeof import('./icons.js').icons, string][]} */
export const TOOLS = [
  ['move', 'move', 'V'],
  ['keep', 'keepbrush', 'B'],
  ['drop', 'dropbrush', 'E'],
  ['box', 'box', 'R'],
  ['keepPoint', 'keeppoint', 'P'],
  ['dropPoint', 'droppoint', 'X'],
];

/** @type {Store['view']['backdrop'][]} */
export const BACKDROPS = ['checker', 'white', 'black', 'color', 'picture', 'blur'];

// The slider is a power, so that small brushes have as much room on it as large ones.
const BRUSH = { least: 0.004, most: 0.25 };
/** @param {number} at 0..1 */
const brushAt = (at) => BRUSH.least * (BRUSH.most / BRUSH.least) ** at;
/** @param {number} share */
const atBrush = (share) => Math.log(share / BRUSH.least) / Math.log(BRUSH.most / BRUSH.least);

/** @param {Store} store @param {number} steps */
export function resizeBrush(store, steps) {
  store.setView({ brush: brushAt(Math.min(1, Math.max(0, atBrush(store.view.brush) + steps * 0.06))) });
}

/** @param {Store} store @param {Stage} stage */
export function toolBar(store, stage) {
  const undo = iconButton('undo', `${texts.tools.undo} (${texts.ctrl} Z)`, () => store.undo());
  const redo = iconButton('redo', `${texts.tools.redo} (${texts.ctrl} Shift Z)`, () => store.redo());
  const tools = h(
    'fieldset',
    { class: 'tools' },
    h('legend', { class: 'visually-hidden' }, texts.tools.label),
    ...TOOLS.map(([tool, name, key]) =>
      h(
        'label',
        { title: `${texts.tools[tool]} (${key})`, class: `tool ${tool}` },
        h('input', { type: 'radio', name: 'tool', value: tool, 'aria-keyshortcuts': key, on: { change: () => store.setView({ tool }) } }),
        icon(name),
        h('span', { class: 'visually-hidden' }, texts.tools[tool]),
      ),
    ),
  );
  const size = slider({
    label: texts.tools.size,
    min: 0,
    max: 1,
    step: 0.01,
    value: atBrush(store.view.brush),
    show: (at) => texts.percent(Math.max(0.01, brushAt(at))),
    input: (at) => store.setView({ brush: brushAt(at) }),
  });
  size.classList.add('floating', 'brush-size');
  const bar = h('div', { class: 'floating tool-bar', role: 'group', 'aria-label': texts.tools.label }, tools, h('div', { class: 'divider' }), undo, redo);
  const update = () => {
    const item = store.selected;
    const usable = !!item?.picture?.result && !stage.framing;
    bar.hidden = !item?.picture?.result || stage.framing || !store.engine.offers.corrections;
    for (const input of bar.querySelectorAll('input[type=radio]')) {
      const radio = /** @type {HTMLInputElement} */ (input);
      radio.checked = radio.value === store.view.tool;
      radio.disabled = !usable;
    }
    undo.disabled = !item?.done.length;
    redo.disabled = !item?.undone.length;
    size.hidden = bar.hidden || !['keep', 'drop'].includes(store.view.tool);
    const range = /** @type {HTMLInputElement} */ (size.querySelector('input'));
    const at = atBrush(store.view.brush);
    if (Math.abs(Number(range.value) - at) > 0.006) {
      range.value = String(at);
      range.style.setProperty('--share', `${100 * at}%`);
    }
  };
  for (const topic of /** @type {const} */ (['selected', 'view', 'item', 'edit'])) store.on(topic, update);
  update();
  return [bar, size];
}

/** @param {Store} store @param {Stage} stage */
export function viewBar(store, stage) {
  const compare = h(
    'button',
    { type: 'button', class: 'icon-button', 'aria-pressed': 'false', title: `${texts.viewer.compare} (C)`, 'aria-label': texts.viewer.compare, on: { click: () => store.setView({ compare: !store.view.compare }) } },
    icon('compare'),
  );
  const loupe = h(
    'button',
    { type: 'button', class: 'icon-button loupe-button', 'aria-pressed': 'false', title: `${texts.viewer.loupe} (L)`, 'aria-label': texts.viewer.loupe, on: { click: () => store.setView({ loupe: !store.view.loupe }) } },
    icon('loupe'),
  );
  const layers = segmented({
    label: texts.viewer.layers,
    hideLabel: true,
    name: 'layer',
    value: store.view.layer,
    options: [
      { value: 'cutout', text: texts.viewer.result },
      { value: 'alpha', text: texts.viewer.mask },
      { value: 'original', text: texts.viewer.original },
    ],
    change: (layer) => store.setView({ layer }),
  });
  const color = h('input', {
    type: 'color',
    class: 'visually-hidden',
    tabindex: '-1',
    'aria-label': texts.viewer.backgrounds.color,
    value: store.view.color,
    on: { input: () => store.setView({ color: color.value, backdrop: 'color' }) },
  });
  const file = h('input', { type: 'file', accept: 'image/*', class: 'visually-hidden', tabindex: '-1', 'aria-label': texts.viewer.backgrounds.picture });
  file.addEventListener('change', async () => {
    const [chosen] = file.files ?? [];
    if (!chosen) return;
    try {
      store.setView({ picture: await createImageBitmap(chosen), backdrop: 'picture' });
    } catch {
      store.notify({ text: texts.viewer.noPreview, kind: 'error' });
    }
  });
  /** @param {Store['view']['backdrop']} backdrop */
  const take = (backdrop) => {
    if (backdrop === 'picture' && !store.view.picture) file.click();
    else store.setView({ backdrop });
  };
  const swatches = h(
    'fieldset',
    { class: 'swatches' },
    h('legend', { class: 'visually-hidden' }, texts.viewer.background),
    ...BACKDROPS.map((backdrop) => {
      const radio = h('input', { type: 'radio', name: 'backdrop', value: backdrop, on: { change: () => take(backdrop) } });
      // A second press on what is chosen already chooses anew.
      radio.addEventListener('click', () => {
        if (backdrop === 'color' && store.view.backdrop === 'color') color.click();
        if (backdrop === 'picture' && store.view.backdrop === 'picture') file.click();
      });
      return h(
        'label',
        { class: `swatch ${backdrop}`, title: backdrop === 'color' || backdrop === 'picture' ? `${texts.viewer.backgrounds[backdrop]} (${texts.viewer.again})` : texts.viewer.backgrounds[backdrop] },
        radio,
        h('span', { class: 'dot' }, backdrop === 'picture' ? icon('image') : null),
        h('span', { class: 'visually-hidden' }, texts.viewer.backgrounds[backdrop]),
      );
    }),
    color,
    file,
  );
  const percent = h('button', { type: 'button', class: 'zoom-value', title: `${texts.viewer.actual} (1)`, on: { click: () => stage.actualSize() } });
  const fit = iconButton('fit', `${texts.viewer.fit} (0)`, () => stage.fit(), { class: 'icon-button' });
  const bar = h(
    'div',
    { class: 'floating view-bar', role: 'group', 'aria-label': texts.viewer.toolbar },
    compare,
    layers,
    swatches,
    loupe,
    h(
      'div',
      { class: 'zoom' },
      iconButton('minus', `${texts.viewer.zoomOut} (−)`, () => stage.zoomBy(1 / 1.4)),
      percent,
      iconButton('add', `${texts.viewer.zoomIn} (+)`, () => stage.zoomBy(1.4)),
      fit,
    ),
  );
  const update = () => {
    const has = !!store.selected?.picture?.result;
    const framing = stage.framing;
    bar.hidden = !store.selected?.picture || (store.selected.picture.state === 'failed' && !has);
    compare.hidden = layers.hidden = !has || framing;
    loupe.hidden = framing;
    swatches.hidden = !has || (stage.shown !== 'cutout' && stage.shown !== 'framed');
    compare.setAttribute('aria-pressed', String(store.view.compare));
    loupe.setAttribute('aria-pressed', String(store.view.loupe));
    for (const input of bar.querySelectorAll('input[type=radio]')) {
      const radio = /** @type {HTMLInputElement} */ (input);
      radio.checked = radio.value === (radio.name === 'layer' ? store.view.layer : store.view.backdrop);
    }
    bar.style.setProperty('--swatch', store.view.color);
    color.value = store.view.color;
  };
  stage.onDraw = () => {
    const text = texts.percent(stage.viewport.scale * stage.ratio);
    if (percent.textContent !== text) {
      percent.textContent = text;
      percent.setAttribute('aria-label', `${texts.announce.zoom(stage.viewport.scale * stage.ratio)}. ${texts.viewer.actual}`);
    }
  };
  for (const topic of /** @type {const} */ (['selected', 'view', 'item'])) store.on(topic, update);
  update();
  return bar;
}
