/** What an edit of the page asks of the engine's worker: the cut-out, and how its result looks. */
import { BLUR_SHARE } from '../../core/background.js';

/** @typedef {import('../interface.js').Edit} Edit */
/** @typedef {import('../interface.js').Framing} Framing */
/**
 * What a preset says of its first file, as its TOML has it; what is left out is nothing.
 * @typedef {{canvas?: [number, number], fill?: number, align?: string, enlarge?: boolean, trim?: boolean, padding?: number,
 *   longest_side?: number, background?: string, shadow?: 'none' | 'drop' | 'contact'}} PresetOutput
 */
/** @typedef {{name: string, summary: string, output: PresetOutput}} Preset */
/** @typedef {{frame: import('../../core/framing.js').Frame, shadow: 'drop' | 'contact' | null, background: Framing['background'], blur: number}} Looks */

const FILL = 0.85;

/**
 * How a result looks, the preset's part of it told.
 * @param {Framing} framing @param {Preset[]} presets @returns {Looks}
 */
export function looksOf({ trim, profile, canvas, fill, align, shadow, background, blur }, presets) {
  const preset = presets.find(({ name }) => name === profile)?.output ?? null;
  /** @type {import('../../core/framing.js').Canvas | null} */
  let board = null;
  if (preset?.canvas) {
    const [width, height] = preset.canvas;
    const stands = /** @type {import('../../core/framing.js').Align} */ (align ?? preset.align ?? 'center');
    board = { width, height, fill: fill ?? preset.fill ?? FILL, align: stands, enlarge: preset.enlarge ?? true };
  }
  if (canvas) {
    const [width, height] = canvas.split('x').map(Number);
    board = { width, height, fill: fill ?? preset?.fill ?? FILL, align: /** @type {import('../../core/framing.js').Align} */ (align ?? 'center') };
  }
  const own = preset?.shadow && preset.shadow !== 'none' ? preset.shadow : null;
  return {
    frame: { trim: trim || (preset?.trim ?? false), canvas: board, padding: preset?.padding ?? 0, longestSide: preset?.longest_side ?? null },
    shadow: shadow || own,
    background: background ?? preset?.background ?? null,
    blur: blur ?? BLUR_SHARE,
  };
}

/** Whether the result is another than the cut-out. @param {Edit} edit */
export const isFramed = ({ framing: { trim, canvas, background, shadow, profile } }) => trim || canvas !== null || background !== null || shadow !== false || profile !== null;

/** What the worker cuts out. @param {{id: string, file: Blob, name: string}} picture @param {Edit} edit @param {number} maxPixels */
export function cutoutRequest({ id, file, name }, { model, effort, refine, foreground, decontaminate, corrections, softness, choke }, maxPixels) {
  const options = { effort, refine, foreground: decontaminate === 0 ? 'off' : foreground, decontaminate, corrections };
  return { type: 'picture', key: id, file, name, maxPixels, model, options, edge: { choke, softness } };
}

/**
 * What frames a cut-out as an edit has it.
 * @param {{name: string, file: Blob}} picture @param {Blob} cutout its PNG file @param {Edit} edit
 * @param {{presets: Preset[], backgrounds: Map<string, {file: Blob, name: string}>, maxPixels: number}} known
 */
export function frameRequest({ name, file: photograph }, cutout, { framing }, { presets, backgrounds, maxPixels }) {
  const { frame, shadow, background: wanted, blur } = looksOf(framing, presets);
  /** @type {import('./composing.js').Asked['background']} */
  let background = null;
  if (wanted === 'blur') background = { blur, file: photograph };
  else if (typeof wanted === 'string') background = /** @type {[number, number, number]} */ ([1, 3, 5].map((at) => Number.parseInt(wanted.slice(at, at + 2), 16)));
  else if (wanted) {
    const { file, name: called } = /** @type {{file: Blob, name: string}} */ (backgrounds.get(wanted.picture));
    background = { picture: file, name: called };
  }
  return { type: 'frame', file: cutout, name, frame, shadow: shadow && { kind: shadow }, background, maxPixels };
}
