/**
 * Repeats recorded calls of the native core on one build of the WebAssembly core, in Node.
 *
 *   node replay.js FOLDER BUILD THREADS
 *
 * prints one JSON object: how many calls of each operation were repeated, and every difference.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { defocus, radiiOfPlane, resampleToFit, shadowLayer, shadowRoom } from '../../web/core/background.js';
import { loadCore } from '../../web/core/core.js';
import { choked, correctedAlpha, CorrectionGrid, edgePixels, painted, regionOfBox } from '../../web/core/corrections.js';
import { draw, placement, scaled, sizeWithin } from '../../web/core/framing.js';
import { coarseAlpha, confidence, joinedMaps, SecondPass, select, selectorFeatures } from '../../web/core/maps.js';
import { NativeArray } from '../../web/core/native-array.js';

const [folder, build, threads] = process.argv.slice(2);
const core = await loadCore({ build: /** @type {any} */ (build), threads: Number(threads) });
const STORED = { uint8: Uint8Array, uint16: Uint16Array, float32: Float32Array };

const digest = (data) => createHash('sha256').update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength)).digest('hex');

/** Bytes of a recorded file. */
const bytes = ({ file }) => new Uint8Array(readFileSync(join(folder, file)));

/** A recorded array in the core's memory; of two axes it is one channel. */
function array({ file, dtype, shape }) {
  const content = bytes({ file });
  const [height, width, channels = 1] = shape;
  return core.array({ data: new STORED[dtype](content.buffer), height, width, channels });
}

/** One forward pass's map, or two's: the second as the network gives the mirrored picture's. */
function maps(alpha, flipped) {
  const [height, width] = alpha.shape;
  const planes = new NativeArray(core, 'float32', height, width, flipped ? 2 : 1, true);
  const cells = (stored) => new Float32Array(bytes(stored).buffer);
  planes.view().set(cells(alpha));
  if (flipped) {
    const mirrored = cells(flipped);
    for (let row = 0; row < mirrored.length; row += width) mirrored.subarray(row, row + width).reverse();
    planes.view().set(mirrored, height * width);
  }
  return planes;
}

