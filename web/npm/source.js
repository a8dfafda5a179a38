/** A picture in any of the forms that a page has one in: as a file, or as pixels. */
import { EngineError } from '../engine/interface.js';

/**
 * A file's bytes, the address of one, or decoded pixels. Addresses are of the page's origin, or `blob:` or `data:`.
 * @typedef {Blob | ArrayBuffer | Uint8Array | ImageData | URL | string} ImageSource
 */

/**
 * @param {ImageSource} source
 * @param {{signal?: AbortSignal, fetchArgs?: RequestInit, anyOrigin?: boolean}} [how] `anyOrigin`: addresses of other origins
 *   are fetched as well, as those allow it
 * @returns {Promise<{file: Blob | ImageData, name: string | null}>}
 */
export async function imageFrom(source, { signal, fetchArgs, anyOrigin = false } = {}) {
  if (source instanceof Blob) return { file: source, name: /** @type {File} */ (source).name ?? null };
  if (typeof ImageData === 'function' && source instanceof ImageData) return { file: source, name: null };
  if (source instanceof ArrayBuffer || ArrayBuffer.isView(source)) return { file: new Blob([/** @type {BlobPart} */ (source)]), name: null };
  if (typeof source !== 'string' && !(source instanceof URL)) {
    throw new EngineError('invalid', 'a picture is a Blob, a File, its bytes, ImageData or an address; of a canvas or an image element give its Blob (canvas.toBlob, fetch)');
  }
  const here = globalThis.document?.baseURI ?? location.href;
  /** @type {URL} */
  let address;
  try {
    address = new URL(source, here);
  } catch {
    throw new EngineError('invalid', `${String(source).slice(0, 200)} is no address`);
  }
  const own = ['blob:', 'data:'].includes(address.protocol) || address.origin === new URL(here).origin;
  if (!own && !anyOrigin) throw new EngineError('invalid', `${address.href} is of another origin; fetch it yourself and give its Blob`);
  const said = address.protocol === 'data:' ? 'the data: address' : address.href;
  const response = await fetch(address, { ...fetchArgs, signal: signal ?? fetchArgs?.signal }).catch((error) => {
    if (signal?.aborted) throw signal.reason;
    throw new EngineError('failed', `${said} cannot be fetched: ${error instanceof Error ? error.message : error}`);
  });
  if (!response.ok) throw new EngineError('failed', `${said} answers ${response.status}`);
  return { file: await response.blob(), name: own && !['blob:', 'data:'].includes(address.protocol) ? address.pathname.split('/').pop() || null : null };
}
