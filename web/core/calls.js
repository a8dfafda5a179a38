/**
 * A module of the core and how it is called: its memory, the blocks of a call, words and numbers handed over,
 * errors and reports handed back. What it is called for stands in core.js and the files beside it.
 */
import { DESCRIPTOR_WORDS, dtypeOfInput, NativeArray, NativePart } from './native-array.js';

/** @typedef {import('./native-array.js').Pixels} Pixels */
/** @typedef {NativeArray | NativePart | Pixels} Input arrays in the core's memory are used where they are, others are copied */
/** @typedef {'simd-threads' | 'simd' | 'plain'} Build */

/** Something that the core could not do; `kind` is "invalid" (an argument), "memory" or "failed". */
export class CoreError extends Error {
  /** @param {'invalid' | 'memory' | 'failed'} kind @param {string} message */
  constructor(kind, message) {
    super(message);
    this.name = 'CoreError';
    this.kind = kind;
  }
}

export class Calls {
  /** @param {any} module Emscripten's @param {WebAssembly.Memory | null} memory the shared one @param {Build} build @param {number} threads */
  constructor(module, memory, build, threads) {
    this.module = module;
    this.memory = memory;
    this.build = build;
    this.threads = threads;
    /** @type {number[]} blocks of the call that is being made */
    this.scratch = [];
  }

  /** The core's memory as it is now; it may move with every call. @returns {ArrayBufferLike} */
  get buffer() {
    // The module's own views of a shared memory are old once another thread has grown it.
    return this.memory?.buffer ?? this.module.HEAPU8.buffer;
  }

  /** All of it, until the next call. @returns {Uint8Array} */
  get bytes() {
    return new Uint8Array(this.buffer);
  }

  /** Bytes in arrays that were not released. */
  get heldBytes() {
    return this.module._nssbg_held_bytes() >>> 0;
  }

  /** Bytes that the module has taken from the system; they never go back. */
  get memoryBytes() {
    return this.bytes.length;
  }

  /** @param {number} bytes @returns {number} the block's address */
  acquire(bytes) {
    // Sizes are 32 bits in there, and a larger one would wrap.
    const block = bytes < 2 ** 32 - 2 ** 16 ? this.module._nssbg_acquire(bytes) >>> 0 : 0;
    if (block === 0) throw new CoreError('memory', `no memory left for ${Math.ceil(bytes / 2 ** 20)} MB more`);
    return block;
  }

  /** @param {number} block */
  release(block) {
    this.module._nssbg_release(block);
  }

  /** Gives idle blocks back to the module's allocator. */
  trim() {
    this.module._nssbg_trim();
  }

  /** @param {Pixels} pixels @returns {NativeArray} */
  array(pixels) {
    return NativeArray.from(this, pixels);
  }

  /** Releases the blocks that a call was given. @template T @param {() => T} body @returns {T} */
  scoped(body) {
    const before = this.scratch.length;
    try {
      return body();
    } finally {
      for (const block of this.scratch.splice(before)) this.release(block);
    }
  }

  /** @param {NativeArray} array @param {(array: NativeArray) => void} fill @returns {NativeArray} */
  result(array, fill) {
    try {
      this.scoped(() => fill(array));
      return array;
    } catch (error) {
      array.release();
      throw error;
    }
  }

  /** Throws what a call could not do. @param {string} name @param {...number} args */
  call(name, ...args) {
    const status = this.module[`_nssbg_${name}`](...args);
    if (status !== 0) throw new CoreError(/** @type {const} */ (['invalid', 'memory', 'failed'])[status - 1], this.text());
  }

  text() {
    const begin = this.module._nssbg_text() >>> 0;
    // Shared memory cannot be decoded where it is.
    return new TextDecoder().decode(this.bytes.slice(begin, this.bytes.indexOf(0, begin)));
  }

  /** The address of an array's descriptor; 0 for none. @param {Input | null} input */
  of(input) {
    if (input === null) return 0;
    const array = input instanceof NativeArray || input instanceof NativePart ? input : this.array(input);
    if (array !== input) this.scratch.push(/** @type {NativeArray} */ (array).pointer);
    if (array.core !== this) throw new TypeError('this array is in the memory of another core');
    const words = new Uint32Array(DESCRIPTOR_WORDS);
    array.describe(words);
    return this.block(words);
  }

  /** An array of an input's type and size. @param {Input} input @param {number} channels */
  like(input, channels) {
    return new NativeArray(this, dtypeOfInput(input), input.height, input.width, channels);
  }

  /** @param {string} word */
  word(word) {
    return this.block(new TextEncoder().encode(`${word}\0`));
  }

  /** @param {number[]} values */
  ints(values) {
    return this.block(Int32Array.from(values));
  }

  /** @param {number[]} values */
  doubles(values) {
    return this.block(Float64Array.from(values));
  }

  /** A copy of data for this call. @param {ArrayBufferView} data @returns {number} */
  block(data) {
    const block = this.acquire(Math.max(1, data.byteLength));
    this.scratch.push(block);
    this.bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), block);
    return block;
  }

  /** Words of the core's memory, until the next call. @param {number} address @param {number} count */
  words(address, count) {
    return new Int32Array(this.buffer, address, count);
  }
}
