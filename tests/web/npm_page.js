/**
 * What tests of the npm package do in a page, which has the package as `nssbg` and, as `where`, the options that say
 * where its files are. Files go out as their type and base64, errors as their name, kind and message.
 */

/** @param {Blob} blob */
async function sent(blob) {
  const bytes = new Uint8Array(await blob.arrayBuffer());
  let letters = '';
  for (let i = 0; i < bytes.length; i += 4096) letters += String.fromCharCode(...bytes.subarray(i, i + 4096));
  return [blob.type, btoa(letters)];
}

const why = (work) => work.then(() => 'nothing', (error) => [error.name, error.kind ?? null, error.message]);
const example = async () => (await fetch('mug.jpg')).blob();

async function cutOut(nssbg, where) {
  const blob = await example();
  const seen = [];
  const onProgress = ({ stage, loaded, total }) => seen.push([stage, loaded, total]);
  const { blob: first, ...facts } = await nssbg.cutout(blob, { ...where, onProgress });
  const canvas = { width: 300, height: 200, align: 'bottom' };
  const made = {
    first,
    picture: await nssbg.removeBackground('mug.jpg', where),
    network: await nssbg.removeBackground(blob, { ...where, model: 'nssbg-lite', effort: 'fast' }),
    framed: await nssbg.removeBackground(blob, { ...where, model: 'studio', background: '#204060', canvas }),
    alpha: await nssbg.alpha(blob, { ...where, model: 'studio' }),
  };
  for (const [name, file] of Object.entries(made)) made[name] = await sent(file);
  return { ...made, facts, seen, about: await nssbg.preload(where) };
}

async function failures(nssbg, where) {
  const blob = await example();
  const told = [];
  for (const options of [
    { strength: 1 },
    { softness: 0.5 },
    { model: 'birefnet' },
    { background: 'blur' },
    { maxPixels: 1000 },
    { publicPath: 'https://elsewhere.example/' },
    { publicPath: './nowhere/' },
  ]) told.push(await why(nssbg.removeBackground(blob, { ...where, ...options })));
  told.push(await why(nssbg.removeBackground(new Blob(['no picture']), { ...where, name: 'list.txt' })));
  told.push(await why(nssbg.removeBackground('nowhere.jpg', where)));
  const stop = new AbortController();
  const onProgress = ({ stage }) => {
    if (stage !== 'load') stop.abort();
  };
  told.push(await why(nssbg.removeBackground(blob, { ...where, signal: stop.signal, onProgress })));
  // After all of it the next picture is cut out.
  told.push(await sent(await nssbg.removeBackground(blob, { ...where, model: 'studio' })));
  nssbg.release();
  return told;
}

/** What `@nssbg/web/imgly` makes of the example, and what it warns of. */
async function inPlaceOfImgly(imgly, where) {
  const blob = await example();
  const warnings = [];
  const { warn } = console;
  console.warn = (line) => warnings.push(line);
  const keys = new Set();
  let loaded = 0;
  const progress = (key, current, total) => {
    keys.add(key);
    if (key === 'fetch:engine') loaded = current / total;
  };
  const format = (name, quality) => ({ ...where, output: { format: name, quality } });
  const preloaded = await imgly.preload({ ...where, progress });
  const mask = await imgly.segmentForeground(blob, where);
  const made = {
    mask,
    picture: await imgly.default(blob, { ...where, progress, model: 'isnet_fp16' }),
    again: await imgly.removeBackground('mug.jpg', { ...where, model: 'isnet_fp16', rescale: false, nonesuch: 1 }),
    background: await imgly.removeForeground(blob, where),
    masked: await imgly.applySegmentationMask(blob, mask, where),
    jpeg: await imgly.removeBackground(blob, format('image/jpeg', 0.5)),
    webp: await imgly.removeBackground(blob, format('image/webp')),
    rgba8: await imgly.removeBackground(blob, format('image/x-rgba8')),
    alpha8: await imgly.segmentForeground(blob, format('image/x-alpha8')),
  };
  made.byAlpha8 = await imgly.applySegmentationMask(blob, made.alpha8, where);
  const grey = { data: new Uint8Array([255, 0]), shape: [1, 2, 1] };
  made.half = await imgly.applySegmentationMask(blob, grey, where);
  for (const [name, file] of Object.entries(made)) made[name] = await sent(file);
  const refused = [];
  for (const config of [{ model: 'u2net' }, { device: 'tpu' }, format('image/gif'), format('image/png', 80)]) {
    refused.push(await why(imgly.removeBackground(blob, { ...where, ...config })));
  }
  console.warn = warn;
  return { made, warnings, refused, keys: [...keys], loaded, preloaded: preloaded ?? null, same: imgly.alphamask === imgly.segmentForeground };
}

Object.assign(window, { inPlaceOfImgly, sent, why, example, cutOut, failures });
