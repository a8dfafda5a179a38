/** What the page says: short notices, a live region for readers, a banner while the engine is away. */
import { texts } from '../texts.en.js';
import { h, icon, iconButton } from './dom.js';

/** @typedef {import('./store.js').Store} Store */

/** Of a live region, before the oldest goes. */
const LINES = 6;
const INFO_FOR = 4000;
const ERROR_FOR = 12_000;

/** @param {Store} store @param {() => void} tryNow */
export function notices(store, tryNow) {
  const live = h('div', { class: 'visually-hidden', role: 'status', 'aria-live': 'polite', id: 'announcer' });
  const alert = h('div', { class: 'visually-hidden', role: 'alert', id: 'alerts' });
  const stack = h('div', { class: 'notices' });
  const banner = h('div', { class: 'banner', role: 'alert', hidden: true });
  store.on('notice', ({ text, kind = 'info' }) => {
    // Lines, so that what comes quickly after one another is all read out.
    const region = kind === 'error' ? alert : live;
    region.append(h('p', {}, text));
    while (region.children.length > LINES) region.firstElementChild?.remove();
    if (kind === 'quiet') return;
    if ([...stack.children].some((shown) => shown.textContent === text)) return;
    const notice = h('div', { class: `notice ${kind}` }, kind === 'error' ? icon('alert') : icon('check'), h('span', {}, text));
    const remove = () => notice.remove();
    notice.append(iconButton('close', texts.dismiss, remove));
    stack.append(notice);
    while (stack.children.length > 3) stack.firstElementChild?.remove();
    window.setTimeout(remove, kind === 'error' ? ERROR_FOR : INFO_FOR);
  });

  let wasAway = false;
  store.on('connection', () => {
    const away = store.connection === 'offline' || store.connection === 'unauthorized';
    banner.hidden = !away;
    document.documentElement.dataset.connection = store.connection;
    if (away) {
      banner.replaceChildren(
        icon('alert'),
        h(
          'div',
          {},
          h('p', {}, store.connection === 'offline' ? texts.connection.offline : texts.connection.unauthorized),
          store.connection === 'offline' ? h('p', { class: 'hint' }, texts.connection.offlineHint) : null,
        ),
        h('button', { type: 'button', class: 'button small', on: { click: tryNow } }, texts.connection.now),
      );
    } else if (wasAway) store.notify({ text: texts.connection.back, kind: 'info' });
    wasAway = away || (wasAway && store.connection !== 'online');
  });
  return { live, alert, stack, banner };
}
