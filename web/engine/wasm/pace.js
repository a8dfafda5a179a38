/** How fast this device is, from one small cut-out: what a picture will take before it is run. */
import { cutout } from '../../core/cutout.js';

/** @typedef {import('../../core/core.js').Core} Core */
/** @typedef {{pass: number, perMegapixel: number}} Pace milliseconds of a network's passes, and of all else a megapixel */

const SIDE = 512;
/** Stages whose time has nothing to do with the picture's size. */
const OF_THE_PASS = ['prepare', 'segment', 'second pass', 'post-process'];

/**
 * @param {Core} core @param {import('../../core/network.js').Network | null} network
 * @param {import('../../core/maps.js').Effort} effort
 * @returns {Promise<Pace>}
 */
export async function paceOf(core, network, effort) {
  const data = new Uint8Array(3 * SIDE * SIDE);
  // A disc with grain on a plain ground: an edge to refine, and something to compress.
  let grain = 1;
  for (let y = 0, i = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      grain = (Math.imul(grain, 1103515245) + 12345) & 0x7fffffff;
      const inside = (x - SIDE / 2) ** 2 + (y - SIDE / 2) ** 2 < (SIDE / 3) ** 2;
      for (let c = 0; c < 3; c++) data[i++] = (inside ? 40 + 60 * c : 200) + ((grain >> 16) & 7);
    }
  }
  const held = core.array({ data, height: SIDE, width: SIDE, channels: 3 });
  /** @type {Pace} */
  let pace = { pass: Infinity, perMegapixel: Infinity };
  try {
    // The first run compiles what the others measure; the least is what the device can, whatever else it did.
    for (let run = 0; run < 3; run++) {
      const { rgba, timings } = await cutout(core, network, held, { effort });
      const began = performance.now();
      core.pngEncode(rgba);
      const encode = performance.now() - began;
      rgba.release();
      const pass = OF_THE_PASS.reduce((sum, name) => sum + (timings[name] ?? 0), 0);
      const rest = Object.values(timings).reduce((sum, ms) => sum + ms, 0) - pass + encode;
      pace = { pass: Math.min(pace.pass, pass), perMegapixel: Math.min(pace.perMegapixel, rest / ((SIDE * SIDE) / 1e6)) };
    }
  } finally {
    held.release();
  }
  return pace;
}