/** @type {Record<string, (get: (index: number, name: string, otherwise?: any) => any) => {outputs: any[], answer?: any}>} */
const operations = {
  studio_alpha(get) {
    const { alpha, shadow, measures } = core.studio(array(get(0, 'rgb')), { chroma: get(1, 'chroma'), shadow: get(2, 'shadow'), leastBorder: get(4, 'least_border') });
    return { outputs: [alpha, shadow], answer: measures };
  },
  refine(get) {
    const trimap = get(2, 'trimap');
    const { alpha, report } = core.refine(array(get(0, 'image')), array(get(1, 'coarse')), { trimap: trimap && array(trimap), level: get(3, 'level'), tile: get(5, 'tile') });
    return { outputs: [alpha], answer: report };
  },
  decontaminate(get) {
    const image = array(get(0, 'image'));
    const wanted = get(2, 'background', null);
    const background = wanted && new NativeArray(core, image.dtype, image.height, image.width, 3);
    const rgba = core.decontaminate(image, array(get(1, 'alpha')), { background, method: get(3, 'method', 'multilevel'), strength: get(4, 'strength', 1), extend: get(5, 'extend', false) });
    return { outputs: [rgba, background] };
  },
  clean_components(get) {
    const alpha = array(get(0, 'alpha'));
    const answer = core.cleanComponents(alpha, {
      holes: get(1, 'holes'), level: get(2, 'level'), leastArea: get(3, 'least_area'), keepLargest: get(4, 'keep_largest'),
      deepest: get(5, 'deepest', 0), ofLargest: get(6, 'of_largest', 0), faint: get(7, 'faint', 0),
    });
    return { outputs: [alpha], answer };
  },
  post_process(get) {
    const alpha = array(get(0, 'alpha'));
    core.postProcess(alpha);
    return { outputs: [alpha] };
  },
  coarse_alpha(get) {
    const stored = get(0, 'maps');
    const [count, cells] = stored.shape;
    const planes = new NativeArray(core, 'float32', 1, cells, count, true);
    planes.view().set(new Float32Array(bytes(stored).buffer));
    const answer = coarseAlpha(planes, { activation: get(1, 'activation'), range: get(2, 'range') });
    return { outputs: [planes], answer };
  },
  joined_maps: (get) => ({ outputs: [joinedMaps(maps(get(0, 'alpha'), get(1, 'flipped')), get(2, 'in_bytes') ? 'uint8' : 'float32')] }),
  confidence: (get) => ({ outputs: [], answer: confidence(maps(get(0, 'alpha'), get(1, 'flipped')), { single: get(2, 'single'), flip_tta: get(3, 'flip_tta') }) }),
  selector_features: (get) => ({ outputs: [], answer: selectorFeatures(array(get(0, 'studio')), get(1, 'studio_confidence'), array(get(2, 'network')), get(3, 'network_overlap')) }),
  select: (get) => ({ outputs: [], answer: select(core, get(0, 'features'), { studio_is_better: get(1, ''), studio_overlap: get(2, ''), network_overlap: get(3, '') }) }),
  second_pass(get) {
    const pass = new SecondPass(array(get(0, 'first')), { height: get(1, 'height'), width: get(2, 'width'), effort: get(3, 'effort'), weights: { single: get(4, 'single') } });
    for (const turn of get(6, 'turns')) {
      const { top, left, bottom, right } = /** @type {any} */ (pass.next());
      if (!same([top, left, bottom, right], turn.part)) throw new Error(`runs on ${[top, left, bottom, right]}, not on ${turn.part}`);
      pass.answer(array(turn.map));
    }
    if (pass.next() !== null) throw new Error('goes on where the native one ended');
    const { map, report } = pass.result('float32');
    pass.release();
    return { outputs: [map], answer: report };
  },
  remove_stray_alpha(get) {
    const alpha = array(get(0, 'alpha'));
    core.removeStrayAlpha(alpha, { level: get(1, 'level'), reach: get(2, 'reach') });
    return { outputs: [alpha] };
  },
  merge_alpha: (get) => ({ outputs: [core.mergeAlpha(array(get(0, 'alpha')), array(get(1, 'existing')))] }),
  feather: (get) => ({ outputs: [core.feather(array(get(0, 'alpha')), get(1, 'sigma'))] }),
  choke: (get) => ({ outputs: [choked(core, array(get(0, 'alpha')), get(1, 'pixels'))] }),
  edge_pixels(get) {
    const { choke, softness } = edgePixels(core, { choke: get(0, 'choke'), softness: get(1, 'softness') }, { height: get(2, 'height'), width: get(3, 'width') });
    return { outputs: [], answer: [choke, softness] };
  },
  region_of_box(get) {
    const { part, inner } = regionOfBox(core, get(0, 'box'), get(1, 'height'), get(2, 'width'));
    return { outputs: [], answer: [part, inner].flatMap(({ top, left, bottom, right }) => [top, left, bottom, right]) };
  },
  paint(get) {
    const strokes = get(0, 'strokes').map(([keep, radius, points]) => ({ kind: keep ? 'keep' : 'drop', radius, points }));
    return { outputs: [painted(core, strokes, get(1, 'height'), get(2, 'width'), { origin: get(3, 'origin'), scale: get(4, 'scale') })] };
  },
  correction_grid(get) {
    const grid = new CorrectionGrid(array(get(0, 'image')), array(get(1, 'alpha')), get(2, 'full_size'));
    const [keep, drop, mask] = get(4, 'said');
    const { coarse, changed } = grid.apply({ keep, drop, mask: mask && array(mask) });
    grid.release();
    return { outputs: [coarse, changed], answer: [grid.height, grid.width] };
  },
  corrected_alpha(get) {
    const [changed, mask] = [get(4, 'changed'), get(7, 'mask')].map((given) => given && array(given));
    const said = { keep: get(5, 'keep'), drop: get(6, 'drop'), mask };
    const how = { before: array(get(1, 'before')), fullSize: get(2, 'full_size'), coarse: array(get(3, 'coarse')), changed, said, level: get(8, 'level') };
    const { alpha, report } = correctedAlpha(array(get(0, 'image')), how);
    return { outputs: [alpha], answer: report };
  },
  shadow_layer(get) {
    const [kind, opacity, softness, ...offset] = get(1, 'shadow');
    const alpha = array(get(0, 'alpha'));
    // Samples of 16 bits lie on those of 8 in the calls that are made here.
    const color = get(2, 'color').map((sample) => (alpha.dtype === 'uint16' ? sample / 257 : sample));
    return { outputs: [shadowLayer(alpha, { kind, opacity, softness, offset: /** @type {any} */ (offset), color })] };
  },
  shadow_room(get) {
    const [top, left, bottom, right] = get(0, 'box');
    const [kind, opacity, softness, ...offset] = get(3, 'shadow');
    const whole = { height: get(1, 'height'), width: get(2, 'width') };
    return { outputs: [], answer: shadowRoom(core, { top, left, bottom, right }, whole, { kind, opacity, softness, offset: /** @type {any} */ (offset) }) };
  },
  radii_of_plane: (get) => ({ outputs: [radiiOfPlane(core, array(get(0, 'alpha')), get(1, 'radius'))] }),
  defocus: (get) => ({ outputs: [defocus(array(get(0, 'image')), array(get(1, 'rgba')), array(get(2, 'radii')), { core, blades: get(3, 'blades'), rotation: get(4, 'rotation') })] }),
  resample_to_fit: (get) => ({ outputs: [resampleToFit(core, array(get(0, 'image')), get(1, 'fit'), get(2, 'height'), get(3, 'width'))] }),
  over_image: (get) => ({ outputs: [core.overImage(array(get(0, 'rgba')), array(get(1, 'background')))] }),
  over_gradient(get) {
    const { file, dtype, shape } = get(1, 'colors');
    const colors = array({ file, dtype, shape: [shape[0], 1, shape[1]] });
    const names = ['radial', 'origin', 'across', 'down', 'centerX', 'centerY', 'scale'];
    const keys = ['radial', 'origin', 'across', 'down', 'center_x', 'center_y', 'scale'];
    const how = Object.fromEntries(names.map((name, i) => [name, get(2 + i, keys[i])]));
    return { outputs: [core.overGradient(array(get(0, 'rgba')), colors, /** @type {any} */ (how))] };
  },
  over_layer: (get) => ({ outputs: [core.overLayer(array(get(0, 'front')), array(get(1, 'back')))] }),
  premultiply: (get) => ({ outputs: [core.premultiply(array(get(0, 'rgba')))] }),
  suppress_spill: (get) => ({ outputs: [core.suppressSpill(array(get(0, 'rgba')), { screen: get(1, 'screen'), strength: get(2, 'strength', 1) })] }),
  subject_box(get) {
    const { top, left, bottom, right } = core.subjectBox(array(get(0, 'rgba')), get(1, 'threshold'));
    return { outputs: [], answer: [top, left, bottom, right] };
  },
  placement(get) {
    const [height, width, fill, down, across, enlarge, scale, baseline] = get(1, 'canvas');
    const where = placement(array(get(0, 'rgba')), { height, width, fill, align: [down, across], enlarge, scale, baseline });
    const { top, left, bottom, right } = where.drawn;
    return { outputs: [], answer: [where.scale, where.top, where.left, [top, left, bottom, right]] };
  },
  draw(get) {
    const [top, left, bottom, right] = get(4, 'drawn');
    const where = { scale: get(1, 'scale'), top: get(2, 'top'), left: get(3, 'left'), drawn: { top, left, bottom, right } };
    return { outputs: [draw(array(get(0, 'rgba')), where, { height: get(5, 'height'), width: get(6, 'width') })] };
  },
  resample: (get) => ({ outputs: [scaled(array(get(0, 'pixels')), get(2, 'height'), get(3, 'width'))] }),
  size_within: (get) => ({ outputs: [], answer: sizeWithin(core, get(0, 'height'), get(1, 'width'), get(2, 'longest')) }),
  align_shares(get) {
    // What the shares come to is seen in where a canvas has its picture.
    const full = core.array({ data: new Uint8Array(16).fill(255), height: 2, width: 2, channels: 4 });
    const { top, left } = placement(full, { height: 8, width: 12, fill: 1, scale: 1, align: get(0, 'align') });
    return { outputs: [], answer: [top / 6, left / 10] };
  },
  orient: (get) => ({ outputs: [core.orient(array(get(0, 'pixels')), get(1, 'orientation'))] }),
  png_encode: (get) => ({ outputs: [core.pngEncode(array(get(0, 'pixels')), { compression: get(1, 'compression'), chunks: bytes(get(2, 'chunks')) })] }),
  png_unfilter(get) {
    const filtered = get(0, 'filtered');
    const [height, width] = filtered.shape;
    return { outputs: [core.pngUnfilter(bytes(filtered), { height, rowBytes: width - 1, pixelBytes: get(1, 'pixel_bytes') })] };
  },
};

