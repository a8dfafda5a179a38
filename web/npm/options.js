/**
 * What may be asked of a cut-out in the browser: names and values are held to what the engine can do, the rest is
 * refused by its name.
 */
import { EngineError } from '../engine/interface.js';

/** @typedef {'auto' | 'studio' | 'nssbg-lite'} Model */
/** @typedef {'fast' | 'balanced' | 'best'} Effort */
/** @typedef {'center' | 'top' | 'bottom' | 'left' | 'right' | 'top-left' | 'top-right' | 'bottom-left' | 'bottom-right'} Align */

/**
 * Where the engine's files are and what it may take: one engine runs for each `publicPath` and `device`.
 * @typedef {object} EngineOptions
 * @property {string | URL} [publicPath] folder that the package's `files` were copied to, of the page's origin; else each file
 *   is looked for where the package, or the bundler that took it in, has it
 * @property {'auto' | 'cpu' | 'gpu'} [device] "auto": WebGPU where its values agree with the processor's and it is faster
 */

/**
 * A canvas that the subject is placed on.
 * @typedef {object} Canvas
 * @property {number} width pixels
 * @property {number} height pixels
 * @property {number} [fill] share of the canvas that the subject takes in the direction that limits it; 0.85
 * @property {Align | [number, number]} [align] or shares (down, across) of the free space; "center"
 * @property {boolean} [enlarge] whether a smaller subject is scaled up; yes
 * @property {number} [scale] pixels of the canvas for one of the picture, in place of fill
 * @property {number} [baseline] row that the subject's lower edge stands on, in place of the vertical alignment
 */

/**
 * One picture's options; the names are those of the Python package.
 * @typedef {object} CutoutOptions
 * @property {Model} [model] "auto": the better of the weights-free method's answer and the network's
 * @property {Effort} [effort] "balanced"; "fast" on devices with 2 GB of memory or less
 * @property {'none' | 'guided' | 'matting' | 'auto'} [refine] level of the full-size refinement; "guided"
 * @property {'multilevel' | 'blur-fusion' | 'off'} [foreground] method that estimates colours of the soft band; "multilevel"
 * @property {number} [decontaminate] share of the estimated colour, 0 to 1; 1
 * @property {boolean} [trim] cut the empty border off
 * @property {Canvas | null} [canvas] trims by itself
 * @property {number | [number, number, number, number]} [padding] pixels, or top, right, bottom, left
 * @property {number | null} [longestSide] scale down until the longer side has this many pixels
 * @property {string | [number, number, number] | null} [background] "#rrggbb", "#rgb" or numbers 0 to 255; none: transparent
 * @property {number} [maxPixels] larger pictures are refused; 50 megapixels, 16 on devices with 2 GB of memory or less
 * @property {string} [name] of the picture, for errors
 */

/** @typedef {{stage: string, loaded?: number, total?: number}} Progress "load" with bytes of the engine's files, then stages */

/**
 * @typedef {object} RunOptions
 * @property {AbortSignal} [signal] ends the work, also in the middle of a picture
 * @property {(progress: Progress) => void} [onProgress]
 */

/** @typedef {CutoutOptions & RunOptions} PictureOptions */
/** @typedef {EngineOptions & PictureOptions} Options */

/** What browsers tell of the device's memory, in GB; 8 where they do not. */
export const isWeak = () => (/** @type {any} */ (globalThis.navigator)?.deviceMemory ?? 8) <= 2;

const CHOICES = {
  model: ['auto', 'studio', 'nssbg-lite'],
  effort: ['fast', 'balanced', 'best'],
  refine: ['none', 'guided', 'matting', 'auto'],
  foreground: ['multilevel', 'blur-fusion', 'off'],
};
const FRAMING = ['trim', 'canvas', 'padding', 'longestSide'];
const KNOWN = [...Object.keys(CHOICES), 'decontaminate', ...FRAMING, 'background', 'maxPixels', 'name', 'signal', 'onProgress'];
const ON_A_CANVAS = ['width', 'height', 'fill', 'align', 'enlarge', 'scale', 'baseline'];
/** Options of the package elsewhere that do not run in the browser. */
const ELSEWHERE = [
  ...['corrections', 'softness', 'choke', 'shadow', 'enhance', 'profile', 'matte', 'ignoreAlpha', 'premultiplied', 'kind'],
  ...['blurOriginal', 'fit', 'backend', 'precision', 'license', 'threads', 'maxMemory', 'format', 'quality'],
];
/** Names that say something else here. @type {Record<string, string>} */
const MEANT = { strength: 'decontaminate', longest_side: 'longestSide', max_pixels: 'maxPixels', bgcolor: 'background', progress: 'onProgress' };

/** @param {string} message @returns {never} */
function refuse(message) {
  throw new EngineError('invalid', message);
}

/** Every name of an object is one that is known. @param {Record<string, unknown>} given */
function refuseUnknown(given) {
  for (const [name, value] of Object.entries(given)) {
    if (KNOWN.includes(name) || value === undefined) continue;
    if (['publicPath', 'device'].includes(name)) refuse(`${name} is what a Remover is made with, not an option of one picture`);
    if (ELSEWHERE.includes(name)) throw new EngineError('unsupported', `${name} does not run in the browser; nssbg on your computer has it`);
    refuse(`there is no option ${name}; ${MEANT[name] ? `${MEANT[name]} is what it is called here` : `there are ${KNOWN.join(', ')}`}`);
  }
}

