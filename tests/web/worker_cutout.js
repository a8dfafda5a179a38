/**
 * Cuts recorded pictures out in the engine's worker, in Node, each by its model and effort.
 *
 *   node worker_cutout.js FOLDER DIST BUILD THREADS
 *
 * writes NAME-MODEL-EFFORT-web.png beside the recorded files; prints what the worker said of each.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';

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

const description = JSON.parse(readFileSync(join(dist, 'models', 'nssbg-lite.json'), 'utf8'));
const opened = await ask({ type: 'open', core: at('core/'), runtime: at('runtime/'), network: at('models/nssbg-lite.onnx'), description, build, threads: Number(threads) });
const told = [opened];
for (const { name, model, effort, image, frame = null } of JSON.parse(readFileSync(join(folder, 'calls.json'), 'utf8'))) {
  const [height, width, channels] = image.shape;
  const data = new Uint8Array(readFileSync(join(folder, image.file)));
  const { png, ...rest } = await ask({ type: 'cutout', image: { data, height, width, channels }, model, options: { effort, frame } });
  if (png) writeFileSync(join(folder, `${name}-${model}-${effort}-web.png`), png);
  told.push(rest);
}
told.push(await ask({ type: 'cutout', png: new Uint8Array(40), name: 'broken.png', model: 'studio' }));
told.push(await ask({ type: 'cutout', image: { data: new Uint8Array(12), height: 2, width: 2, channels: 3 }, model: 'birefnet' }));
told.push(await ask({ type: 'cutout', image: { data: new Uint8Array(12), height: 2, width: 2, channels: 3 }, model: 'nssbg-lite', options: { effort: 'utmost' } }));
told.push(await ask({ type: 'cutout', image: { data: new Uint8Array(12), height: 2, width: 2, channels: 3 }, model: 'studio', options: { frame: { canvas: { width: 99999, height: 5 } } } }));
console.log(JSON.stringify(told));
process.exit(0);
