/** Texts of what the site alone has: kept lists, folders, models of one's own. Another language is another such file. */
import { texts } from '../texts.en.js';

export const siteTexts = {
  kept: {
    heading: 'Where the pictures lie',
    on: 'In this browser’s storage on this device, until you remove them. After a reload, or if the page ends by itself, the list is here again and goes on.',
    size: (/** @type {string} */ bytes, /** @type {string | null} */ free) => (free === null ? `${bytes} are kept.` : `${bytes} are kept; the browser has ${free} left for them.`),
    off: (/** @type {string} */ why) => `Nothing more is kept for the next visit: ${why}.`,
    toggle: 'Keep the list over a reload',
    toggleHint: 'Off: everything that is kept is removed at once',
    unwanted: 'you switched it off',
    full: 'the browser’s storage is full. Pictures that were kept before stay; download your results before you leave the page',
    insecure: 'the page came neither over https nor from this computer, or this browser keeps nothing',
    otherPage: 'another tab of this page keeps its own list',
    failed: (/** @type {string} */ why) => `the browser’s storage failed (${why})`,
    fatal: 'the page ended more than once while this picture was worked on; it may be too large for this device. Try again to take the risk',
    restored: (/** @type {number} */ count, /** @type {number} */ waiting, /** @type {boolean} */ paused) => {
      const back = `${texts.pictures(count)} of your last visit ${count === 1 ? 'is' : 'are'} here again.`;
      if (!waiting) return back;
      return `${back} ${texts.number(waiting)} still ${waiting === 1 ? 'waits' : 'wait'} and ${paused ? `${waiting === 1 ? 'goes' : 'go'} on when you press “${texts.here.resume}”` : `${waiting === 1 ? 'goes' : 'go'} on now`}.`;
    },
  },
  folder: {
    save: 'Save to a folder',
    saveHint: (/** @type {number} */ count) => `${texts.pictures(count)}, each a file of its own; nothing that is there is overwritten`,
    saving: (/** @type {number} */ done, /** @type {number} */ of) => `Writing ${texts.number(done + 1)} of ${texts.number(of)}`,
    saved: (/** @type {number} */ count, /** @type {string} */ name) => `${texts.pictures(count)} written to ${name}.`,
    numbered: (/** @type {number} */ count) => `${texts.number(count)} ${count === 1 ? 'name was' : 'names were'} taken there: numbered.`,
    stopped: (/** @type {string} */ name, /** @type {string} */ why, /** @type {number} */ done, /** @type {number} */ of) =>
      `${name} could not be written: ${why}. ${texts.number(done)} of ${texts.pictures(of)} are there.`,
    fileInTheWay: (/** @type {string} */ name) => `a file named ${name} lies where a folder is wanted`,
    unreadable: (/** @type {number} */ count) => `${texts.number(count)} ${count === 1 ? 'entry' : 'entries'} of the folder could not be read and ${count === 1 ? 'was' : 'were'} left out.`,
  },
};
