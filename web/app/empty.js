/** The page before the first picture: where to drop, what to choose, what to try. */
import { texts } from '../texts.en.js';
import { fill, h, icon } from './dom.js';

/** @typedef {import('./store.js').Store} Store */
/** @typedef {import('./intake.js').Intake} Intake */

/** @param {Store} store @param {Intake} intake */
export function emptyState(store, intake) {
  const samples = h('div', { class: 'samples' });
  const formats = h('p', { class: 'hint formats' });
  const element = h(
    'section',
    { class: 'empty', 'aria-labelledby': 'empty-heading' },
    h(
      'div',
      { class: 'dropzone' },
      h('span', { class: 'dropzone-icon' }, icon('image')),
      h('h1', { id: 'empty-heading' }, h('span', { class: 'with-pointer' }, texts.empty.heading), h('span', { class: 'with-fingers' }, texts.empty.headingTouch)),
      h('p', { class: 'promise' }, icon('lock'), ' ', store.engine.inPage ? texts.here.promise : texts.empty.promise),
      h(
        'div',
        { class: 'dropzone-actions' },
        h('button', { type: 'button', class: 'button primary large', id: 'choose', on: { click: () => intake.choose(false) } }, texts.empty.choose),
        h('button', { type: 'button', class: 'button large', on: { click: () => intake.choose(true) } }, texts.empty.folder),
      ),
      h('p', { class: 'hint paste' }, texts.empty.paste, ' ', ...texts.empty.pasteKeys.split(' ').map((key) => h('kbd', {}, key))),
    ),
    samples,
    formats,
  );
  store.on('about', () => {
    const { about } = store;
    if (!about) return;
    fill(
      samples,
      ...(about.samples.length
        ? [
            h('p', {}, texts.empty.samples),
            h(
              'ul',
              {},
              ...about.samples.map((sample) =>
                h(
                  'li',
                  {},
                  h(
                    'button',
                    { type: 'button', 'aria-label': texts.empty.sample(sample.name), title: sample.name, on: { click: () => intake.addSample(sample) } },
                    h('img', { src: store.engine.sampleUrl(sample), alt: '', loading: 'lazy', decoding: 'async', draggable: false }),
                  ),
                ),
              ),
            ),
          ]
        : []),
    );
    const pace = about.pace ? ` ${texts.here.pace(texts.milliseconds(about.pace.pass + 12 * about.pace.perMegapixel))}` : '';
    formats.textContent = `${store.engine.inPage ? texts.here.formats : texts.empty.formats} ${texts.empty.megapixels(about.limits.max_pixels)}.${pace}`;
  });
  return element;
}
