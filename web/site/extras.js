/**
 * What the page has on the site alone, where the engine is in the page: folders in and out, and a list that outlasts it.
 *
 * The document names this module (`data-extras`); the page hands over its parts once it stands.
 */
import { fill, h, icon, toggle } from '../app/dom.js';
import { texts as page } from '../texts.en.js';
import { siteTexts as texts } from './texts.en.js';

/** @typedef {import('../app/store.js').Store} Store */
/** @typedef {import('../app/intake.js').Intake} Intake */
/** @typedef {{store: Store, intake: Intake, empty: () => void}} Page */

/** Not in every browser. */
const picker = () => /** @type {any} */ (window).showDirectoryPicker;

/** A folder that the person chose; null: none. @param {'read' | 'readwrite'} mode @returns {Promise<FileSystemDirectoryHandle | null>} */
async function chosenFolder(mode) {
  try {
    return await picker().call(window, { id: `nssbg-${mode}`, mode });
  } catch (error) {
    if (/** @type {Error} */ (error).name === 'AbortError') return null;
    throw error;
  }
}

/** @param {Page} parts */
export function attach({ store, intake, empty }) {
  if (picker()) {
    intake.chooseFolder = () => takeFolder(store, intake).catch((error) => store.complain(error));
    saveButton(store);
  }
  keptPanel(store, empty);
  tellRestored(store).catch((error) => store.complain(error));
}

/** @param {Store} store @param {Intake} intake */
async function takeFolder(store, intake) {
  const folder = await chosenFolder('read');
  if (!folder) return;
  const { filesIn } = await import('./folder-in.js');
  const { found, unreadable } = await filesIn(folder);
  intake.add(found);
  if (!found.length) store.notify({ text: page.errors.noImages, kind: 'error' });
  if (unreadable) store.notify({ text: texts.folder.unreadable(unreadable), kind: 'error' });
}

/** Beside the button for a ZIP of all. @param {Store} store */
function saveButton(store) {
  const label = h('span', {}, texts.folder.save);
  const button = h('button', { type: 'button', class: 'button', id: 'save-folder', hidden: true, on: { click: save } }, icon('folder'), label);
  document.getElementById('download-all')?.after(button);
  let working = false;

  async function save() {
    if (working) return;
    try {
      const folder = await chosenFolder('readwrite');
      if (!folder) return;
      working = true;
      button.disabled = true;
      for (const item of store.items) if (item.dirty) await store.commit(item);
      const { written, numbered } = await /** @type {NonNullable<typeof store.engine.writeAll>} */ (store.engine.writeAll)(folder, {
        onProgress: (done, of) => (label.textContent = texts.folder.saving(done, of)),
      });
      store.notify({ text: [texts.folder.saved(written, folder.name), numbered ? texts.folder.numbered(numbered) : ''].filter(Boolean).join(' '), kind: 'info' });
    } catch (error) {
      store.complain(error);
    }
    working = false;
    button.disabled = false;
    label.textContent = texts.folder.save;
  }

  const render = () => {
    const finished = store.items.filter((item) => item.picture?.result).length;
    button.hidden = finished < 2;
    button.title = texts.folder.saveHint(finished);
  };
  for (const topic of /** @type {const} */ (['items', 'item'])) store.on(topic, render);
  render();
}

/** What of the pictures lies where, and the way out. @param {Store} store @param {() => void} empty */
function keptPanel(store, empty) {
  const { engine } = store;
  const section = h('section', { class: 'group kept' });
  document.querySelector('#panel-device .panel-body')?.append(section);
  let told = '';
  const render = async () => {
    if (!engine.keeping || !engine.keep) return;
    const { on, why, wanted, bytes } = engine.keeping();
    if (why !== null && why !== told && wanted) store.notify({ text: texts.kept.off(why), kind: 'error' });
    told = why ?? '';
    if (store.view.panel !== 'device') return;
    const { quota, usage } = (await navigator.storage?.estimate?.().catch(() => null)) ?? {};
    const free = quota === undefined || usage === undefined ? null : page.bytes(Math.max(0, quota - usage));
    const keep = engine.keep;
    fill(
      section,
      h('h3', {}, texts.kept.heading),
      h('p', { class: 'hint', role: 'status' }, on ? texts.kept.on : texts.kept.off(why ?? '')),
      on && bytes ? h('p', { class: 'hint' }, texts.kept.size(page.bytes(bytes), free)) : null,
      toggle({ label: texts.kept.toggle, hint: texts.kept.toggleHint, checked: wanted, change: (value) => keep(value).catch((error) => store.complain(error)) }),
      h('button', { type: 'button', class: 'button small danger', disabled: !store.items.length, on: { click: empty } }, page.device.emptyNow),
    );
  };
  for (const topic of /** @type {const} */ (['items', 'view'])) store.on(topic, render);
  engine.subscribe(({ type }) => type === 'keeping' && render());
  render();
}

/** @param {Store} store */
async function tellRestored(store) {
  const { engine } = store;
  const { pictures = 0, waiting = 0 } = (await engine.restored?.()) ?? {};
  if (pictures) store.notify({ text: texts.kept.restored(pictures, waiting, engine.keeping?.().paused ?? false), kind: 'info' });
}
