/** What lies behind a cut-out on the screen: checkerboard, a colour, a picture, the blurred original. */

/** @typedef {import('./store.js').Store} Store */

const SQUARE = 10;

/** @type {HTMLCanvasElement | null} */
let tile = null;
/** @type {{of: ImageBitmap | null, canvas: HTMLCanvasElement | null}} */
const blurred = { of: null, canvas: null };

/** @param {number} ratio */
function checker(ratio) {
  const side = Math.max(4, Math.round(SQUARE * ratio));
  if (tile?.width === 2 * side) return tile;
  tile = document.createElement('canvas');
  tile.width = tile.height = 2 * side;
  const context = /** @type {CanvasRenderingContext2D} */ (tile.getContext('2d'));
  context.fillStyle = '#ffffff';
  context.fillRect(0, 0, 2 * side, 2 * side);
  context.fillStyle = '#dcdcde';
  context.fillRect(0, 0, side, side);
  context.fillRect(side, side, side, side);
  return tile;
}

/** Small and back in two steps: what every browser can, where few can blur a canvas. @param {ImageBitmap} image */
function blur(image) {
  if (blurred.of === image && blurred.canvas) return blurred.canvas;
  let from = /** @type {CanvasImageSource} */ (image);
  let canvas = document.createElement('canvas');
  for (const longest of [128, 24, 96]) {
    const scale = longest / Math.max(image.width, image.height);
    canvas = document.createElement('canvas');
    canvas.width = Math.max(1, Math.round(image.width * scale));
    canvas.height = Math.max(1, Math.round(image.height * scale));
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d'));
    context.imageSmoothingQuality = 'high';
    context.drawImage(from, 0, 0, canvas.width, canvas.height);
    from = canvas;
  }
  Object.assign(blurred, { of: image, canvas });
  return canvas;
}

/**
 * @param {CanvasRenderingContext2D} context
 * @param {{x: number, y: number, width: number, height: number}} rect device pixels
 * @param {Store['view']} view
 * @param {ImageBitmap | null} original
 * @param {number} ratio
 */
export function drawBackdrop(context, rect, view, original, ratio) {
  const { x, y, width, height } = rect;
  if (view.backdrop === 'blur' && original) {
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = 'high';
    context.drawImage(blur(original), x, y, width, height);
  } else if (view.backdrop === 'picture' && view.picture) {
    const scale = Math.max(width / view.picture.width, height / view.picture.height);
    const [w, h] = [width / scale, height / scale];
    context.imageSmoothingEnabled = true;
    context.drawImage(view.picture, (view.picture.width - w) / 2, (view.picture.height - h) / 2, w, h, x, y, width, height);
  } else if (view.backdrop === 'white' || view.backdrop === 'black' || view.backdrop === 'color') {
    context.fillStyle = view.backdrop === 'color' ? view.color : view.backdrop;
    context.fillRect(x, y, width, height);
  } else {
    const pattern = context.createPattern(checker(ratio), 'repeat');
    if (!pattern) return;
    context.save();
    context.translate(x, y);
    context.fillStyle = pattern;
    context.fillRect(0, 0, width, height);
    context.restore();
  }
}
