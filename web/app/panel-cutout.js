/** How the selected picture is cut out: model, effort, edge, colours, corrections. */
import { texts } from '../texts.en.js';
import { choice, fill, h, icon, segmented, slider } from './dom.js';

/** @typedef {import('./store.js').Store} Store */
/** @typedef {import('./store.js').Item} Item */
/** @typedef {import('../engine/interface.js').Model} Model */

/** @param {Model} model */
const title = (model) => (model.name === 'auto' ? texts.cutout.auto : model.name === 'studio' ? texts.cutout.studio : model.name);

/** With its licence, and whether that leaves something out. @param {Model} model */
function described(model) {
  if (model.name === 'auto' || model.name === 'studio') return title(model);
  const terms = [model.licence, model.commercial === false ? texts.cutout.notCommercial : ''];
  return [title(model), ...terms].filter(Boolean).join(' · ');
}

/** @param {Store} store @param {{applyToAll: () => void, retry: (item: Item) => void}} actions */
export function cutoutPanel(store, actions) {
  const status = h('div', { class: 'status' });
  const settings = h('div', { class: 'groups' });
  const corrections = h('section', { class: 'group' });
  const element = h('div', { class: 'panel-body' }, status, settings);
  let built = '';

  const renderStatus = () => {
    const item = store.selected;
    const picture = item?.picture;
    const error = item?.upload?.state === 'failed' ? item.upload.message : picture?.state === 'failed' ? picture.error?.message : '';
    // Without a result the stage says it, in the middle.
    if (item && error && picture?.result) {
      fill(
        status,
        h('div', { class: 'card failed' }, icon('alert'), h('div', {}, h('strong', {}, texts.cutout.failedTitle), h('p', {}, error), h('button', { type: 'button', class: 'button small', on: { click: () => actions.retry(item) } }, texts.cutout.retry))),
      );
    } else if (picture?.result) {
      const { confidence, low_confidence: low } = picture.result;
      const known = confidence !== null && confidence !== undefined;
      fill(
        status,
        low ? h('div', { class: 'card look' }, icon('alert'), h('div', {}, h('strong', {}, texts.cutout.lookTitle), h('p', {}, texts.cutout.look))) : null,
        h(
          'div',
          { class: 'confidence' },
          h('span', {}, texts.cutout.confidence),
          known ? h('meter', { min: 0, max: 1, low: 0.5, high: 0.75, optimum: 1, value: confidence, 'aria-label': texts.cutout.confidence }) : null,
          h('strong', {}, known ? texts.percent(confidence) : texts.cutout.unknownConfidence),
        ),
      );
    } else fill(status);
  };

  const renderCorrections = () => {
    const said = store.selected?.edit?.corrections;
    if (!said) return;
    const points = said.keep.length + said.drop.length;
    const parts = [said.strokes.length ? texts.cutout.strokes(said.strokes.length) : '', points ? texts.cutout.points(points) : '', said.box ? texts.cutout.withBox : ''].filter(Boolean);
    fill(
      corrections,
      h('h3', {}, texts.cutout.corrections),
      h('p', { class: 'hint' }, parts.length ? parts.join(', ') : texts.cutout.noCorrections),
      parts.length
        ? h('button', { type: 'button', class: 'button small', on: { click: () => store.change((edit) => (edit.corrections = { box: null, keep: [], drop: [], strokes: [] })) } }, texts.cutout.clear)
        : null,
    );
  };

  const renderSettings = () => {
    const { about } = store;
    const edit = store.selected?.edit;
    if (!about || !edit) {
      fill(settings);
      built = '';
      return;
    }
    // Sliders stay as they are while they are dragged: only what somebody else changed is built anew.
    const { corrections: _, framing: __, ...shown } = edit;
    const state = JSON.stringify([store.selected?.key, shown]);
    if (state === built) return;
    built = state;
    const model = about.models.find(({ name }) => name === edit.model);
    const licence = model?.licence;
    const set = (/** @type {keyof typeof shown} */ name, /** @type {any} */ value, preview = false, gesture = '') => {
      store.change((changed) => Object.assign(changed, { [name]: value }), { preview, gesture });
    };
    const live = (/** @type {keyof typeof shown} */ name) => (/** @type {number} */ value) => {
      set(name, value, true, name);
      built = JSON.stringify([store.selected?.key, { ...shown, [name]: value }]);
    };
    fill(
      settings,
      h(
        'section',
        { class: 'group' },
        h('h3', {}, texts.cutout.method),
        choice({
          label: texts.cutout.model,
          hideLabel: true,
          id: 'model',
          value: edit.model,
          options: about.models.map((each) => ({ value: each.name, text: described(each), disabled: !each.here, group: each.here ? texts.cutout.models.here : texts.cutout.models.elsewhere })),
          change: (value) => set('model', value),
        }),
        model
          ? h(
              'p',
              { class: 'licence' },
              licence ? h('span', { class: 'chip' }, licence) : null,
              model.commercial === undefined || !licence
                ? null
                : h('span', { class: `chip ${model.commercial ? 'good' : 'look'}` }, model.commercial ? texts.cutout.commercial : model.commercial === null ? texts.cutout.unsettled : texts.cutout.notCommercial),
              model.unfitted ? h('span', { class: 'chip look', title: texts.cutout.unfittedHint }, texts.cutout.unfitted) : null,
            )
          : null,
        model ? h('p', { class: 'hint' }, model.name === 'auto' ? texts.cutout.autoHint : model.name === 'studio' ? texts.cutout.studioHint : model.reason || model.title || '') : null,
        about.models.some(({ here }) => !here) ? h('p', { class: 'hint' }, texts.cutout.pull(about.models.find(({ here }) => !here)?.name ?? '')) : null,
        segmented({
          label: texts.cutout.effort,
          name: 'effort',
          value: edit.effort,
          options: about.efforts.map((value) => ({ value, text: texts.cutout.efforts[value] ?? value })),
          change: (value) => set('effort', value),
        }),
      ),
      h(
        'section',
        { class: 'group' },
        h('h3', {}, texts.cutout.edge),
        choice({
          label: texts.cutout.refine,
          value: edit.refine,
          options: about.refines.map((value) => ({ value, text: texts.cutout.refines[value] ?? value })),
          change: (value) => set('refine', value),
        }),
        ...(store.engine.offers.edge ? [
        slider({ label: texts.cutout.softness, min: 0, max: 1, step: 0.01, value: edit.softness, show: texts.percent, input: live('softness'), change: () => store.endGesture() }),
        slider({ label: texts.cutout.choke, hint: texts.cutout.chokeHint, min: -1, max: 1, step: 0.05, value: edit.choke, show: texts.cutout.chokeValue, input: live('choke'), change: () => store.endGesture() }),
        ] : []),
      ),
      h(
        'section',
        { class: 'group' },
        h('h3', {}, texts.cutout.colors),
        slider({ label: texts.cutout.decontaminate, min: 0, max: 1, step: 0.01, value: edit.decontaminate, show: texts.percent, input: live('decontaminate'), change: () => store.endGesture() }),
        about.foreground_methods
          ? choice({
              label: texts.cutout.foreground,
              value: edit.foreground,
              options: about.foreground_methods.map((value) => ({ value, text: texts.cutout.foregrounds[value] ?? value })),
              change: (value) => set('foreground', value, true),
            })
          : null,
      ),
      store.engine.offers.corrections ? corrections : h('p', { class: 'group hint' }, texts.here.elsewhere),
      h(
        'div',
        { class: 'group actions' },
        store.items.length > 1 ? h('button', { type: 'button', class: 'button small', on: { click: actions.applyToAll } }, texts.cutout.applyAll) : null,
        h(
          'button',
          {
            type: 'button',
            class: 'button small quiet',
            on: { click: () => store.change((changed) => Object.assign(changed, structuredClone(about.defaults), { framing: changed.framing }), { preview: true }) },
          },
          texts.cutout.reset,
        ),
      ),
    );
  };

  const all = () => {
    renderStatus();
    renderCorrections();
    renderSettings();
  };
  for (const topic of /** @type {const} */ (['selected', 'about', 'items', 'edit'])) store.on(topic, all);
  store.on('item', (item) => item === store.selected && all());
  all();
  return element;
}