/** @param {EngineOptions} options @returns {{publicPath: string | null, device: 'auto' | 'cpu' | 'gpu'}} */
export function engineOptions({ publicPath, device = 'auto' }) {
  if (!['auto', 'cpu', 'gpu'].includes(device)) refuse(`device is "auto", "cpu" or "gpu", not ${JSON.stringify(device)}`);
  if (publicPath === undefined) return { publicPath: null, device };
  const here = globalThis.document?.baseURI ?? location.href;
  const folder = new URL(publicPath, here);
  if (!folder.pathname.endsWith('/')) folder.pathname += '/';
  if (folder.origin !== new URL(here).origin) refuse(`publicPath is ${folder.href}, of another origin than the page (${new URL(here).origin}); workers start from their page's own: copy the package's files there`);
  return { publicPath: folder.href, device };
}

/**
 * What is asked of the engine's worker.
 * @typedef {object} Request
 * @property {string} model
 * @property {number} maxPixels
 * @property {string} name
 * @property {{effort: Effort, refine: string, foreground: string, decontaminate: number}} options
 * @property {{trim: boolean, canvas: Canvas | null, padding: number | [number, number, number, number], longestSide: number | null} | null} frame
 *   null: as it is
 * @property {[number, number, number] | null} background
 */

/** @param {PictureOptions} given @returns {Request} */
export function requestOf(given) {
  refuseUnknown(/** @type {Record<string, unknown>} */ (given));
  const weak = isWeak();
  /** @type {CutoutOptions & Required<Pick<CutoutOptions, 'model' | 'effort' | 'refine' | 'foreground'>>} */
  const asked = { model: 'auto', effort: weak ? 'fast' : 'balanced', refine: 'guided', foreground: 'multilevel', ...defined(given) };
  for (const [name, choices] of Object.entries(CHOICES)) {
    const value = asked[/** @type {keyof typeof CHOICES} */ (name)];
    if (!choices.includes(value)) refuse(`${name} is ${choices.map((choice) => `"${choice}"`).join(', ')}, not ${JSON.stringify(value)}`);
  }
  const { model, effort, refine, foreground, decontaminate = 1, maxPixels = weak ? 16e6 : 50e6, name = 'the picture' } = asked;
  if (typeof decontaminate !== 'number' || !(decontaminate >= 0 && decontaminate <= 1)) refuse(`decontaminate is a share from 0 to 1, not ${JSON.stringify(decontaminate)}; foreground names the method`);
  if (!(maxPixels >= 1)) refuse(`maxPixels is a number of pixels from 1 on, not ${JSON.stringify(maxPixels)}`);
  return { model, maxPixels, name, options: { effort, refine, foreground: decontaminate === 0 ? 'off' : foreground, decontaminate }, ...frameOf(asked) };
}

/** @param {CutoutOptions} asked @returns {Pick<Request, 'frame' | 'background'>} */
function frameOf({ trim = false, canvas = null, padding = 0, longestSide = null, background = null }) {
  if (typeof trim !== 'boolean') refuse(`trim is true or false, not ${JSON.stringify(trim)}`);
  if (canvas !== null) {
    const extra = Object.keys(canvas).find((name) => !ON_A_CANVAS.includes(name));
    if (extra) refuse(`a canvas has no ${extra}; it has ${ON_A_CANVAS.join(', ')}`);
  }
  if (longestSide !== null && !(Number.isInteger(longestSide) && longestSide >= 1)) refuse(`longestSide is a whole number of pixels from 1 on, not ${JSON.stringify(longestSide)}`);
  const sides = typeof padding === 'number' ? [padding, padding, padding, padding] : padding;
  if (!Array.isArray(sides) || sides.length !== 4) refuse(`padding is a number of pixels, or [top, right, bottom, left], not ${JSON.stringify(padding)}`);
  const colour = background === null ? null : colourOf(background);
  const framed = trim || canvas !== null || longestSide !== null || colour !== null || sides.some((side) => side !== 0);
  return { frame: framed ? { trim, canvas, padding, longestSide } : null, background: colour };
}

/** @param {string | [number, number, number]} background @returns {[number, number, number]} */
function colourOf(background) {
  const said = JSON.stringify(background);
  if (Array.isArray(background)) {
    if (background.length !== 3 || !background.every((part) => Number.isInteger(part) && part >= 0 && part <= 255)) refuse(`a background's colour has three whole numbers from 0 to 255, not ${said}`);
    return background;
  }
  if (background === 'blur' || typeof background === 'object') throw new EngineError('unsupported', `background: ${said} does not run in the browser; a colour does, as "#rrggbb"`);
  const digits = /^#(?:([0-9a-f])([0-9a-f])([0-9a-f])|([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2}))$/i.exec(background);
  if (!digits) return refuse(`background is a colour, as "#rrggbb" or [255, 255, 255], not ${said}`);
  const parts = digits[1] ? digits.slice(1, 4).map((digit) => digit + digit) : digits.slice(4, 7);
  return /** @type {[number, number, number]} */ (parts.map((part) => Number.parseInt(part, 16)));
}

/** Without what is undefined, which is as good as not said. @template {object} T @param {T} given @returns {T} */
function defined(given) {
  return /** @type {T} */ (Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)));
}
