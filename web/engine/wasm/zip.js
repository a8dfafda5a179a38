/**
 * A ZIP of files that are compressed already: made of the files themselves, so that it costs no memory.
 *
 * Each file is read once, in parts, for its checksum; what comes out is a list of references to the files with a few bytes between
 * them. Beyond 4 GB or 65 535 files it has the records of ZIP64.
 */
import { crc32 } from '../../core/png.js';
import { numbered } from './result-names.js';

const ENTRY = 0x04034b50;
const LISTED = 0x02014b50;
const END = 0x06054b50;
const END_64 = 0x06064b50;
const LOCATOR_64 = 0x07064b50;
/** Names are UTF-8. */
const FLAGS = 0x0800;
/** 1 January 1980, the least that the format knows: a ZIP of the same pictures is the same file. */
const DATE = 0x21;
const MOST = 0xffff_ffff;
const MOST_FILES = 0xffff;

/**
 * @param {{name: string, blob: Blob}[]} files
 * @param {number} [most] bytes from which on ZIP64 is needed; less only in tests
 * @returns {Promise<Blob>}
 */
export async function zipOf(files, most = MOST) {
  /** @type {BlobPart[]} */
  const parts = [];
  /** @type {BlobPart[]} */
  const directory = [];
  let at = 0;
  let length = 0;
  for (const { blob, name } of named(files)) {
    if (blob.size >= MOST) throw new RangeError(`${name} has more than 4 GB`);
    const crc = await checksum(blob);
    const letters = new TextEncoder().encode(name);
    const far = at >= most;
    /** @type {[number, number][]} */
    const shared = [[2, far ? 45 : 20], [2, FLAGS], [2, 0], [2, 0], [2, DATE], [4, crc], [4, blob.size], [4, blob.size], [2, letters.length]];
    const head = words([[4, ENTRY], ...shared, [2, 0]]);
    const extra = far ? words([[2, 1], [2, 8], [8, at]]) : new Uint8Array(0);
    directory.push(words([[4, LISTED], [2, far ? 45 : 20], ...shared, [2, extra.length], [2, 0], [2, 0], [2, 0], [4, 0], [4, far ? MOST : at]]), letters, extra);
    parts.push(head, letters, blob);
    at += head.length + letters.length + blob.size;
    length += 46 + letters.length + extra.length;
  }
  const count = files.length;
  const large = at + length >= most || count >= MOST_FILES;
  const end64 = large ? words([[4, END_64], [8, 44], [2, 45], [2, 45], [4, 0], [4, 0], [8, count], [8, count], [8, length], [8, at], [4, LOCATOR_64], [4, 0], [8, at + length], [4, 1]]) : new Uint8Array(0);
  const shown = large ? [MOST_FILES, MOST, MOST] : [count, length, at];
  const end = words([[4, END], [2, 0], [2, 0], [2, shown[0]], [2, shown[0]], [4, shown[1]], [4, shown[2]], [2, 0]]);
  return new Blob([...parts, ...directory, end64, end], { type: 'application/zip' });
}

/** CRC-32 of a file, read in parts. @param {Blob} blob */
async function checksum(blob) {
  let crc = 0;
  for (const reader = blob.stream().getReader(); ; ) {
    const { done, value } = await reader.read();
    if (done) return crc;
    crc = crc32(value, crc);
  }
}

/** Names of their own, whatever case a file system keeps. @param {{name: string, blob: Blob}[]} files */
function named(files) {
  const taken = new Set();
  return files.map(({ name, blob }) => {
    let free = name;
    for (let n = 2; taken.has(free.toLowerCase()); n++) free = numbered(name, n);
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
    if (size === 8) view.setBigUint64(at, BigInt(value), true);
    else if (size === 4) view.setUint32(at, value, true);
    else view.setUint16(at, value, true);
    at += size;
  }
  return bytes;
}
