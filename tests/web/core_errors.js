/** What the core refuses, in Node; prints each error's kind and words, and what memory is held after all. */
import { loadCore } from '../../web/core/core.js';

const core = await loadCore({ build: 'simd' });
const other = await loadCore({ build: 'plain' });
const pixels = (Type, height, width, channels) => ({ data: new Type(height * width * channels).fill(7), height, width, channels });
const rgb = pixels(Uint8Array, 8, 9, 3);
const rgba = pixels(Uint8Array, 8, 9, 4);
const alpha = pixels(Uint8Array, 8, 9, 1);
const released = core.array(rgb);
released.release();
released.release();
const foreign = other.array(rgb);

const attempts = {
  'samples that are not that many': () => core.array({ ...rgb, width: 10 }),
  'samples of no kind': () => core.array({ ...rgb, data: new Float64Array(216) }),
  'a size of nothing': () => core.array({ ...rgb, data: new Uint8Array(0), height: 0 }),
  'a released array': () => core.studio(released),
  'an array of another core': () => core.studio(foreign),
  'a wider background type': () => core.overImage(rgba, pixels(Uint16Array, 8, 9, 3)),
  'a narrower background type': () => core.overImage(pixels(Uint16Array, 8, 9, 4), rgb),
  'a row of another width': () => core.overImage(rgba, pixels(Uint8Array, 1, 4, 3)),
  'a layer of another type': () => core.overLayer(pixels(Uint16Array, 8, 9, 4), rgba),
  'a gradient without colours': () => core.overGradient(rgba, pixels(Uint8Array, 3, 1, 4), { radial: true }),
  'an alpha of another size': () => core.decontaminate(rgb, pixels(Uint8Array, 8, 8, 1)),
  'a float picture': () => core.studio(pixels(Float32Array, 8, 9, 3)),
  'a trimap of another type': () => core.refine(rgb, alpha, { trimap: pixels(Uint16Array, 8, 9, 1) }),
  'a level that is none': () => core.refine(rgb, alpha, { level: 'other' }),
  'an orientation that is none': () => core.orient(rgb, 9),
  'more memory than there is': () => core.prepare(rgb, { height: 40000, width: 40000 }),
  'rows that do not fit': () => core.pngUnfilter(new Uint8Array(10), { height: 3, rowBytes: 4, pixelBytes: 1 }),
  'threads without threads': () => loadCore({ build: 'simd', threads: 2 }),
};
const told = {};
for (const [what, attempt] of Object.entries(attempts)) {
  try {
    await attempt();
    told[what] = null;
  } catch (error) {
    told[what] = [error.name, error.kind ?? null, error.message];
  }
}
// One row over a whole cut-out, and the core still works.
const over = core.overImage(rgba, pixels(Uint8Array, 1, 9, 3));
const shape = [over.height, over.width, over.channels];
over.release();
console.log(JSON.stringify({ told, held: core.heldBytes, shape }));
process.exit(0);
