/**
 * Makes what edits of the page ask for in the engine's worker, in Node.
 *
 *   node edit_cutout.js FOLDER DIST BUILD THREADS
 *
 * FOLDER/edits.json: [{name, file, edit, background}], each with the name of a PNG file of the folder. Writes NAME-web.png and, where the
 * edit frames it, NAME-framed-web.png; prints what the worker said of each, and how long it took.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { cutoutRequest, frameRequest, isFramed } from '../../web/engine/wasm/asking.js';

const [folder, dist, build, threads] = process.argv.slice(2);
const worker = new Worker(new URL('../../web/engine/wasm-worker.js', import.meta.url));
const at = (path) => new URL(path, pathToFileURL(`${dist}/`)).href;
let count = 0;

/** What the worker says last to a request, and the stages it named before. */
function ask(request) {
  const id = ++count;
  return new Promise((resolve, reject) => {
    const stages = [];
    const listener = (answer) => {
      if (answer.id !== id) return;
      if (answer.type === 'stage') return stages.push(answer.stage);
      worker.off('message', listener);
      resolve({ ...answer, stages });
    };
    worker.on('message', listener);
    worker.once('error', reject);
    worker.postMessage({ ...request, id });
  });
}

const network = { runtime: at('runtime/'), network: at('models/nssbg-lite.onnx'), description: JSON.parse(readFileSync(join(dist, 'models', 'nssbg-lite.json'), 'utf8')) };
await ask({ type: 'open', core: at('core/'), ...network, build, threads: Number(threads) });
const presets = JSON.parse(readFileSync(join(dist, 'presets.json'), 'utf8'));
const told = [];
for (const { name, file, edit, background } of JSON.parse(readFileSync(join(folder, 'edits.json'), 'utf8'))) {
  const blobOf = (given) => new Blob([readFileSync(join(folder, given))]);
  const picture = { id: file, name: file, file: blobOf(file) };
  const { png, ...said } = await ask(cutoutRequest(picture, edit, 50e6));
  if (png) {
    writeFileSync(join(folder, `${name}-web.png`), png);
    if (isFramed(edit)) {
      const backgrounds = new Map(background ? [['b1', { file: blobOf(background), name: background }]] : []);
      const { png: framed, ...rest } = await ask(frameRequest(picture, new Blob([png]), edit, { presets, backgrounds, maxPixels: 50e6 }));
      if (framed) writeFileSync(join(folder, `${name}-framed-web.png`), framed);
      said.framed = rest;
    }
  }
  told.push({ name, ...said });
}
console.log(JSON.stringify(told));
process.exit(0);
