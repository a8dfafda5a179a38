/**
 * Decodes the PNG files of a folder with web/core/png.js, in Node.
 *
 *   node decode_png.js FOLDER
 *
 * writes NAME.rgb and NAME.alpha beside each; prints what else was found, or what was wrong.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadCore } from '../../web/core/core.js';
import { decodePng } from '../../web/core/png.js';

const [folder] = process.argv.slice(2);
const core = await loadCore({ build: 'simd' });
const told = {};
for (const name of readdirSync(folder).filter((file) => file.endsWith('.png'))) {
  try {
    const { rgb, alpha, gray, profile, exif, dpi } = await decodePng(core, new Uint8Array(readFileSync(join(folder, name))), { name, maxPixels: 1e6 });
    writeFileSync(join(folder, `${name}.rgb`), rgb.data);
    if (alpha) writeFileSync(join(folder, `${name}.alpha`), alpha.data);
    const text = (bytes) => bytes && Buffer.from(bytes).toString('latin1');
    told[name] = { shape: [rgb.height, rgb.width], bits: 8 * rgb.data.BYTES_PER_ELEMENT, alpha: alpha !== null, gray, profile: text(profile), exif: text(exif), dpi };
  } catch (error) {
    told[name] = { error: error.message, kind: error.kind };
  }
}
console.log(JSON.stringify(told));
process.exit(0);
