/**
 * EXIF blocks: which way up a picture is, and the block as it may go into a cut-out.
 *
 * As python/nssbg/_io/metadata.py has it: changed in place, so that maker notes survive; without the thumbnail, which
 * shows the picture as it was, background and all.
 */

const ORIENTATION = 0x0112;
const LARGEST = 4 << 20;
const PREFIX = [0x45, 0x78, 0x69, 0x66, 0, 0]; // "Exif\0\0"

/**
 * @param {Uint8Array | null} block with or without "Exif\0\0" before it
 * @returns {{exif: Uint8Array | null, orientation: number}} the block with the orientation 1 and no thumbnail, null where
 *   it is none; the orientation that it had, 1 to 8
 */
export function withoutOrientation(block) {
  if (!block) return { exif: null, orientation: 1 };
  const bare = PREFIX.every((byte, i) => block[i] === byte) ? block.slice(6) : block.slice();
  const little = bare[0] === 0x49 && bare[1] === 0x49 && bare[2] === 42 && bare[3] === 0;
  const big = bare[0] === 0x4d && bare[1] === 0x4d && bare[2] === 0 && bare[3] === 42;
  if ((!little && !big) || bare.length > LARGEST) return { exif: null, orientation: 1 };
  const view = new DataView(bare.buffer);
  let orientation = 1;
  try {
    const start = view.getUint32(4, little);
    const count = view.getUint16(start, little);
    for (let entry = start + 2; entry < start + 2 + 12 * count; entry += 12) {
      if (view.getUint16(entry, little) !== ORIENTATION || view.getUint16(entry + 2, little) !== 3) continue;
      const value = view.getUint16(entry + 8, little);
      orientation = value >= 1 && value <= 8 ? value : 1;
      view.setUint16(entry + 8, 1, little);
      view.setUint16(entry + 10, 0, little);
    }
    return { exif: withoutThumbnail(bare, view, little, start + 2 + 12 * count), orientation };
  } catch (error) {
    if (error instanceof RangeError) return { exif: null, orientation }; // cut short: nothing in it can be trusted
    throw error;
  }
}

/** The second directory unlinked, and the thumbnail that it names gone. @param {Uint8Array} bare @param {DataView} view @param {boolean} little @param {number} link */
function withoutThumbnail(bare, view, little, link) {
  const second = view.getUint32(link, little);
  if (second === 0) return bare;
  view.setUint32(link, 0, little);
  let at = 0;
  let length = 0;
  try {
    const count = view.getUint16(second, little);
    for (let entry = second + 2; entry < second + 2 + 12 * count; entry += 12) {
      const tag = view.getUint16(entry, little);
      if (tag === 0x0201) at = view.getUint32(entry + 8, little);
      if (tag === 0x0202) length = view.getUint32(entry + 8, little);
    }
  } catch (error) {
    if (error instanceof RangeError) return bare; // it is unlinked already
    throw error;
  }
  if (at < 8 || at + length > bare.length) return bare;
  if (at + length === bare.length && at > second) return bare.slice(0, at);
  bare.fill(0, at, at + length);
  return bare;
}
