/** A folder of pictures through the File System Access API: with all that is in it, names relative to it. */

/** @typedef {{file: File, name: string, path: string}} Given */

/**
 * @param {FileSystemDirectoryHandle} folder
 * @returns {Promise<{found: Given[], unreadable: number}>} in the order of their paths
 */
export async function filesIn(folder) {
  /** @type {Given[]} */
  const found = [];
  let unreadable = 0;
  /** @param {FileSystemDirectoryHandle} within @param {string} path */
  const walk = async (within, path) => {
    /** @type {(FileSystemFileHandle | FileSystemDirectoryHandle)[]} */
    const entries = [];
    try {
      for await (const entry of /** @type {any} */ (within).values()) if (!entry.name.startsWith('.')) entries.push(entry);
    } catch {
      unreadable += 1;
    }
    for (const entry of entries.sort((a, b) => a.name.localeCompare(b.name))) {
      const at = `${path}/${entry.name}`;
      if (entry.kind === 'directory') await walk(/** @type {FileSystemDirectoryHandle} */ (entry), at);
      else {
        // A link that leads nowhere, or no right to read it: the others are taken.
        const file = await /** @type {FileSystemFileHandle} */ (entry).getFile().catch(() => null);
        if (file) found.push({ file, name: file.name, path: at });
        else unreadable += 1;
      }
    }
  };
  await walk(folder, folder.name);
  return { found, unreadable };
}
