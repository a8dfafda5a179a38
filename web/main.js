/**
 * The page: puts its parts together over one engine.
 *
 * The engine is named by the document (`data-engine`), so that the same page runs over a server on this
 * computer and over WebAssembly. Everything else reads and changes the store.
 */
import { confirmEmpty, showBatch, showShortcuts } from './app/dialogs.js';
import { h, icon, iconButton } from './app/dom.js';
import { emptyState } from './app/empty.js';
import { Exporter } from './app/export.js';
import { Intake } from './app/intake.js';
import { isFailed, isPending, PictureList } from './app/list.js';
import { loadingBar } from './app/loading.js';
import { Loupe } from './app/loupe.js';
import { notices } from './app/notices.js';
import { cutoutPanel } from './app/panel-cutout.js';
import { devicePanel, NetworkWatch } from './app/panel-device.js';
import { framePanel } from './app/panel-frame.js';
import { Previewer } from './app/preview.js';
import { listenToKeys } from './app/shortcuts.js';
import { StageInput } from './app/stage-input.js';
import { Stage } from './app/stage.js';
import { Store } from './app/store.js';
import { toolBar, viewBar } from './app/toolbars.js';
import { texts } from './texts.en.js';

/** @typedef {import('./app/store.js').Item} Item */

const root = document.documentElement;
root.lang = texts.language;
root.dir = texts.direction;
document.title = texts.title;

const THEME = 'nssbg-studio-theme';
const theme = {
  get dark() {
    const said = root.dataset.theme;
    return said ? said === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  },
  toggle() {
    root.dataset.theme = theme.dark ? 'light' : 'dark';
    try {
      localStorage.setItem(THEME, root.dataset.theme);
    } catch {
      // A browser that keeps nothing.
    }
  },
};
try {
  const said = localStorage.getItem(THEME);
  if (said === 'dark' || said === 'light') root.dataset.theme = said;
} catch {
  // The same.
}

const { engine } = await import(new URL(root.dataset.engine ?? './engine/server.js', import.meta.url).href);
const here = engine.inPage ? texts.here.pill : texts.connection.here;
const watch = new NetworkWatch(!!engine.inPage);
const store = new Store(engine);
const intake = new Intake(store);
const stage = new Stage(store);
const input = new StageInput(store, stage);
const loupe = new Loupe(stage);
input.onHover = (/** @type {{x: number, y: number}} */ at) => loupe.hover(at);
for (const topic of /** @type {const} */ (['view', 'selected', 'item'])) store.on(topic, () => loupe.draw());
new Previewer(store, stage);
const exporter = new Exporter(store);

const empty = async () => {
  if (!store.items.length || !(await confirmEmpty(store.items.length))) return;
  for (const item of [...store.items]) store.dropItem(item);
  await engine.clear().catch((/** @type {unknown} */ error) => store.complain(error));
  store.notify({ text: texts.announce.emptied, kind: 'quiet' });
};

const list = new PictureList(store, intake, { empty });

/** Everything but corrections, which are about one picture. */
const applyToAll = () => {
  const from = store.selected;
  if (!from?.edit) return;
  let count = 0;
  for (const item of store.items) {
    if (item === from || !item.edit || !item.picture) continue;
    item.done.push(item.edit);
    store.setEdit(item, { ...structuredClone(from.edit), corrections: item.edit.corrections }, false);
    count += 1;
  }
  store.notify({ text: texts.announce.applied(count + 1), kind: 'info' });
};

/* The inspector: three panels as tabs, the download always in reach. */
/** @type {{name: 'cutout' | 'frame' | 'device', label: string, short: string, icon: keyof typeof import('./app/icons.js').icons, body: HTMLElement}[]} */
const panels = [
  { name: 'cutout', label: texts.inspector.cutout, short: texts.inspector.cutout, icon: 'wand', body: cutoutPanel(store, { applyToAll, retry: (item) => list.retry(item) }) },
  { name: 'frame', label: texts.inspector.frame, short: texts.inspector.frame, icon: 'box', body: framePanel(store) },
  { name: 'device', label: texts.inspector.device, short: texts.inspector.deviceShort, icon: 'device', body: devicePanel(store, watch, { empty }) },
];
const tabs = panels.map(({ name, label, short, icon: sign }) =>
  h(
    'button',
    { type: 'button', role: 'tab', id: `tab-${name}`, 'aria-controls': `panel-${name}`, 'aria-label': label, on: { click: () => openPanel(name) } },
    icon(sign),
    h('span', {}, short),
  ),
);
const sheets = panels.map(({ name, body }) => h('div', { role: 'tabpanel', id: `panel-${name}`, 'aria-labelledby': `tab-${name}`, tabindex: '0' }, body));
const tablist = h('div', { class: 'tabs', role: 'tablist', 'aria-label': texts.inspector.label }, ...tabs);
tablist.addEventListener('keydown', (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const direction = getComputedStyle(tablist).direction === 'rtl' ? -step : step;
  const at = (panels.findIndex(({ name }) => name === store.view.panel) + direction + panels.length) % panels.length;
  openPanel(panels[at].name);
  tabs[at].focus();
});
const inspector = h('aside', { class: 'inspector', 'aria-label': texts.inspector.label }, tablist, h('div', { class: 'sheets' }, ...sheets), exporter.element);
const narrow = matchMedia('(max-width: 719px)');

