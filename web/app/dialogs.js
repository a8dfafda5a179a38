/** Dialogs: a question before something is lost, the keyboard's shortcuts, a batch on a folder. */
import { texts } from '../texts.en.js';
import { choice, fill, h, iconButton } from './dom.js';

/** @typedef {import('./store.js').Store} Store */

const POLL = 700;

/** @param {string} heading @param {string} className @param {...(Node | null)} children */
function dialog(heading, className, ...children) {
  const id = `dialog-${className}`;
  const element = h(
    'dialog',
    { class: `dialog ${className}`, 'aria-labelledby': id },
    h('div', { class: 'dialog-head' }, h('h2', { id }, heading), iconButton('close', texts.menu.close, () => element.close())),
    ...children,
  );
  element.addEventListener('close', () => element.remove());
  // A click beside it closes it; its own padding is inside its children.
  element.addEventListener('click', (event) => event.target === element && element.close());
  document.body.append(element);
  element.showModal();
  return element;
}

/** @param {number} count @returns {Promise<boolean>} whether to remove */
export function confirmEmpty(count) {
  return new Promise((resolve) => {
    let agreed = false;
    const keep = h('button', { type: 'button', class: 'button', on: { click: () => element.close() } }, texts.confirm.keep);
    const remove = h(
      'button',
      {
        type: 'button',
        class: 'button danger-solid',
        on: {
          click: () => {
            agreed = true;
            element.close();
          },
        },
      },
      texts.confirm.remove,
    );
    const element = dialog(texts.confirm.empty(count), 'confirm', h('p', {}, texts.confirm.emptyText), h('div', { class: 'dialog-foot' }, keep, remove));
    element.addEventListener('close', () => resolve(agreed));
    keep.focus();
  });
}

export function showShortcuts() {
  dialog(
    texts.shortcuts.heading,
    'shortcuts',
    h(
      'div',
      { class: 'shortcut-groups' },
      ...texts.shortcuts.groups.map(([name, rows]) =>
        h('section', {}, h('h3', {}, name), h('dl', {}, ...rows.map(([keys, what]) => h('div', {}, h('dt', {}, ...keys.map((key) => h('kbd', {}, key))), h('dd', {}, what))))),
      ),
    ),
  );
}

/** @param {Store} store */
export function showBatch(store) {
  const { about, engine } = store;
  if (!about) return;
  const folder = h('input', { type: 'text', id: 'batch-folder', required: true, autocomplete: 'off', spellcheck: false });
  const output = h('input', { type: 'text', id: 'batch-output', required: true, autocomplete: 'off', spellcheck: false });
  // Beside the pictures, unless another place is named.
  folder.addEventListener('change', () => {
    const place = folder.value.trim().replace(/[\\/]+$/, '');
    if (place && !output.value.trim()) output.value = `${place}-cutouts`;
  });
  let profile = '';
  let model = about.defaults.model;
  const state = h('div', { class: 'batch-state', role: 'status' });
  const bar = h('progress', { 'aria-label': texts.batch.progress, max: 1, hidden: true });
  const start = h('button', { type: 'submit', class: 'button primary' }, texts.batch.start);
  const stop = h('button', { type: 'button', class: 'button', hidden: true, on: { click: () => engine.stopBatch().catch((error) => store.complain(error)) } }, texts.batch.stop);
  const error = h('p', { class: 'form-error', role: 'alert' });
  const form = h(
    'form',
    { class: 'batch-form', noValidate: true },
    h('p', { class: 'hint' }, texts.batch.intro),
    h('label', { class: 'field' }, h('span', { class: 'field-label' }, texts.batch.folder), folder),
    h('label', { class: 'field' }, h('span', { class: 'field-label' }, texts.batch.output), output),
    h(
      'div',
      { class: 'pair' },
      choice({
        label: texts.batch.profile,
        value: '',
        options: [{ value: '', text: texts.frame.noPreset }, ...about.profiles.map(({ name, title }) => ({ value: name, text: title ?? name }))],
        change: (value) => (profile = value),
      }),
      choice({
        label: texts.cutout.model,
        value: model,
        options: about.models.filter(({ here }) => here).map(({ name }) => ({ value: name, text: name === 'auto' ? texts.cutout.auto : name === 'studio' ? texts.cutout.studio : name })),
        change: (value) => (model = value),
      }),
    ),
    error,
    bar,
    state,
    h('div', { class: 'dialog-foot' }, stop, start),
  );
  const element = dialog(texts.batch.heading, 'batch', form);
  let timer = 0;
  const poll = async () => {
    window.clearTimeout(timer);
    if (!element.isConnected) return;
    try {
      const now = await engine.batch();
      const running = now.state === 'running';
      start.disabled = running;
      stop.hidden = !running;
      bar.hidden = now.state === 'idle';
      const finished = now.done + now.failed;
      if (now.total) bar.value = finished / now.total;
      else if (running) bar.removeAttribute('value');
      const why = typeof now.error === 'object' ? now.error?.message : now.error;
      /** @type {string[]} */
      const lines = {
        idle: [],
        running: [texts.batch.running(finished, now.total)],
        done: [texts.batch.finished(now.done)],
        cancelled: [texts.batch.cancelled],
        failed: [why ?? ''],
      }[now.state];
      if (now.failed) lines.push(texts.batch.failed(now.failed));
      if (now.report && !running) lines.push(texts.batch.report(now.report));
      const text = lines.join('\n');
      if (state.textContent !== text) fill(state, ...lines.map((line) => h('p', {}, line)));
      if (running) timer = window.setTimeout(poll, POLL);
    } catch (failure) {
      store.complain(failure);
      timer = window.setTimeout(poll, 4 * POLL);
    }
  };
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    error.textContent = '';
    if (!folder.value.trim() || !output.value.trim()) {
      error.textContent = texts.batch.needsFolders;
      (folder.value.trim() ? output : folder).focus();
      return;
    }
    try {
      await engine.startBatch({ folder: folder.value.trim(), output: output.value.trim(), profile: profile || null, model });
      poll();
    } catch (failure) {
      error.textContent = failure instanceof Error ? failure.message : String(failure);
    }
  });
  element.addEventListener('close', () => window.clearTimeout(timer));
  folder.focus();
  poll();
}
