/** Taking the result away: format and quality, download, clipboard, all as a ZIP. */
import { EngineError } from '../engine/interface.js';
import { texts } from '../texts.en.js';
import { choice, fill, h, icon, iconButton, segmented, slider, toggle } from './dom.js';

/** @typedef {import('./store.js').Store} Store */

const LOSSY = new Set(['jpeg', 'webp', 'avif', 'jxl']);
const KEY = 'nssbg-studio-export';

/** How results are enhanced: a network's name ('' for none), times the sides, how strongly. */
const ENHANCE = { model: '', upscale: 2, denoise: /** @type {number | null} */ (null), deblock: true };

/** @returns {{format: string, quality: number | null, enhance: typeof ENHANCE}} */
function remembered() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? '{}');
    return { format: 'png', quality: null, ...kept, enhance: { ...ENHANCE, ...kept.enhance } };
  } catch {
    return { format: 'png', quality: null, enhance: { ...ENHANCE } };
  }
}

/** @param {string} url @param {string} name */
function save(url, name) {
  const link = h('a', { href: url, download: name, hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
}

export class Exporter {
  /** @param {Store} store */
  constructor(store) {
    this.store = store;
    const { format, quality, enhance } = remembered();
    this.enhance = enhance;
    this.format = format;
    /** 0 to 100; null: the format's own. @type {number | null} */
    this.quality = quality;
    this.mask = false;
    this.working = false;
    this.element = h('div', { class: 'export' });
    for (const topic of /** @type {const} */ (['selected', 'about', 'connection', 'items'])) store.on(topic, () => this.render());
    let ready = false;
    store.on('item', () => {
      if (this.ready !== ready) this.render();
      ready = this.ready;
    });
    this.render();
  }

  /** Where the format has one and the person chose it. */
  get chosenQuality() {
    return LOSSY.has(this.format) ? this.quality ?? undefined : undefined;
  }

  /** The network that was chosen, where the engine has it. */
  get enhancer() {
    return this.store.about?.enhance?.find(({ name }) => name === this.enhance.model);
  }

  /** What of it the engine is told. @returns {import('../engine/interface.js').Enhance | undefined} */
  get chosenEnhance() {
    const { enhancer } = this;
    if (!enhancer) return undefined;
    const { model, upscale, denoise, deblock } = this.enhance;
    return {
      model,
      upscale: enhancer.upscales.includes(upscale) ? upscale : Math.max(...enhancer.upscales),
      denoise: enhancer.denoise ? denoise ?? undefined : undefined,
      deblock: enhancer.deblock && !deblock ? 0 : undefined,
    };
  }

  get ready() {
    return !!this.store.selected?.picture?.result && this.store.connection === 'online';
  }

  remember() {
    try {
      localStorage.setItem(KEY, JSON.stringify({ format: this.format, quality: this.quality, enhance: this.enhance }));
    } catch {
      // A browser that keeps nothing.
    }
    this.render();
  }

  /** What a network can do, once it is chosen. */
  enhanceControls() {
    const offered = this.store.about?.enhance ?? [];
    if (!offered.length) return [];
    const { enhancer, chosenEnhance: chosen } = this;
    const change = (/** @type {Partial<typeof ENHANCE>} */ how) => {
      Object.assign(this.enhance, how);
      this.remember();
    };
    return [
      choice({
        label: texts.export.enhance,
        id: 'enhance',
        value: enhancer?.name ?? '',
        options: [
          { value: '', text: texts.export.enhanceOff },
          ...offered.map(({ name, licence }) => ({ value: name, text: [name, licence].filter(Boolean).join(' · ') })),
        ],
        change: (value) => change({ model: value }),
      }),
      enhancer && chosen && enhancer.upscales.length > 1
        ? segmented({
            label: texts.export.upscale,
            name: 'upscale',
            value: String(chosen.upscale),
            options: enhancer.upscales.map((times) => ({ value: String(times), text: texts.export.upscales(times) })),
            change: (value) => change({ upscale: Number(value) }),
          })
        : null,
      enhancer?.denoise
        ? slider({
            label: texts.export.denoise,
            min: 0,
            max: 1.05,
            step: 0.05,
            value: this.enhance.denoise ?? 1.05,
            show: (value) => (value > 1 ? texts.export.denoiseAuto : texts.percent(value)),
            input: (value) => (this.enhance.denoise = value > 1 ? null : value),
            change: () => this.remember(),
          })
        : null,
      enhancer?.deblock ? toggle({ label: texts.export.deblock, hint: texts.export.deblockHint, checked: this.enhance.deblock, change: (value) => change({ deblock: value }) }) : null,
      enhancer ? h('p', { class: 'hint' }, texts.export.enhanceHint) : null,
    ];
  }

  render() {
    const { about } = this.store;
    if (!about) return fill(this.element);
    if (!about.formats.includes(this.format)) this.format = about.formats[0] ?? 'png';
    const lossy = LOSSY.has(this.format) && !this.mask;
    fill(
      this.element,
      h(
        'details',
        { class: 'export-options', open: this.element.querySelector('details')?.open ?? false },
        h('summary', {}, texts.export.format, ' ', h('strong', {}, texts.export.formats[this.format] ?? this.format), icon('sliders')),
        choice({
          label: texts.export.format,
          hideLabel: true,
          id: 'format',
          value: this.format,
          options: about.formats.map((value) => ({ value, text: texts.export.formats[value] ?? value })),
          change: (value) => {
            this.format = value;
            this.remember();
          },
        }),
        lossy
          ? slider({
              label: texts.export.quality,
              min: 40,
              max: 101,
              step: 1,
              value: this.quality ?? 101,
              show: (value) => (value > 100 ? texts.export.qualityAuto : texts.number(value)),
              input: (value) => (this.quality = value > 100 ? null : value),
              change: () => this.remember(),
            })
          : null,
        toggle({
          label: texts.export.maskOnly,
          checked: this.mask,
          change: (value) => {
            this.mask = value;
            this.render();
          },
        }),
        ...this.enhanceControls(),
        this.format === 'jpeg' && !this.mask ? h('p', { class: 'hint' }, texts.export.jpegHint) : null,
      ),
      h(
        'div',
        { class: 'export-row' },
        h(
          'button',
          { type: 'button', class: 'button primary', id: 'download', disabled: !this.ready || this.working, 'aria-busy': String(this.working), on: { click: () => this.download() } },
          icon('download'),
          h('span', {}, this.working ? texts.export.working : texts.export.download),
        ),
        iconButton('copy', texts.export.copy, () => this.copy(), { class: 'button square', id: 'copy', disabled: !this.ready || this.working }),
      ),
    );
    return undefined;
  }

  /** What the page shows is what is written: a change on its way is sent first. */
  async settled() {
    const item = this.store.selected;
    if (!item?.picture) return null;
    if (item.dirty) await this.store.commit(item);
    const until = performance.now() + 120_000;
    while (performance.now() < until && this.store.items.includes(item)) {
      const { picture } = item;
      const current = !item.dirty && picture.revision >= item.expected && !['queued', 'running'].includes(picture.state);
      if (current) return picture;
      if (!item.dirty && picture.state === 'failed') throw new EngineError('failed', picture.error?.message ?? texts.errors.edit);
      await new Promise((resolve) => window.setTimeout(resolve, 60));
    }
    return null;
  }

  /** @param {() => Promise<void>} work */
  async busy(work) {
    if (!this.ready || this.working) return;
    this.working = true;
    this.render();
    try {
      await work();
    } catch (error) {
      this.store.complain(error);
    }
    this.working = false;
    this.render();
  }

  download() {
    return this.busy(async () => {
      const picture = await this.settled();
      if (!picture) return;
      const { blob, name } = await this.store.engine.download(picture.id, { format: this.format, quality: this.mask ? undefined : this.chosenQuality, mask: this.mask, enhance: this.chosenEnhance });
      const url = URL.createObjectURL(blob);
      save(url, name);
      window.setTimeout(() => URL.revokeObjectURL(url), 30_000);
      this.store.notify({ text: texts.announce.downloaded(name), kind: 'quiet' });
    });
  }

  copy() {
    if (!navigator.clipboard?.write || typeof ClipboardItem === 'undefined') {
      this.store.notify({ text: texts.errors.clipboard, kind: 'error' });
      return Promise.resolve();
    }
    return this.busy(async () => {
      const png = (async () => {
        const picture = await this.settled();
        if (!picture) throw new DOMException('Nothing to copy', 'AbortError');
        return (await this.store.engine.download(picture.id, { format: 'png', mask: this.mask, enhance: this.chosenEnhance })).blob;
      })();
      try {
        // The promise goes in as it is: Safari takes it only so, within the click.
        await navigator.clipboard.write([new ClipboardItem({ 'image/png': png })]);
      } catch (error) {
        if (error instanceof DOMException && error.name === 'NotAllowedError') {
          this.store.notify({ text: texts.errors.clipboard, kind: 'error' });
          return;
        }
        throw error;
      }
      this.store.notify({ text: texts.announce.copied, kind: 'info' });
    });
  }

  async downloadAll() {
    try {
      for (const item of this.store.items) if (item.dirty) await this.store.commit(item);
      const { url, name } = await this.store.engine.downloadAll({ format: this.format, quality: this.chosenQuality, enhance: this.chosenEnhance });
      save(url, name);
      this.store.notify({ text: texts.announce.downloaded(name), kind: 'quiet' });
    } catch (error) {
      this.store.complain(error);
    }
  }
}