/** On a phone the sheet lies over the stage: pressing its own tab again puts it away. @param {'cutout' | 'frame' | 'device'} name */
function openPanel(name) {
  const again = store.view.panel === name && inspector.classList.contains('open');
  inspector.classList.toggle('open', !again);
  store.setView({ panel: narrow.matches && again ? 'cutout' : name });
}

function markPanels() {
  panels.forEach(({ name }, at) => {
    const chosen = name === store.view.panel;
    tabs[at].setAttribute('aria-selected', String(chosen));
    tabs[at].tabIndex = chosen ? 0 : -1;
    sheets[at].hidden = !chosen;
  });
}
store.on('view', markPanels);
markPanels();

/* The head. */
const fileName = h('span', { class: 'file-name' });
const updating = h('span', { class: 'updating', hidden: true }, texts.states.updating);
const pill = h(
  'button',
  { type: 'button', class: 'pill', 'aria-label': `${here}. ${texts.connection.hereHint}`, title: texts.connection.hereHint, on: { click: () => openPanel('device') } },
  h('span', { class: 'pulse', 'aria-hidden': 'true' }),
  h('span', { class: 'pill-text' }, here),
);
const all = h('button', { type: 'button', class: 'button', id: 'download-all', 'aria-label': texts.export.all, hidden: true, on: { click: () => exporter.downloadAll() } }, icon('zip'), h('span', {}, texts.export.all));
const batch = h('button', { type: 'button', class: 'button quiet', id: 'batch', 'aria-label': texts.batch.open, title: texts.batch.open, hidden: !engine.offers.batch, on: { click: () => showBatch(store) } }, icon('folder'), h('span', {}, texts.batch.open));
const header = h(
  'header',
  { class: 'head' },
  h('a', { class: 'brand', href: './', 'aria-label': texts.title }, h('img', { src: new URL('icon.svg', import.meta.url).href, alt: '', width: 22, height: 22 }), h('span', {}, texts.title)),
  h('div', { class: 'head-file' }, fileName, updating),
  h(
    'div',
    { class: 'head-actions' },
    pill,
    batch,
    all,
    iconButton('moon', texts.menu.theme, () => theme.toggle(), { class: 'icon-button theme' }),
    iconButton('help', `${texts.menu.shortcuts} (?)`, showShortcuts, { class: 'icon-button help' }),
  ),
);

const said = notices(store, () => refreshAll());
const stageSection = h('section', { class: 'stage', 'aria-label': texts.viewer.label }, stage.element, ...toolBar(store, stage), viewBar(store, stage));
const waitingText = h('p', { class: 'waiting-text' });
const waiting = h('div', { class: 'stage-waiting', hidden: true }, h('span', { class: 'spinner', 'aria-hidden': 'true' }), waitingText);
const failedText = h('p', {});
const failed = h(
  'div',
  { class: 'stage-failed', hidden: true },
  icon('alert'),
  h('strong', {}, texts.cutout.failedTitle),
  failedText,
  h('button', { type: 'button', class: 'button', on: { click: () => store.selected && list.retry(store.selected) } }, texts.cutout.retry),
);
stageSection.append(waiting, failed);
const main = h('main', { id: 'main', class: 'work' }, stageSection, inspector);
const veil = h('div', { class: 'veil', hidden: true }, h('div', {}, icon('download'), h('strong', {}, texts.drop.here), h('span', {}, texts.drop.private)));
const welcome = emptyState(store, intake);
const skip = h('a', { class: 'skip', href: '#main' }, texts.skip);
skip.addEventListener('click', (event) => {
  event.preventDefault();
  (store.items.length ? stage.surface : document.getElementById('choose'))?.focus();
});
const shell = h('div', { class: 'shell' }, header, said.banner, loadingBar(engine), list.element, main, h('main', { class: 'welcome' }, welcome));
document.body.replaceChildren(skip, shell, said.stack, said.live, said.alert, veil);
intake.listen(veil);
listenToKeys({ store, stage, intake, exporter, list });

