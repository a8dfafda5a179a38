/** The engine's worker as promises: one request, one answer, and what it says in between. */
import { EngineError } from '../interface.js';

/** An answer of wasm-worker.js, as far as it is read here. @typedef {{type: string, id: number, address: string, kind: string, message: string}} Answer */
/** @typedef {{stage: string} | {bytes: number, of: number}} Note */

export class WorkerClient {
  /**
   * @param {Worker} worker the engine's
   * @param {(message: string) => void} broken told once when the worker cannot go on
   * @param {(address: string) => void} onRequest told of every request of the worker's
   */
  constructor(worker, broken, onRequest) {
    this.onRequest = onRequest;
    this.count = 0;
    /** @type {Map<number, {resolve: (answer: any) => void, reject: (error: Error) => void, onNote: (note: any) => void}>} */
    this.waiting = new Map();
    this.worker = worker;
    this.worker.onmessage = ({ data }) => this.#take(data);
    this.worker.onerror = (event) => {
      event.preventDefault?.();
      const message = event.message || 'the engine’s worker could not be started';
      this.close(message);
      broken(message);
    };
  }

  /**
   * @param {Record<string, any>} request
   * @param {(note: any) => void} [onNote]
   * @returns {Promise<any>}
   */
  ask(request, onNote = () => {}) {
    const id = ++this.count;
    return new Promise((resolve, reject) => {
      this.waiting.set(id, { resolve, reject, onNote });
      this.worker.postMessage({ ...request, id });
    });
  }

  /** Ends it, whatever it is at: what was asked of it fails. @param {string} message */
  close(message) {
    this.worker.terminate();
    const all = [...this.waiting.values()];
    this.waiting.clear();
    for (const { reject } of all) reject(new EngineError('failed', message));
  }

  /** @param {Answer} answer */
  #take(answer) {
    if (answer.type === 'request') {
      this.onRequest(answer.address);
      return;
    }
    const asked = this.waiting.get(answer.id);
    if (!asked) return;
    if (answer.type === 'stage' || answer.type === 'loading') {
      asked.onNote(answer);
      return;
    }
    this.waiting.delete(answer.id);
    if (answer.type === 'failed') asked.reject(new EngineError(answer.kind, answer.message));
    else asked.resolve(answer);
  }
}
