/** A ZIP of files that are compressed already: made of the files themselves, so that it costs no memory. */
import { crc32 } from '../../core/png.js';

const ENTRY = 0x04034b50;
const LISTED = 0x02014b50;
const END = 0x06054b50;
/** Names are UTF-8. */
const FLAGS = 0x0800;
/** 1 January 1980, the least that the format knows: a ZIP of the same pictures is the same file. */
const DATE = 0x21;
const MOST = 0xffff_ffff;

/**
 * @param {{name: string, blob: Blob}[]} files
 * @returns {Promise<Blob>}
 */
export async function zipOf(files) {
  if (files.length > 0xffff || files.reduce((sum, { blob }) => sum + blob.size + 1024, 0) > MOST) throw new RangeError('one ZIP holds 65 535 files and 4 GB; download fewer at once');
  /** @type {BlobPart[]} */
  const parts = [];
  /** @type {BlobPart[]} */
  const directory = [];
  let at = 0;
  let length = 0;
  for (const [i, { blob, name }] of named(files).entries()) {
    const crc = crc32(new Uint8Array(await blob.arrayBuffer()));
    const letters = new TextEncoder().encode(name);
    const shared = [FLAGS, 0, 0, DATE];
    const head = words([[4, ENTRY], [2, 20], ...shared.map((word) => /** @type {[number, number]} */ ([2, word])), [4, crc], [4, blob.size], [4, blob.size], [2, letters.length], [2, 0]]);
    directory.push(
      words([[4, LISTED], [2, 20], [2, 20], ...shared.map((word) => /** @type {[number, number]} */ ([2, word])), [4, crc], [4, blob.size], [4, blob.size], [2, letters.length], [2, 0], [2, 0], [2, 0], [2, 0], [4, 0], [4, at]]),
      letters,
    );
    parts.push(head, letters, files[i].blob);
    at += head.length + letters.length + blob.size;
    length += 46 + letters.length;
  }
  const end = words([[4, END], [2, 0], [2, 0], [2, files.length], [2, files.length], [4, length], [4, at], [2, 0]]);
  return new Blob([...parts, ...directory, end], { type: 'application/zip' });
}

/** Names of their own, whatever case a file system keeps. @param {{name: string, blob: Blob}[]} files */
function named(files) {
  const taken = new Set();
  return files.map(({ name, blob }) => {
    const [, stem, suffix] = /** @type {RegExpExecArray} */ (/^(.*?)(\.[^.]*)?$/s.exec(name));
    let free = name;
    for (let n = 2; taken.has(free.toLowerCase()); n++) free = `${stem}-${n}${suffix ?? ''}`;
    taken.add(free.toLowerCase());
    return { name: free, blob };
  });
}

/** Little-endian numbers one after the other. @param {[number, number][]} fields bytes and value @returns {Uint8Array<ArrayBuffer>} */
function words(fields) {
  const bytes = new Uint8Array(fields.reduce((sum, [size]) => sum + size, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [size, value] of fields) {
    if (size === 4) view.setUint32(at, value, true);
    else view.setUint16(at, value, true);
    at += size;
  }
  return bytes;
}
