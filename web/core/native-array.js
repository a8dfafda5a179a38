/**
 * Arrays in the core's memory: what every operation takes and gives.
 *
 * A picture is height x width x channels, rows packed, in that order; an alpha has one channel. The memory
 * is the module's, not the collector's: `release` gives it back. Views of it end with the next operation,
 * which may move the memory.
 */

/** @typedef {'uint8' | 'uint16' | 'float32' | 'float16'} DType float16 by its bits, in a Uint16Array */
/** @typedef {Uint8Array | Uint8ClampedArray | Uint16Array | Float32Array} Samples */
/**
 * Pixels outside the core's memory.
 * @typedef {{data: Samples, height: number, width: number, channels?: number, dtype?: DType}} Pixels
 */
/** @typedef {import('./calls.js').Calls} Core */

/** Words of a descriptor: data, type, height, width, channels, stride_y, stride_x, stride_c. */
export const DESCRIPTOR_WORDS = 8;
/** Numbers that cpp/bindings/web/core_abi.cpp knows the types by, and bytes an element. */
const TYPES = { uint8: [1, 1], uint16: [2, 2], float32: [3, 4], float16: [4, 2] };

/** The element type of samples. @param {Samples} data @returns {DType} */
function dtypeOf(data) {
  if (data instanceof Uint8Array || data instanceof Uint8ClampedArray) return 'uint8';
  if (data instanceof Uint16Array) return 'uint16';
  if (data instanceof Float32Array) return 'float32';
  throw new TypeError(`pixels are a Uint8Array, a Uint16Array or a Float32Array, not ${/** @type {any} */ (data)?.constructor?.name ?? typeof data}`);
}

export class NativeArray {
  /**
   * Contents undefined.
   * @param {Core} core whose memory it is in
   * @param {DType} dtype
   * @param {number} height
   * @param {number} width
   * @param {number} [channels]
   * @param {boolean} [planar] channels x height x width, as networks take it
   */
  constructor(core, dtype, height, width, channels = 1, planar = false) {
    if (!(dtype in TYPES)) throw new TypeError(`an array holds uint8, uint16, float32 or float16, not ${dtype}`);
    for (const size of [height, width, channels]) {
      if (!Number.isInteger(size) || size < 1) throw new RangeError(`an array needs whole sizes from 1 on, not ${height} x ${width} x ${channels}`);
    }
    this.core = core;
    this.dtype = dtype;
    this.height = height;
    this.width = width;
    this.channels = channels;
    this.planar = planar;
    this.length = height * width * channels;
    this.pointer = core.acquire(this.length * TYPES[dtype][1]);
  }

  /**
   * A copy of pixels in the core's memory.
   * @param {Core} core @param {Pixels} pixels @returns {NativeArray}
   */
  static from(core, { data, height, width, channels = 1, dtype = dtypeOf(data) }) {
    if (data.length !== height * width * channels) {
      throw new RangeError(`${height} x ${width} x ${channels} pixels have ${height * width * channels} samples, not ${data.length}`);
    }
    if (TYPES[dtype][1] !== data.BYTES_PER_ELEMENT) throw new TypeError(`a ${data.constructor.name} holds no ${dtype}`);
    const array = new NativeArray(core, dtype, height, width, channels);
    array.view().set(data);
    return array;
  }

  /** The samples where they are, until the next operation. @returns {Uint8Array | Uint16Array | Float32Array} */
  view() {
    const { buffer } = this.core;
    const at = this.held();
    if (this.dtype === 'uint8') return new Uint8Array(buffer, at, this.length);
    if (this.dtype === 'float32') return new Float32Array(buffer, at, this.length);
    return new Uint16Array(buffer, at, this.length);
  }

  /** A part of it, where it is; lives as long as the array. @param {import('./core.js').Box} box @returns {NativePart} */
  part(box) {
    return new NativePart(this, box);
  }

  /** A copy outside the core's memory. */
  copy() {
    return this.view().slice();
  }

  /** Gives the memory back; more than once is allowed. */
  release() {
    if (this.pointer !== 0) this.core.release(this.pointer);
    this.pointer = 0;
  }

  /** @param {Uint32Array} words where the descriptor goes */
  describe(words) {
    const { height, width, channels } = this;
    const strides = this.planar ? [width, 1, height * width] : [width * channels, channels, 1];
    words.set([this.held(), TYPES[this.dtype][0], height, width, channels, ...strides]);
  }

  /** The memory's address; an error once it was released. */
  held() {
    if (this.pointer === 0) throw new TypeError('this array was released');
    return this.pointer;
  }
}

/** A box of an array, of which it has nothing of its own. */
export class NativePart {
  /** @param {NativeArray} array packed, not planar @param {import('./core.js').Box} box inside it */
  constructor(array, { top, left, bottom, right }) {
    if (array.planar || !(top >= 0 && left >= 0 && top < bottom && left < right && bottom <= array.height && right <= array.width)) {
      throw new RangeError(`${array.height} x ${array.width} pixels have no part from ${top}, ${left} to ${bottom}, ${right}`);
    }
    this.array = array;
    this.core = array.core;
    this.dtype = array.dtype;
    this.height = bottom - top;
    this.width = right - left;
    this.channels = array.channels;
    this.first = (top * array.width + left) * array.channels;
  }

  /** @param {Uint32Array} words where the descriptor goes */
  describe(words) {
    const { array, dtype, height, width, channels } = this;
    const [type, bytes] = TYPES[dtype];
    words.set([array.held() + this.first * bytes, type, height, width, channels, array.width * channels, channels, 1]);
  }
}

/** The element type of an array or of pixels. @param {NativeArray | NativePart | Pixels} input @returns {DType} */
export const dtypeOfInput = (input) => input.dtype ?? dtypeOf(/** @type {Pixels} */ (input).data);
