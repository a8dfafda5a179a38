/**
 * An engine in the page, for its own tests and never shipped: what is unlike the top left corner is kept.
 *
 * Keeps the contract of interface.js (states, revisions, previews, framed sizes) without a server.
 */
import { EngineError } from './interface.js';

const wait = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));

/** @type {import('./interface.js').Edit} */
const defaults = {
  model: 'auto',
  effort: 'balanced',
  refine: 'guided',
  foreground: 'multilevel',
  decontaminate: 1,
  softness: 0,
  choke: 0,
  corrections: { box: null, keep: [], drop: [], strokes: [] },
  framing: { trim: false, profile: null, canvas: null, fill: 0.9, align: 'center', shadow: false, background: null },
};

/** @type {import('./interface.js').About} */
const about = {
  version: '0.0.0-mock',
  isa: 'x86-64-v3',
  plan: { backend: 'onnxruntime', device: 'cpu', precision: 'float32', fallbacks: [] },
  device_name: 'Mock processor',
  models: [
    { name: 'auto', here: true, licence: 'Apache-2.0', commercial: true, title: 'The better of the network and the studio method' },
    { name: 'studio', here: true, licence: 'Apache-2.0', commercial: true },
    { name: 'nssbg-lite', here: true, licence: 'Apache-2.0', commercial: true },
    { name: 'rmbg-1.4', here: false, licence: 'LicenseRef-bria-rmbg-1.4', commercial: false, reason: 'not pulled' },
  ],
  profiles: [{ name: 'amazon-main', title: 'Amazon main image', summary: 'Pure white, 2000 x 2000 JPEG' }],
  efforts: ['fast', 'balanced', 'best'],
  refines: ['none', 'guided', 'matting', 'auto'],
  foreground_methods: ['multilevel', 'blur-fusion', 'off'],
  aligns: ['center', 'bottom'],
  formats: ['png', 'webp', 'jpeg', 'tiff', 'avif'],
  enhance: new URLSearchParams(location.search).has('plain') ? [] : [
    { name: 'mock-x2', licence: 'Apache-2.0', upscales: [1, 2], denoise: true, deblock: true },
    { name: 'mock-x4', licence: 'MIT', upscales: [1, 2, 4], denoise: false, deblock: false },
  ],
  session_folder: '/home/anna/.cache/nssbg/studio-1',
  limits: { max_pixels: 300e6, max_bytes: 1e9 },
  samples: [],
  defaults,
};

/** @typedef {import('./interface.js').Picture & {image: ImageBitmap, file: Blob}} Held */
/** @type {Map<string, Held>} */
const held = new Map();
/** @type {Set<(event: import('./interface.js').EngineEvent) => void>} */
const listeners = new Set();
let serial = 0;
/** How long a picture takes; tests may set it. */
const speed = { step: Number(new URLSearchParams(location.search).get('step') ?? 40) };

/** @param {Held} picture @returns {import('./interface.js').Picture} */
function told({ image: _, file: __, ...picture }) {
  return structuredClone(picture);
}

/** @param {Held} picture */
const tell = (picture) => held.has(picture.id) && listeners.forEach((listener) => listener({ type: 'picture', picture: told(picture) }));

