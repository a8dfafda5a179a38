/** What lies over the picture while it is corrected: strokes, points, the box, the tool's cursor. */

/** @typedef {import('./stage.js').Stage} Stage */
/** @typedef {import('../engine/interface.js').Stroke} Stroke */

// Told apart by their shapes and signs as well as by their colours.
const COLORS = { keep: '#0d9488', drop: '#e11d48' };

/** @param {Stage} stage */
export function brushRadius(stage) {
  const { viewport, store } = stage;
  return Math.max(1, store.view.brush * Math.max(viewport.imageWidth, viewport.imageHeight) * 0.5);
}

/** @param {Stage} stage */
export function drawOverlay(stage) {
  const { context, ratio, store, viewport } = stage;
  const { tool } = store.view;
  const corrections = store.selected?.edit?.corrections;
  if (!corrections) return;
  context.save();
  context.scale(ratio, ratio);
  if (stage.showStrokes || stage.stroke) {
    const strokes = stage.showStrokes ? corrections.strokes.slice(-stage.showStrokes) : [];
    context.globalAlpha = 0.45;
    for (const stroke of stage.stroke ? [...strokes, stage.stroke] : strokes) drawStroke(stage, stroke);
    context.globalAlpha = 1;
  }
  if (tool !== 'move') {
    const box = stage.draft ?? corrections.box;
    if (box) drawBox(stage, box, !!stage.draft);
    for (const kind of /** @type {const} */ (['keep', 'drop'])) for (const [x, y] of corrections[kind]) drawPoint(stage, kind, x, y);
    drawCursor(stage, viewport.scale);
  }
  context.restore();
}

/** @param {Stage} stage @param {Stroke} stroke */
function drawStroke({ context, viewport }, stroke) {
  context.strokeStyle = context.fillStyle = COLORS[stroke.kind];
  context.lineCap = context.lineJoin = 'round';
  context.lineWidth = 2 * stroke.radius * viewport.scale;
  context.beginPath();
  stroke.points.forEach(([x, y], at) => {
    const [sx, sy] = viewport.toScreen(x, y);
    if (at) context.lineTo(sx, sy);
    else context.moveTo(sx, sy);
  });
  if (stroke.points.length === 1) {
    const [sx, sy] = viewport.toScreen(...stroke.points[0]);
    context.lineTo(sx + 0.01, sy);
  }
  context.stroke();
}

/** @param {Stage} stage @param {[number, number, number, number]} box @param {boolean} draft */
function drawBox({ context, viewport }, [left, top, right, bottom], draft) {
  const [x0, y0] = viewport.toScreen(left, top);
  const [x1, y1] = viewport.toScreen(right, bottom);
  context.lineWidth = 3;
  context.strokeStyle = 'rgba(0, 0, 0, 0.55)';
  context.strokeRect(x0, y0, x1 - x0, y1 - y0);
  context.lineWidth = 1.5;
  context.strokeStyle = '#fff';
  if (draft) context.setLineDash([6, 4]);
  context.strokeRect(x0, y0, x1 - x0, y1 - y0);
  context.setLineDash([]);
}

/** @param {Stage} stage @param {'keep' | 'drop'} kind @param {number} x @param {number} y */
function drawPoint({ context, viewport }, kind, x, y) {
  const [sx, sy] = viewport.toScreen(x, y);
  context.beginPath();
  context.arc(sx, sy, 8, 0, 2 * Math.PI);
  context.fillStyle = COLORS[kind];
  context.fill();
  context.lineWidth = 2;
  context.strokeStyle = '#fff';
  context.stroke();
  context.beginPath();
  context.moveTo(sx - 3.5, sy);
  context.lineTo(sx + 3.5, sy);
  if (kind === 'keep') {
    context.moveTo(sx, sy - 3.5);
    context.lineTo(sx, sy + 3.5);
  }
  context.stroke();
}

/** @param {Stage} stage @param {number} scale */
function drawCursor(stage, scale) {
  const { context, viewport, cursor, store } = stage;
  const { tool } = store.view;
  if (!cursor) return;
  const [x, y] = viewport.toScreen(cursor.x, cursor.y);
  const brush = tool === 'keep' || tool === 'drop';
  if (!brush && !cursor.byKeys) return;
  const radius = brush ? Math.max(2, brushRadius(stage) * scale) : 7;
  for (const [width, color] of /** @type {[number, string][]} */ ([[3.5, 'rgba(0, 0, 0, 0.5)'], [1.5, '#fff']])) {
    context.lineWidth = width;
    context.strokeStyle = color;
    context.beginPath();
    context.arc(x, y, radius, 0, 2 * Math.PI);
    if (!brush || cursor.byKeys) {
      context.moveTo(x - 4, y);
      context.lineTo(x + 4, y);
      context.moveTo(x, y - 4);
      context.lineTo(x, y + 4);
    }
    context.stroke();
  }
}
