/**
 * WebGPU, where it is as good as WebAssembly: tried on a probe picture, and left with a reason where it is not.
 *
 * The runtime that has it (onnxruntime-web on JavaScript promise integration) is loaded in place of the other one, not
 * beside it; it runs networks on the processor as well.
 */
import { Network } from '../../core/network.js';

/** @typedef {import('../../core/core.js').Core} Core */
/** @typedef {import('../../core/network.js').Description} Description */

/** Of the map, 0 to 1: what WebGPU's values may differ by. */
export const BOUND = 2 / 255;
const SIDE = 256;
/** Milliseconds that a device gets for the probe, its shaders compiled; some never answer. */
const LONGEST = { device: 20_000, software: 90_000 };

/** Whether a network could run there: an adapter that is no software, and the promises that the runtime needs. @param {boolean} software take one of those as well */
export async function webgpuHere(software) {
  const { gpu } = /** @type {any} */ (navigator);
  if (!gpu || !('Suspending' in WebAssembly)) return false;
  const adapter = await gpu.requestAdapter().catch(() => null);
  return !!adapter && (software || !(adapter.info?.isFallbackAdapter ?? adapter.isFallbackAdapter ?? false));
}

/** What was tried went wrong halfway: its runtime is not to be trusted any more, the worker starts anew without it. */
export class WebgpuError extends Error {
  kind = 'webgpu';
}

/**
 * @param {any} ort a runtime that has WebGPU
 * @param {Core} core @param {Uint8Array} file @param {Description} description
 * @param {Network} plain the same network on the processor
 * @param {boolean} software the adapter may be one
 * @returns {Promise<{network: Network | null, note: string}>} null: WebGPU is left, and why
 */
export async function tryWebgpu(ort, core, file, description, plain, software) {
  const longest = LONGEST[software ? 'software' : 'device'];
  const here = await probed(core, plain);
  /** @type {Network} */
  let network;
  /** @type {{map: Float32Array, ms: number}} */
  let there;
  try {
    network = await inTime(Network.open(ort, file, description, ['webgpu']), longest);
    there = await inTime(probed(core, network), longest);
  } catch (error) {
    throw new WebgpuError(`WebGPU is left out: ${error instanceof Error ? error.message : error}`);
  }
  let apart = 0;
  for (let i = 0; i < here.map.length; i++) {
    const difference = Math.abs(there.map[i] - here.map[i]);
    // Written so that a value that is no number counts.
    if (!(difference <= apart)) apart = difference;
  }
  const times = `${Math.round(there.ms)} ms a pass, ${Math.round(here.ms)} ms on the processor`;
  if (apart <= BOUND && there.ms < here.ms) return { network, note: `WebGPU: ${times}, values within ${(255 * apart).toFixed(2)}/255` };
  await network.close();
  return { network: null, note: `WebGPU is left out: ${apart <= BOUND ? `it is no faster: ${times}` : `its values differ by ${(255 * apart).toFixed(1)}/255 from the processor’s`}` };
}

/** @template T @param {Promise<T>} work @param {number} longest milliseconds @returns {Promise<T>} */
function inTime(work, longest) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`no answer within ${longest / 1000} s`)), longest);
    work.then(resolve, reject).finally(() => clearTimeout(late));
  });
}

/** A network's map of a picture with an edge and grain, and how long it took once it was warm. @param {Core} core @param {Network} network */
async function probed(core, network) {
  const data = new Uint8Array(3 * SIDE * SIDE);
  for (let y = 0, i = 0; y < SIDE; y++) {
    for (let x = 0; x < SIDE; x++) {
      const inside = (x - SIDE / 2) ** 2 + (y - SIDE / 2) ** 2 < (SIDE / 3) ** 2;
      for (let c = 0; c < 3; c++) data[i++] = (inside ? 40 + 60 * c : 200) + ((x * 7 + y * 13) & 7);
    }
  }
  const tensor = network.prepare(core, { data, height: SIDE, width: SIDE, channels: 3 });
  try {
    let ms = 0;
    /** @type {Float32Array} */
    let map = new Float32Array(0);
    for (let run = 0; run < 2; run++) {
      const began = performance.now();
      const { maps } = await network.maps(core, tensor, 'fast');
      ms = performance.now() - began;
      map = /** @type {Float32Array} */ (maps.copy());
      maps.release();
    }
    return { map, ms };
  } finally {
    tensor.release();
  }
}
