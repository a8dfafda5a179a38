// Put in front of the module that Emscripten makes: what its Node parts expect of CommonJS.
let require, __dirname;
if (typeof process === 'object' && process.versions?.node) {
  const [{ createRequire }, { fileURLToPath }] = await Promise.all([import('node:module'), import('node:url')]);
  require = createRequire(import.meta.url);
  __dirname = fileURLToPath(new URL('.', import.meta.url));
}
