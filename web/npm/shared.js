/** The engines that the functions of this package share: one for each place of the files and each device. */
import { engineOptions } from './options.js';
import { Remover } from './remover.js';

/** @type {Map<string, Remover>} */
const removers = new Map();

/**
 * The engine that options ask for, and what is left of them.
 * @template {import('./options.js').EngineOptions} T
 * @param {T} options
 * @returns {{remover: Remover, options: Omit<T, 'publicPath' | 'device'>}}
 */
export function shared({ publicPath, device, ...options }) {
  const wanted = engineOptions({ publicPath, device });
  const key = `${wanted.device} ${wanted.publicPath ?? ''}`;
  const remover = removers.get(key) ?? new Remover({ publicPath, device });
  removers.set(key, remover);
  return { remover, options };
}

/** Ends every shared engine and gives its memory back. */
export function releaseAll() {
  for (const remover of removers.values()) remover.close();
  removers.clear();
}
