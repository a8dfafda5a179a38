/**
 * Where the files of one part lie: in a folder, or each at an address of its own, as bundlers leave them.
 */

/**
 * @typedef {object} Place
 * @property {(name: string) => string} address of a file, by its path in the part
 * @property {(name: string) => Uint8Array | undefined} bytes of a file that is here already and need not be fetched
 */

/** @param {URL | string | Place} base a folder's address, its last slash included, or a place @returns {Place} */
export function placeOf(base) {
  if (typeof base === 'object' && 'address' in base) return base;
  return { address: (name) => new URL(name, base).href, bytes: () => undefined };
}
