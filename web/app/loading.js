/** What the page shows while an engine in the page comes: how much of it is there, or why it does not start. */
import { texts } from '../texts.en.js';
import { fill, h, icon } from './dom.js';

/** @param {import('../engine/interface.js').Engine} engine @returns {HTMLElement} */
export function loadingBar(engine) {
  const text = h('span', {}, texts.here.opening);
  const bar = h('progress', { max: 1, 'aria-label': texts.here.opening });
  const element = h('div', { class: 'banner engine-loading', role: 'status', hidden: !engine.inPage }, text, bar);
  engine.subscribe((event) => {
    if (event.type === 'loading') {
      const done = event.bytes >= event.of;
      text.textContent = done ? texts.here.opening : texts.here.loading(texts.bytes(event.bytes), texts.bytes(event.of));
      if (done) bar.removeAttribute('value');
      else bar.value = event.bytes / event.of;
    } else if (event.type === 'failed') {
      element.hidden = false;
      element.setAttribute('role', 'alert');
      fill(element, icon('alert'), h('p', {}, texts.here.failed(event.message)), h('button', { type: 'button', class: 'button small', on: { click: () => location.reload() } }, texts.here.reload));
    } else if (event.type === 'opened') {
      element.hidden = true;
    }
  });
  return element;
}
