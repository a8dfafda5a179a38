/**
 * The page's side of the service worker: registers it, and waits until it stands between the page and the network.
 *
 * Only then are the engine's files asked for, so that its workers come with the policy and all is kept.
 */

/** A page without it works, but not without a network: it is not waited for much longer than it takes. */
const LONGEST_WAIT = 15_000;

/** @param {URL} site @returns {Promise<boolean>} whether it is there */
export async function controlled(site) {
  const { serviceWorker } = navigator;
  if (!serviceWorker) return false; // not a secure context, or a window that keeps nothing
  try {
    await serviceWorker.register(new URL('service-worker.js', site), { scope: site.pathname });
  } catch {
    return false;
  }
  if (serviceWorker.controller) return true;
  return new Promise((resolve) => {
    const late = setTimeout(() => resolve(false), LONGEST_WAIT);
    const there = () => {
      clearTimeout(late);
      resolve(true);
    };
    serviceWorker.addEventListener('controllerchange', there, { once: true });
    // A page that was reloaded past all caches has none, although one is there.
    serviceWorker.ready.then(({ active }) => active?.postMessage({ type: 'claim' }));
  });
}

/**
 * Counts requests that leave for the site's server: by what the service worker says, which sees all; without one by what the
 * browser lists of the page, and what the engine's worker says of its own.
 * @param {boolean} through whether the service worker stands between
 * @param {(path: string) => void} onRequest
 * @returns {(address: string) => void} takes the worker's own
 */
export function watchRequests(through, onRequest) {
  if (through) {
    navigator.serviceWorker.addEventListener('message', ({ data }) => data?.type === 'request' && onRequest(data.path));
    navigator.serviceWorker.startMessages();
    return () => {};
  }
  const report = (/** @type {string} */ address) => /^https?:/.test(address) && onRequest(address);
  new PerformanceObserver((list) => list.getEntries().forEach(({ name }) => report(name))).observe({ type: 'resource', buffered: true });
  return report;
}
