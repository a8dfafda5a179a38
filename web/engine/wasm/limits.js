/** What the engine in the page does not do: refused by name, so that no edit is half done. */
import { texts } from '../../texts.en.js';
import { EngineError } from '../interface.js';

/**
 * @param {import('../interface.js').Edit} edit
 * @param {{weak: boolean, presets: {name: string}[], backgrounds: Map<string, unknown>}} known weak: a device with little memory
 */
export function refused({ effort, framing: { profile, background, trim, canvas } }, { weak, presets, backgrounds }) {
  if (weak && effort !== 'fast') throw new EngineError('unsupported', texts.here.weak);
  if (profile !== null && !presets.some(({ name }) => name === profile)) throw new EngineError('unsupported', texts.here.refused(`${texts.frame.preset}: ${profile}`));
  if (background === 'blur' && (trim || canvas !== null || profile !== null)) throw new EngineError('invalid', texts.here.blurStays);
  if (typeof background === 'object' && background !== null && !backgrounds.has(background.picture)) throw new EngineError('missing', texts.here.noBackground);
}