/** @type {Promise<any>} */
let line = Promise.resolve();
/** @param {Held} picture @param {number} revision */
function queue(picture, revision) {
  picture.state = 'queued';
  tell(picture);
  line = line.then(async () => {
    if (picture.state !== 'queued' || !held.has(picture.id)) return;
    for (const stage of ['decode', 'segment', 'refine', 'foreground']) {
      Object.assign(picture, { state: 'running', stage, progress: ['decode', 'segment', 'refine', 'foreground'].indexOf(stage) / 4 });
      tell(picture);
      await wait(speed.step);
      if (/** @type {string} */ (picture.state) === 'cancelled') return tell(picture);
    }
    if (picture.name.startsWith('broken')) {
      Object.assign(picture, { state: 'failed', error: { kind: 'unreadable', message: `${picture.name}: the file ends after 312 bytes; is it a whole JPEG?` } });
    } else {
      Object.assign(picture, {
        state: 'done',
        progress: 1,
        revision: revision + 1,
        result: {
          model: picture.edit.model === 'auto' ? 'nssbg-lite' : picture.edit.model,
          method: 'network',
          confidence: picture.name.startsWith('unsure') ? 0.41 : 0.96,
          low_confidence: picture.name.startsWith('unsure'),
          plan: { backend: 'onnxruntime', device: 'cpu', precision: 'float32', fallbacks: [] },
          timings: { decode: 14, prepare: 3, segment: 88, refine: 31, foreground: 26 },
          bbox: [0, 0, picture.width, picture.height],
        },
      });
    }
    return tell(picture);
  });
}

/** @param {Held} picture @param {import('./interface.js').Edit} edit @param {number} width @param {number} height @param {boolean} mask */
function cut(picture, edit, width, height, mask) {
  const canvas = new OffscreenCanvas(width, height);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext('2d', { willReadFrequently: true }));
  context.drawImage(picture.image, 0, 0, width, height);
  const data = context.getImageData(0, 0, width, height);
  const { data: d } = data;
  const scale = width / picture.width;
  const [r, g, b] = [d[0], d[1], d[2]];
  const soft = 30 + 100 * edit.softness;
  const { box, strokes } = edit.corrections;
  for (let at = 0; at < d.length; at += 4) {
    const distance = Math.abs(d[at] - r) + Math.abs(d[at + 1] - g) + Math.abs(d[at + 2] - b);
    let alpha = Math.max(0, Math.min(1, (distance - 40 - 40 * edit.choke) / soft));
    const x = ((at / 4) % width) / scale;
    const y = Math.floor(at / 4 / width) / scale;
    if (box && (x < box[0] || y < box[1] || x > box[2] || y > box[3])) alpha = 0;
    for (const { kind, radius, points } of strokes) {
      if (points.some(([px, py]) => (px - x) ** 2 + (py - y) ** 2 <= radius ** 2)) alpha = kind === 'keep' ? 1 : 0;
    }
    if (mask) {
      d[at] = d[at + 1] = d[at + 2] = 255 * alpha;
      d[at + 3] = 255;
    } else d[at + 3] = 255 * alpha;
  }
  context.putImageData(data, 0, 0);
  return canvas;
}

/** @param {Held} picture @param {import('./interface.js').Edit} edit @param {import('./interface.js').View} view @param {string} layer */
async function render(picture, edit, view, layer) {
  const began = performance.now();
  const framed = layer === 'framed' && edit.framing.canvas ? edit.framing.canvas.split('x').map(Number) : [picture.width, picture.height];
  const scale = 'fit' in view ? Math.min(1, view.fit / Math.max(...framed)) : view.scale;
  const rect = 'fit' in view ? { x: 0, y: 0, width: framed[0], height: framed[1] } : view;
  const whole = [Math.max(1, Math.round(picture.width * scale)), Math.max(1, Math.round(picture.height * scale))];
  const canvas = new OffscreenCanvas(Math.max(1, Math.round(rect.width * scale)), Math.max(1, Math.round(rect.height * scale)));
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext('2d'));
  const source = layer === 'original' ? picture.image : cut(picture, edit, whole[0], whole[1], layer === 'alpha');
  if (layer === 'framed') {
    if (typeof edit.framing.background === 'string' && edit.framing.background !== 'blur') {
      context.fillStyle = edit.framing.background;
      context.fillRect(0, 0, canvas.width, canvas.height);
    }
    const fit = edit.framing.canvas ? edit.framing.fill * Math.min(canvas.width / source.width, canvas.height / source.height) : 1;
    context.drawImage(source, (canvas.width - source.width * fit) / 2, (canvas.height - source.height * fit) / 2, source.width * fit, source.height * fit);
  } else context.drawImage(source, -rect.x * scale, -rect.y * scale, whole[0], whole[1]);
  return { image: await createImageBitmap(canvas), canvas, layerWidth: framed[0], layerHeight: framed[1], milliseconds: performance.now() - began };
}