function renderHead() {
  const { selected, items } = store;
  root.dataset.page = items.length ? 'work' : 'empty';
  // Over the stage, above its bars; before there is one, over the page.
  const ground = items.length ? stageSection : document.body;
  if (said.stack.parentElement !== ground) ground.append(said.stack);
  main.hidden = list.element.hidden = !items.length;
  /** @type {HTMLElement} */ (shell.lastElementChild).hidden = items.length > 0;
  fileName.textContent = selected?.name ?? '';
  const busy = !!selected?.picture?.result && store.busy(selected);
  updating.hidden = !busy;
  const finished = items.filter((item) => item.picture?.result).length;
  all.hidden = finished < 2;
  all.title = texts.export.allHint(finished);
  const pending = !!selected && isPending(selected) && !selected.picture?.result;
  waiting.hidden = !pending;
  if (pending && selected) {
    const { upload, picture } = selected;
    waitingText.textContent = upload ? (store.connection === 'online' ? texts.states.uploading(upload.share) : texts.states.offline) : picture?.state === 'running' ? texts.stage(picture.stage ?? '') || texts.states.running : texts.states.queued;
  }
  const broken = !!selected && isFailed(selected) && !selected.picture?.result;
  failed.hidden = !broken;
  if (broken) failedText.textContent = selected?.upload?.message || selected?.picture?.error?.message || '';
  const device = selected?.picture?.result?.plan.device ?? store.about?.plan.device;
  /** @type {HTMLElement} */ (pill.lastElementChild).textContent = device ? `${here} · ${device.toUpperCase()}` : here;
}
for (const topic of /** @type {const} */ (['items', 'item', 'selected', 'edit', 'connection', 'about'])) store.on(topic, renderHead);
renderHead();

store.on('selected', () => {
  if (!store.selected) return;
  const at = store.items.indexOf(store.selected) + 1;
  store.notify({ text: texts.announce.selected(store.selected.name, at, store.items.length), kind: 'quiet' });
});

/** Say when a picture is done, once, and when all are. @param {Item} item */
function announce(item) {
  const { picture } = item;
  if (!item.fresh || !picture || !['done', 'failed'].includes(picture.state)) return;
  item.fresh = false;
  const many = store.items.length > 3;
  if (picture.state === 'failed') store.notify({ text: texts.announce.failed(item.name, picture.error?.message ?? ''), kind: 'quiet' });
  else if (!many) store.notify({ text: picture.result?.low_confidence ? texts.announce.look(item.name) : texts.announce.done(item.name), kind: 'quiet' });
  if (many && !store.items.some(isPending)) store.notify({ text: texts.announce.allDone(store.items.filter((each) => !isFailed(each)).length, store.items.filter(isFailed).length), kind: 'info' });
}
store.on('item', announce);

/* The engine: read everything on each connection, then follow its events. */
let reading = false;
let readAgain = false;
/** What was told while everything was read: newer than what is read, or told again by a later one of these. @type {import('./engine/interface.js').EngineEvent[]} */
const meanwhile = [];
async function refreshAll() {
  if (reading) {
    readAgain = true;
    return;
  }
  reading = true;
  try {
    const [about, pictures] = await Promise.all([engine.about(), engine.pictures()]);
    store.about = about;
    store.emit('about');
    const ids = new Set(pictures.map((/** @type {{id: string}} */ { id }) => id));
    for (const item of [...store.items]) if (item.picture && !ids.has(item.picture.id)) store.dropItem(item);
    /** @type {import('./engine/interface.js').Picture[]} */
    const unknown = [];
    for (const picture of pictures) {
      const item = store.itemOf(picture.id);
      if (item) {
        // Another process may count revisions anew.
        if (item.picture && picture.revision < item.picture.revision) item.picture = null;
        if (!item.dirty) item.expected = 0;
        store.update(item, picture);
      } else unknown.push(picture);
    }
    intake.strangers(...unknown);
    store.setConnection('online');
    for (const item of store.items) if (item.dirty) store.commit(item);
  } catch (error) {
    const kind = /** @type {{kind?: string}} */ (error).kind;
    // An engine in the page says itself why it does not start.
    if (!engine.inPage) store.setConnection(kind === 'unauthorized' ? 'unauthorized' : 'offline');
    if (kind !== 'unauthorized' && kind !== 'offline' && !engine.inPage) store.complain(error);
  }
  reading = false;
  root.dataset.ready = 'true';
  meanwhile.splice(0).forEach(take);
  if (readAgain) {
    readAgain = false;
    refreshAll();
  }
}

/** One picture's news. @param {import('./engine/interface.js').EngineEvent} event */
function take(event) {
  if (event.type === 'removed') {
    const item = store.itemOf(event.id);
    if (item) store.dropItem(item);
  } else if (event.type === 'picture') {
    const item = store.itemOf(event.picture.id);
    if (item) store.update(item, event.picture);
    else intake.strangers(event.picture);
  }
}

engine.subscribe((/** @type {import('./engine/interface.js').EngineEvent} */ event) => {
  if (event.type === 'ready') refreshAll();
  else if (event.type === 'offline' && store.connection !== 'unauthorized') store.setConnection('offline');
  else if (event.type === 'unauthorized') store.setConnection('unauthorized');
  else if (event.type === 'request') watch.toSite();
  else if (event.type === 'opened') watch.loaded();
  else if (reading) meanwhile.push(event);
  else take(event);
});

// What one kind of page has beside all this.
if (root.dataset.extras) (await import(new URL(root.dataset.extras, import.meta.url).href)).attach({ store, intake, empty });

window.addEventListener('beforeunload', (event) => {
  // Pictures that the engine has not got would be lost.
  if (store.items.some((item) => item.upload && item.upload.state !== 'failed')) event.preventDefault();
});
