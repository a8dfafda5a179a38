/**
 * Results into a folder of the person's: each streamed from the browser's storage into a file of its own, which appears
 * under its name once it is whole. Nothing that is there is overwritten: a name that is taken gets a number.
 */
import { siteTexts as texts } from '../../site/texts.en.js';
import { EngineError } from '../interface.js';
import { numbered } from './result-names.js';

/**
 * @param {FileSystemDirectoryHandle} folder
 * @param {{name: string, blob: Blob}[]} files the name may have folders in it, which are made where they are not there
 * @param {{onProgress?: (done: number, of: number) => void}} [how]
 * @returns {Promise<{written: number, numbered: number}>}
 */
export async function writeInto(folder, files, { onProgress = () => {} } = {}) {
  /** @type {Map<string, FileSystemDirectoryHandle>} */
  const folders = new Map([['', folder]]);
  let [written, renamed] = [0, 0];
  for (const { name, blob } of files) {
    onProgress(written, files.length);
    try {
      const cut = name.lastIndexOf('/');
      const into = await folderAt(folders, name.slice(0, Math.max(0, cut)));
      const wanted = name.slice(cut + 1);
      const free = await freeName(into, wanted);
      await writeFile(into, free, blob);
      if (free !== wanted) renamed += 1;
    } catch (error) {
      throw new EngineError('failed', texts.folder.stopped(name, error instanceof Error ? error.message : String(error), written, files.length));
    }
    written += 1;
  }
  return { written, numbered: renamed };
}

/** @param {Map<string, FileSystemDirectoryHandle>} known @param {string} path @returns {Promise<FileSystemDirectoryHandle>} */
async function folderAt(known, path) {
  const found = known.get(path);
  if (found) return found;
  const cut = path.lastIndexOf('/');
  const above = await folderAt(known, path.slice(0, Math.max(0, cut)));
  const name = path.slice(cut + 1);
  const made = await above.getDirectoryHandle(name, { create: true }).catch((error) => {
    throw error.name === 'TypeMismatchError' ? new Error(texts.folder.fileInTheWay(name)) : error;
  });
  known.set(path, made);
  return made;
}

/** @param {FileSystemDirectoryHandle} folder @param {string} wanted */
async function freeName(folder, wanted) {
  for (let name = wanted, number = 2; ; name = numbered(wanted, number++)) {
    try {
      await folder.getFileHandle(name);
    } catch (error) {
      const { name: kind } = /** @type {Error} */ (error);
      if (kind === 'NotFoundError') return name;
      if (kind !== 'TypeMismatchError') throw error; // a folder of that name: taken as well
    }
  }
}

/** @param {FileSystemDirectoryHandle} folder @param {string} name @param {Blob} blob */
async function writeFile(folder, name, blob) {
  const handle = await folder.getFileHandle(name, { create: true });
  try {
    // The browser writes beside it and puts it in place when the stream ends.
    await blob.stream().pipeTo(await handle.createWritable());
  } catch (error) {
    await folder.removeEntry(name).catch(() => {}); // it is empty
    throw error;
  }
}
