/** What results are called, alone and in folders. */

/** @param {string} name of a picture, or its path */
export const cutoutName = (name) => `${name.replace(/\.[^./]*$/, '')}-cutout.png`;

/** A path that leads nowhere else. @param {string} path */
export const pathBelow = (path) => path.split(/[\\/]/).filter((part) => part !== '' && part !== '.' && part !== '..').join('/');

/** A name with a number before its suffix. @param {string} name @param {number} number */
export function numbered(name, number) {
  const [, stem, suffix = ''] = /** @type {RegExpExecArray} */ (/^(.*?)(\.[^./]*)?$/s.exec(name));
  return `${stem}-${number}${suffix}`;
}
