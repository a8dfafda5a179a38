/**
 * Times the stages of one picture in WebAssembly, in Node, for `python -m bench.web_core`.
 *
 *   node web_core.js FOLDER BASE BUILD THREADS ROUNDS
 *
 * FOLDER has image.bin and coarse.bin with their sizes in sizes.json; prints milliseconds by stage, each the
 * least of all rounds, as JSON.
 */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { loadCore } from '../web/core/core.js';
import { joinedMaps } from '../web/core/maps.js';
import { loadRuntime, Network } from '../web/core/network.js';
import { encodePng } from '../web/core/png.js';

const [folder, base, build, threads, rounds] = process.argv.slice(2);
const began = performance.now();
const core = await loadCore({ build: /** @type {any} */ (build), threads: Number(threads), base: pathToFileURL(`${base}/`) });
const least = { load: performance.now() - began };
const sizes = JSON.parse(readFileSync(join(folder, 'sizes.json'), 'utf8'));
const read = (name) => ({ data: new Uint8Array(readFileSync(join(folder, `${name}.bin`))), ...sizes[name] });
const image = core.array(read('image'));
const coarse = core.array(read('coarse'));

/** @template T @param {string} stage @param {() => T} work @returns {Promise<Awaited<T>>} */
async function timed(stage, work) {
  const start = performance.now();
  const result = await work();
  least[stage] = Math.min(least[stage] ?? Infinity, performance.now() - start);
  return result;
}

/** The bundled network, where `make web` could bring a runtime for it. */
async function network() {
  const dist = new URL('../', pathToFileURL(`${base}/`));
  if (!existsSync(new URL('runtime/package.txt', dist))) return null;
  const ort = await loadRuntime(new URL('runtime/', dist), 1);
  const description = JSON.parse(readFileSync(new URL('models/nssbg-lite.json', dist), 'utf8'));
  return Network.open(ort, readFileSync(new URL('models/nssbg-lite.onnx', dist)), description);
}

/** @param {Network} net @param {import('../web/core/native-array.js').NativeArray} input */
async function segmented(net, input) {
  const { maps } = await net.maps(core, input, 'fast');
  const map = joinedMaps(maps, 'uint8');
  maps.release();
  return map;
}

const net = await network();
for (let round = 0; round < Number(rounds); round++) {
  const studio = await timed('studio', () => core.studio(image));
  const input = await timed('prepare', () => core.prepare(image, { height: 384, width: 384, filter: 'bilinear' }));
  if (net) (await timed('segment', () => segmented(net, input))).release();
  const guided = await timed('refine guided', () => core.refine(image, coarse));
  const matting = await timed('refine matting', () => core.refine(image, coarse, { level: 'matting' }));
  const rgba = await timed('foreground', () => core.decontaminate(image, guided.alpha));
  await timed('png', () => encodePng(core, rgba));
  for (const array of [studio.alpha, input, guided.alpha, matting.alpha, rgba]) array?.release();
}
console.log(JSON.stringify({ least, memory: core.memoryBytes }));
process.exit(0);
