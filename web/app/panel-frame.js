/** What the file looks like: preset, canvas, shadow, background. */
import { texts } from '../texts.en.js';
import { choice, fill, h, segmented, slider, toggle } from './dom.js';

/** @typedef {import('./store.js').Store} Store */
/** @typedef {import('../engine/interface.js').Framing} Framing */

/** What the engine takes where nothing is said: a portrait lens wide open. */
const BLUR = 0.008;
const CANVASES = ['1000x1000', '2000x2000', '1080x1080', '1080x1350', '1080x1920', '1920x1080'];

/** @param {Framing} framing */
const kindOf = ({ background }) => (background === null ? 'none' : background === 'blur' ? 'blur' : typeof background === 'object' ? 'picture' : 'color');

/** @param {Store} store */
export function framePanel(store) {
  const element = h('div', { class: 'panel-body groups' });
  let built = '';
  let custom = false;
  let color = '#ffffff';

  /** @param {(framing: Framing) => void} mutate @param {string} [gesture] */
  const set = (mutate, gesture = '') => store.change((edit) => mutate(edit.framing), { gesture });

  const chooseBackground = () => {
    const input = h('input', { type: 'file', accept: 'image/*' });
    input.addEventListener('change', async () => {
      const [file] = input.files ?? [];
      if (!file) return;
      try {
        const { id } = await store.engine.addBackground(file, file.name);
        set((framing) => (framing.background = { picture: id }));
      } catch (error) {
        store.complain(error);
      }
    });
    input.addEventListener('cancel', () => render(true));
    input.click();
  };

  /** @param {boolean} [anew] */
  const render = (anew = false) => {
    const { about } = store;
    const framing = store.selected?.edit?.framing;
    if (!about || !framing) {
      fill(element);
      built = '';
      return;
    }
    const state = JSON.stringify([store.selected?.key, framing, custom]);
    if (state === built && !anew) return;
    built = state;
    const kind = kindOf(framing);
    const blurred = kind === 'blur';
    const ruled = !!framing.profile;
    const listed = framing.canvas === null || CANVASES.includes(framing.canvas);
    const [width, height] = (framing.canvas ?? '1600x1600').split('x');
    const profile = about.profiles.find(({ name }) => name === framing.profile);
    const setSize = () => {
      const w = /** @type {HTMLInputElement} */ (element.querySelector('#canvas-width')).valueAsNumber;
      const h_ = /** @type {HTMLInputElement} */ (element.querySelector('#canvas-height')).valueAsNumber;
      if (w >= 1 && h_ >= 1 && w <= 20000 && h_ <= 20000) set((changed) => (changed.canvas = `${Math.round(w)}x${Math.round(h_)}`));
    };
    fill(
      element,
      about.profiles.length > 0 && h(
        'section',
        { class: 'group' },
        choice({
          label: texts.frame.preset,
          value: framing.profile ?? '',
          options: [{ value: '', text: texts.frame.noPreset }, ...about.profiles.map(({ name, title }) => ({ value: name, text: title ?? name }))],
          change: (value) =>
            set((changed) => {
              changed.profile = value || null;
              if (value) Object.assign(changed, { canvas: null, trim: false, background: null });
            }),
        }),
        ruled ? h('p', { class: 'hint' }, profile?.summary ? `${profile.summary}. ${texts.frame.profileHint}` : texts.frame.profileHint) : null,
      ),
      ruled
        ? null
        : h(
            'section',
            { class: 'group' },
            choice({
              label: texts.frame.canvas,
              disabled: blurred,
              value: custom || !listed ? 'custom' : framing.canvas ?? '',
              options: [
                { value: '', text: texts.frame.canvases.none },
                ...CANVASES.map((value) => ({ value, text: value.replace('x', ' × ') })),
                { value: 'custom', text: texts.frame.canvases.custom },
              ],
              change: (value) => {
                custom = value === 'custom';
                set((changed) => (changed.canvas = custom ? changed.canvas ?? '1600x1600' : value || null));
                render(true);
              },
            }),
            custom || !listed
              ? h(
                  'div',
                  { class: 'pair' },
                  h('label', { class: 'field' }, h('span', { class: 'field-label' }, texts.frame.width), h('input', { id: 'canvas-width', type: 'number', min: '1', max: '20000', value: width, on: { change: setSize } })),
                  h('label', { class: 'field' }, h('span', { class: 'field-label' }, texts.frame.height), h('input', { id: 'canvas-height', type: 'number', min: '1', max: '20000', value: height, on: { change: setSize } })),
                )
              : null,
            framing.canvas && !blurred
              ? slider({
                  label: texts.frame.fill,
                  min: 0.1,
                  max: 1,
                  step: 0.01,
                  value: framing.fill,
                  show: texts.percent,
                  change: () => store.endGesture(),
                  input: (value) => {
                    set((changed) => (changed.fill = value), 'fill');
                    built = JSON.stringify([store.selected?.key, store.selected?.edit?.framing, custom]);
                  },
                })
              : null,
            framing.canvas && !blurred && about.aligns
              ? segmented({
                  label: texts.frame.align,
                  name: 'align',
                  value: framing.align ?? 'center',
                  options: [
                    { value: 'center', text: texts.frame.aligns.center },
                    { value: 'bottom', text: texts.frame.aligns.bottom },
                  ],
                  change: (value) => set((changed) => (changed.align = value)),
                })
              : null,
            framing.canvas
              ? null
              : toggle({ label: texts.frame.trim, hint: texts.frame.trimHint, checked: framing.trim, disabled: blurred, change: (value) => set((changed) => (changed.trim = value)) }),
          ),
      store.engine.offers.shadow && h(
        'section',
        { class: 'group' },
        segmented({
          label: texts.frame.shadow,
          name: 'shadow',
          value: framing.shadow || 'none',
          options: /** @type {const} */ (['none', 'drop', 'contact']).map((value) => ({ value, text: texts.frame.shadows[value] })),
          change: (value) => set((changed) => (changed.shadow = value === 'none' ? false : value)),
        }),
      ),
      ruled
        ? null
        : h(
            'section',
            { class: 'group' },
            choice({
              label: texts.frame.background,
              value: kind,
              options: /** @type {const} */ (['none', 'color', 'blur', 'picture']).filter((value) => store.engine.offers.backgrounds.includes(value)).map((value) => ({ value, text: texts.frame.backgrounds[value] })),
              change: (value) => {
                if (value === 'picture') chooseBackground();
                else
                  set((changed) => {
                    changed.background = value === 'none' ? null : value === 'blur' ? 'blur' : color;
                    if (value === 'blur') Object.assign(changed, { trim: false, canvas: null });
                  });
              },
            }),
            kind === 'color'
              ? h(
                  'label',
                  { class: 'field inline' },
                  h('span', { class: 'field-label' }, texts.frame.color),
                  h('input', {
                    type: 'color',
                    value: String(framing.background),
                    on: {
                      change: () => store.endGesture(),
                      input: (/** @type {Event} */ event) => {
                        color = /** @type {HTMLInputElement} */ (event.target).value;
                        set((changed) => (changed.background = color), 'color');
                        built = JSON.stringify([store.selected?.key, store.selected?.edit?.framing, custom]);
                      },
                    },
                  }),
                )
              : null,
            kind === 'picture' ? h('button', { type: 'button', class: 'button small', on: { click: chooseBackground } }, texts.frame.picture) : null,
            blurred
              ? slider({
                  label: texts.frame.blur,
                  min: 0.001,
                  max: 0.03,
                  step: 0.001,
                  value: framing.blur ?? BLUR,
                  show: texts.smallPercent,
                  change: () => store.endGesture(),
                  input: (value) => {
                    set((changed) => (changed.blur = value), 'blur');
                    built = JSON.stringify([store.selected?.key, store.selected?.edit?.framing, custom]);
                  },
                })
              : null,
            blurred ? h('p', { class: 'hint' }, texts.frame.blurHint) : null,
          ),
    );
  };
  for (const topic of /** @type {const} */ (['selected', 'about', 'edit'])) store.on(topic, () => render());
  store.on('selected', () => (custom = false));
  store.on('item', (item) => item === store.selected && render());
  render();
  return element;
}
