/**
 * Cuts recorded pictures out by the studio method on one build, in Node, from pixels to the PNG file.
 *
 *   node studio_cutout.js FOLDER BUILD THREADS
 *
 * prints for each picture whether its alpha and its file have the native bytes.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadCore } from '../../web/core/core.js';
import { encodePng } from '../../web/core/png.js';

const [folder, build, threads] = process.argv.slice(2);
const core = await loadCore({ build: /** @type {any} */ (build), threads: Number(threads) });
const bytes = ({ file }) => readFileSync(join(folder, file));

const told = [];
for (const { name, image, alpha, png } of JSON.parse(readFileSync(join(folder, 'calls.json'), 'utf8'))) {
  const [height, width, channels] = image.shape;
  const rgb = core.array({ data: new Uint8Array(bytes(image)), height, width, channels });
  const made = core.studio(rgb).alpha;
  const sameAlpha = bytes(alpha).equals(made.copy());
  const rgba = core.decontaminate(rgb, made);
  const file = await encodePng(core, rgba);
  told.push({ name, alpha: sameAlpha, png: bytes(png).equals(file) });
  for (const array of [rgb, made, rgba]) array.release();
}
if (core.heldBytes !== 0) throw new Error(`${core.heldBytes} bytes were not released`);
console.log(JSON.stringify(told));
process.exit(0);
