/** What of an edit does not run in the browser: refused by its name, never left out in silence. */
import { texts } from '../../texts.en.js';
import { EngineError } from '../interface.js';

/** @param {import('../interface.js').Edit} edit @param {boolean} weak a device with little memory */
export function refused({ effort, softness, choke, corrections, framing }, weak) {
  const { box, keep, drop, strokes } = corrections;
  const asked = {
    [texts.cutout.softness]: softness !== 0,
    [texts.cutout.choke]: choke !== 0,
    [texts.cutout.corrections]: box !== null || keep.length + drop.length + strokes.length > 0,
    [texts.frame.preset]: framing.profile !== null,
    [texts.frame.shadow]: framing.shadow !== false,
    [`${texts.frame.background}: ${texts.frame.backgrounds.blur}`]: framing.background === 'blur',
    [`${texts.frame.background}: ${texts.frame.backgrounds.picture}`]: typeof framing.background === 'object' && framing.background !== null,
  };
  const names = Object.keys(asked).filter((name) => asked[name]);
  if (weak && effort !== 'fast') throw new EngineError('unsupported', texts.here.weak);
  if (names.length) throw new EngineError('unsupported', texts.here.refused(names.join(', ')));
}