/** @param {string} id */
function get(id) {
  const picture = held.get(id);
  if (!picture) throw new EngineError('missing', `No picture ${id}.`);
  return picture;
}

const batch = { state: /** @type {'idle' | 'running' | 'done'} */ ('idle'), done: 0, failed: 0, total: /** @type {number | null} */ (null), report: /** @type {string | null} */ (null) };

/** @type {import('./interface.js').Engine} */
export const engine = {
  offers: { batch: true, corrections: true, edge: true, shadow: true, backgrounds: ['none', 'color', 'blur', 'picture'], pause: false },
  about: async () => structuredClone(about),
  pictures: async () => [...held.values()].map(told),
  async add(file, { name, path, onProgress }) {
    for (const share of [0.3, 0.7, 1]) {
      onProgress?.(share);
      await wait(speed.step / 2);
    }
    let image;
    try {
      image = await createImageBitmap(file);
    } catch {
      throw new EngineError('unreadable', `${name} is no picture that can be read.`);
    }
    /** @type {Held} */
    const picture = {
      id: `p${++serial}`, name, path: path ?? null, width: image.width, height: image.height, bytes: file.size, state: 'queued', stage: null, progress: 0,
      error: null, revision: 0, edit: structuredClone(defaults), result: null, framed: null, image, file,
    };
    held.set(picture.id, picture);
    queue(picture, 0);
    return told(picture);
  },
  async remove(id) {
    held.delete(id);
    listeners.forEach((listener) => listener({ type: 'removed', id }));
  },
  clear: async () => held.clear(),
  async cancel(id) {
    const picture = get(id);
    if (['queued', 'running'].includes(picture.state)) Object.assign(picture, { state: 'cancelled' });
    tell(picture);
  },
  retry: async (id) => queue(Object.assign(get(id), { error: null }), get(id).revision),
  async setEdit(id, edit) {
    const picture = get(id);
    picture.edit = structuredClone(edit);
    queue(picture, picture.revision);
    return { revision: picture.revision + 1 };
  },
  preview: (id, edit, view, layer) => render(get(id), edit, view, layer),
  view: (id, view, layer) => render(get(id), get(id).edit, view, layer),
  async thumbnail(id, _, layer, size) {
    const { canvas } = await render(get(id), get(id).edit, { fit: size }, layer);
    return URL.createObjectURL(await canvas.convertToBlob());
  },
  async download(id, how) {
    const { format } = how;
    // For the tests: what the page asked for.
    Object.assign(globalThis, { lastDownload: how });
    const picture = get(id);
    const { canvas } = await render(picture, picture.edit, { fit: 1e6 }, 'framed');
    return { blob: await canvas.convertToBlob({ type: `image/${format}` }), name: `${picture.name.replace(/\.\w+$/, '')}-cutout.${format}` };
  },
  downloadAll: async () => ({ url: URL.createObjectURL(new Blob([...held.keys()])), name: 'cutouts.zip' }),
  addBackground: async () => ({ id: 'b1' }),
  sample: async ({ url }) => (await fetch(url)).blob(),
  sampleUrl: ({ url }) => url,
  async startBatch() {
    Object.assign(batch, { state: 'running', total: 12, done: 0 });
    const timer = setInterval(() => {
      batch.done += 1;
      if (batch.done === batch.total) {
        clearInterval(timer);
        Object.assign(batch, { state: 'done', report: '/home/anna/cutouts/report.html' });
      }
    }, 150);
  },
  batch: async () => ({ ...batch }),
  stopBatch: async () => {},
  subscribe(listener) {
    listeners.add(listener);
    setTimeout(() => listener({ type: 'ready' }), 0);
    return () => listeners.delete(listener);
  },
};
