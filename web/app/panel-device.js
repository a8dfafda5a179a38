/**
 * What ran, on which device, how long; and that nothing left this computer.
 *
 * The count is the browser's own: every resource that the page loaded, those of its own origin set apart. The
 * policy shown is the one that the page came with. Attempts that the policy stopped are counted as well.
 */
import { texts } from '../texts.en.js';
import { fill, h } from './dom.js';

/** @typedef {import('./store.js').Store} Store */

export class NetworkWatch {
  /** @param {boolean} inPage the engine is the page's own: whatever it asks for once it is loaded is counted */
  constructor(inPage) {
    this.inPage = inPage;
    this.own = 0;
    /** Requests to the site's server since the engine was loaded. */
    this.since = 0;
    /** @type {string[]} */
    this.elsewhere = [];
    this.blocked = 0;
    /** @type {() => void} */
    this.changed = () => {};
    new PerformanceObserver((list) => {
      for (const entry of list.getEntries()) this.count(entry.name);
      this.changed();
    }).observe({ type: 'resource', buffered: true });
    document.addEventListener('securitypolicyviolation', (event) => {
      this.blocked += 1;
      this.blockedAddresses.add(event.blockedURI);
      this.changed();
    });
    /** @type {string | null} */
    this.policy = null;
    const own = document.querySelector('meta[http-equiv=Content-Security-Policy]');
    if (own) {
      this.policy = own.getAttribute('content');
      return;
    }
    fetch(document.baseURI, { method: 'HEAD', cache: 'no-store' })
      .then((response) => (this.policy = response.headers.get('Content-Security-Policy')))
      .catch(() => {})
      .finally(() => this.changed());
  }

  /** The engine in the page is there: from now on nothing needs the network. */
  loaded() {
    this.since = 0;
    this.changed();
  }

  /** A request that left for the site's server. */
  toSite() {
    this.since += 1;
    this.changed();
  }

  /** Addresses that the policy stopped: the browser lists them among the resources as well. @type {Set<string>} */
  blockedAddresses = new Set();

  /** @param {string} address */
  count(address) {
    const url = new URL(address, document.baseURI);
    if (url.protocol === 'blob:' || url.protocol === 'data:') return;
    if (url.origin === location.origin) this.own += 1;
    else this.elsewhere.push(address);
  }

  /** Requests that reached another place: the browser lists those that the policy stopped as well, in either order. */
  get outside() {
    const blocked = [...this.blockedAddresses];
    return this.elsewhere.filter((address) => !blocked.some((stopped) => address.startsWith(stopped))).length;
  }
}

/** @param {Store} store @param {NetworkWatch} watch @param {{empty: () => void}} actions */
export function devicePanel(store, watch, actions) {
  const requests = h('section', { class: 'group proof' });
  const ran = h('section', { class: 'group' });
  const took = h('section', { class: 'group' });
  const session = h('section', { class: 'group' });
  const element = h('div', { class: 'panel-body groups' }, requests, ran, took, session);

  const renderRequests = () => {
    if (store.view.panel !== 'device') return;
    const count = watch.inPage ? watch.since + watch.outside : watch.outside;
    const open = requests.querySelector('details')?.open ?? false;
    fill(
      requests,
      h('h3', {}, watch.inPage ? texts.here.heading : texts.device.heading),
      h('p', { class: 'zero' }, h('strong', { data: { outside: String(count) } }, texts.number(count)), h('span', {}, watch.inPage ? texts.here.requests : texts.device.requests)),
      h('p', { class: 'hint' }, watch.inPage ? texts.here.requestsIn : texts.device.requestsIn(watch.own)),
      watch.blocked ? h('p', { class: 'hint' }, texts.device.blocked(watch.blocked)) : null,
      h(
        'details',
        { open },
        h('summary', {}, texts.device.proof),
        h('p', { class: 'hint' }, watch.policy ? texts.device.proofText : texts.device.noPolicy),
        watch.policy ? h('code', { class: 'policy' }, watch.policy.replaceAll('; ', ';\n')) : null,
      ),
    );
  };

  const facts = (/** @type {[string, string | undefined | null][]} */ rows) =>
    h('dl', { class: 'facts' }, ...rows.filter(([, value]) => value).map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))));

  const render = () => {
    renderRequests();
    const { about } = store;
    const result = store.selected?.picture?.result;
    const plan = result?.plan ?? about?.plan ?? {};
    fill(
      ran,
      h('h3', {}, result ? texts.device.ran : texts.device.plan),
      facts([
        [texts.device.model, result?.model],
        [texts.device.method, result?.method && result.method !== result.model ? result.method : null],
        [texts.device.device, [plan.device?.toUpperCase(), about?.device_name].filter(Boolean).join(', ')],
        [texts.device.backend, plan.backend],
        [texts.device.precision, plan.precision],
        [texts.device.isa, about?.isa],
        [texts.here.paceName, about?.pace ? texts.milliseconds(about.pace.pass + 12 * about.pace.perMegapixel) : null],
        [texts.device.fallbacks, plan.fallbacks?.join('; ')],
        [texts.device.version, about?.version ? `nssbg ${about.version}` : null],
      ]),
      ...(result?.notes ?? []).map((note) => h('p', { class: 'hint' }, note)),
    );
    const stages = Object.entries(result?.timings ?? {});
    const total = stages.reduce((sum, [, ms]) => sum + ms, 0);
    const longest = Math.max(1, ...stages.map(([, ms]) => ms));
    fill(
      took,
      h('h3', {}, texts.device.took),
      stages.length
        ? h(
            'ul',
            { class: 'timings' },
            ...stages.map(([name, ms]) => {
              const bar = h('span', { class: 'bar', 'aria-hidden': 'true' });
              bar.style.setProperty('--share', String(ms / longest));
              return h('li', {}, h('span', {}, texts.stage(name)), h('span', { class: 'ms' }, texts.milliseconds(ms)), bar);
            }),
            h('li', { class: 'total' }, h('span', {}, texts.device.total), h('span', { class: 'ms' }, texts.milliseconds(total))),
          )
        : h('p', { class: 'hint' }, texts.device.nothing),
      store.lastPreview === null ? null : h('p', { class: 'hint' }, `${texts.device.preview} ${texts.milliseconds(store.lastPreview)}`),
    );
    fill(
      session,
      ...(about?.session_folder
        ? [
            h('h3', {}, texts.device.session),
            h('code', { class: 'path' }, about.session_folder),
            h('p', { class: 'hint' }, texts.device.sessionText),
            h('button', { type: 'button', class: 'button small danger', disabled: !store.items.length, on: { click: actions.empty } }, texts.device.emptyNow),
          ]
        : []),
    );
  };
  let timer = 0;
  watch.changed = () => {
    window.clearTimeout(timer);
    timer = window.setTimeout(renderRequests, 250);
  };
  for (const topic of /** @type {const} */ (['selected', 'about', 'items', 'view'])) store.on(topic, render);
  store.on('item', (item) => item === store.selected && render());
  render();
  return element;
}