function prepare(dtype, get) {
  const [, height, width] = get(1, 'target').shape;
  const [left, top, right, bottom] = get(3, 'content');
  const outputs = [core.prepare(array(get(0, 'source')), {
    height, width, dtype, filter: get(2, 'filter'), content: { top, left, bottom, right }, fill: get(4, 'fill'), mean: get(5, 'mean'), std: get(6, 'std'),
    part: get(8, 'part', [0, 0, 0, 0]),
  })];
  return { outputs };
}
for (const [form, dtype] of [['f32', 'float32'], ['f16', 'float16'], ['u8', 'uint8']]) {
  for (const given of ['u8', 'u16']) operations[`prepare_${form}_from_${given}`] = (get) => prepare(dtype, get);
}

/** Numbers of a report are compared as numbers, key by key. */
function same(one, other) {
  if (typeof one !== 'object' || one === null || typeof other !== 'object' || other === null) return one === other;
  const keys = Object.keys(one);
  return keys.length === Object.keys(other).length && keys.every((key) => same(one[key], other[key]));
}

const repeated = {};
const differences = [];
for (const [index, { operation, args, named, outputs, answer }] of JSON.parse(readFileSync(join(folder, 'calls.json'), 'utf8')).entries()) {
  const get = (i, name, otherwise) => (i < args.length ? args[i] : name in named ? named[name] : otherwise);
  try {
    const made = operations[operation](get);
    repeated[operation] = (repeated[operation] ?? 0) + 1;
    const digests = made.outputs.map((output) => output && digest(output instanceof NativeArray ? output.copy() : output));
    if (!same(digests, outputs)) differences.push(`${index} ${operation}: other bytes`);
    if (answer !== null && !same(made.answer, answer)) differences.push(`${index} ${operation}: ${JSON.stringify(made.answer)}, not ${JSON.stringify(answer)}`);
  } catch (error) {
    differences.push(`${index} ${operation}: ${error?.stack ?? error}`);
  }
}
console.log(JSON.stringify({ build: core.build, threads: core.threads, repeated, differences }));
// Workers of a threaded build would keep the process.
process.exit(0);
