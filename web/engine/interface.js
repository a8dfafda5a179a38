/**
 * What the page asks of the engine behind it: the types that go in and out, and the error that it throws.
 *
 * The page knows nothing else of where pictures are computed. `server.js` implements this over HTTP on this
 * computer, `wasm.js` in a worker of the page. Coordinates are pixels of the
 * upright picture, x to the right and y down; sizes are pixels, times milliseconds.
 */

/**
 * A rectangle of a layer and the output pixels per layer pixel; or `fit`: the whole layer, its longest side at
 * most so many pixels.
 * @typedef {{x: number, y: number, width: number, height: number, scale: number} | {fit: number}} View
 */

/** @typedef {'cutout' | 'alpha' | 'original' | 'framed'} Layer */

/** @typedef {[number, number]} Point */

/** @typedef {{kind: 'keep' | 'drop', radius: number, points: Point[]}} Stroke */

/**
 * @typedef {object} Corrections
 * @property {[number, number, number, number] | null} box left, top, right, bottom: the subject lies within
 * @property {Point[]} keep points of the subject
 * @property {Point[]} drop points of the background
 * @property {Stroke[]} strokes painted, later over earlier
 */

/**
 * @typedef {object} Framing
 * @property {boolean} trim cut the empty border off
 * @property {string | null} profile a marketplace's demands, by name
 * @property {string | null} canvas "WIDTHxHEIGHT"
 * @property {number} fill share of the canvas that the subject takes, 0.1 to 1
 * @property {string | null} align where the subject stands; null: in the middle, or as the preset says
 * @property {false | 'drop' | 'contact'} shadow
 * @property {null | string | {picture: string}} background "#rrggbb", "blur", or a picture given to `addBackground`
 * @property {number | null} [blur] with "blur": radius of the largest circle of confusion, as a share of the picture's
 *   diagonal, 0.001 to 0.05; null: the engine's own
 */

/**
 * Everything that a person may ask of one picture; always sent whole.
 * @typedef {object} Edit
 * @property {string} model
 * @property {string} effort
 * @property {string} refine level of the full-size refinement of the alpha
 * @property {string} foreground method that estimates the colours of the soft band
 * @property {number} decontaminate share of the estimated colour, 0 to 1
 * @property {number} softness 0 to 1
 * @property {number} choke -1 (grow) to 1 (shrink)
 * @property {Corrections} corrections
 * @property {Framing} framing
 */

/**
 * @typedef {object} Result
 * @property {string} model
 * @property {string} [method]
 * @property {number | null} confidence 0 to 1, or null where it is not known
 * @property {boolean | null} low_confidence a person should look
 * @property {{backend?: string, device?: string, precision?: string, fallbacks?: string[]}} plan what ran
 * @property {Record<string, number>} timings milliseconds by stage, in the order they ran
 * @property {[number, number, number, number] | null} [bbox]
 * @property {string[]} [notes]
 */

/**
 * @typedef {object} Picture
 * @property {string} id
 * @property {string} name
 * @property {string | null} [path] where it lay in a folder
 * @property {number} width
 * @property {number} height
 * @property {number} bytes
 * @property {'queued' | 'running' | 'done' | 'failed' | 'cancelled'} state
 * @property {string | null} [stage]
 * @property {number} progress 0 to 1
 * @property {{kind: string, message: string} | null} error
 * @property {number} revision of the result; grows with every change
 * @property {Edit} edit
 * @property {Result | null} result
 * @property {{width: number, height: number} | null} [framed]
 */

/**
 * @typedef {object} Model
 * @property {string} name
 * @property {string} [title]
 * @property {string} [licence]
 * @property {boolean | null} [commercial] null: not settled
 * @property {boolean} here it can run at once
 * @property {boolean} [unfitted] nothing says how far its results are to be trusted
 * @property {string | null} [reason] why it is not here
 */

/**
 * A network that enlarges, denoises or deblocks a result as it is taken.
 * @typedef {object} Enhancer
 * @property {string} name
 * @property {string} [title]
 * @property {string} [licence]
 * @property {number[]} upscales times the sides that it can give
 * @property {boolean} denoise it can be told how strongly
 * @property {boolean} deblock the same for JPEG's blocks
 */

/**
 * @typedef {object} Enhance
 * @property {string} model an `Enhancer`'s name
 * @property {number} upscale
 * @property {number} [denoise] 0 to 1; not there: as the network does by itself
 * @property {'auto' | 0} [deblock] not there: by the file's own compression
 */

/**
 * @typedef {object} About
 * @property {string} version
 * @property {string} [isa]
 * @property {{backend?: string, device?: string, precision?: string, fallbacks?: string[]}} plan
 * @property {string} [device_name]
 * @property {Model[]} models
 * @property {{name: string, title?: string, summary?: string}[]} profiles
 * @property {string[]} efforts
 * @property {string[]} refines
 * @property {string[]} [foreground_methods]
 * @property {string[]} [aligns] ways that a subject stands on a canvas
 * @property {string[]} formats
 * @property {Enhancer[]} [enhance] empty, or not there: this engine cannot enhance
 * @property {string | null} session_folder
 * @property {{max_pixels: number, max_bytes: number}} limits
 * @property {{name: string, url: string}[]} samples
 * @property {Edit} defaults
 * @property {{pass: number, perMegapixel: number}} [pace] milliseconds that a picture will take, where a probe measured it
 */

/** @typedef {{waiting: number, running: number, done: number, failed: number}} Queue */

/**
 * @typedef {{type: 'picture', picture: Picture} | {type: 'removed', id: string} | {type: 'queue', queue: Queue} |
 *   {type: 'ready'} | {type: 'offline'} | {type: 'unauthorized'} | {type: 'loading', bytes: number, of: number} | {type: 'opened'} |
 *   {type: 'failed', message: string} | {type: 'request', path: string} | {type: 'paused', paused: boolean} |
 *   {type: 'keeping'}} EngineEvent
 * `ready` comes with every connection, the first as well: what the page holds may be old, read all again. Of an engine
 * in the page: `loading` while its files come, `opened` once it can work, `failed` where it cannot start or ended, `request` for every request
 * to the site's server, `keeping` where what `keeping()` says changed.
 */

/**
 * @typedef {object} Rendered
 * @property {ImageBitmap} image
 * @property {number} layerWidth of the whole layer at scale 1
 * @property {number} layerHeight
 * @property {number} milliseconds from asking to pixels
 */

/**
 * @typedef {object} BatchState
 * @property {'idle' | 'running' | 'done' | 'failed' | 'cancelled'} state
 * @property {string} [folder]
 * @property {string} [output]
 * @property {number} done
 * @property {number} failed
 * @property {number | null} total
 * @property {string | null} [report] path of the report page
 * @property {string | {kind: string, message: string} | null} [error]
 */

/**
 * @typedef {object} Keeping
 * @property {boolean} on what comes is kept
 * @property {string | null} why it is not
 * @property {boolean} wanted by the person
 * @property {number} bytes of the pictures and results that are there
 * @property {boolean} paused
 */

/**
 * @typedef {object} Engine
 * @property {{batch: boolean, corrections: boolean, edge: boolean, shadow: boolean, backgrounds: string[], pause: boolean}} offers
 *   what else it can do: a batch of folders, corrections, softness and choke, shadows; backgrounds of the frame; wait with what
 *   is queued
 * @property {boolean} [inPage] it runs in the page itself: nothing but the site's files ever crosses a network
 * @property {() => Promise<About>} about
 * @property {() => Promise<Picture[]>} pictures
 * @property {(file: Blob, how: {name: string, path?: string, signal?: AbortSignal,
 *   onProgress?: (share: number) => void}) => Promise<Picture>} add
 * @property {(id: string) => Promise<void>} remove
 * @property {() => Promise<void>} clear
 * @property {(id: string) => Promise<void>} cancel
 * @property {(id: string) => Promise<void>} retry
 * @property {(id: string, edit: Edit) => Promise<{revision: number}>} setEdit
 * @property {(id: string, edit: Edit, view: View, layer: Layer, signal?: AbortSignal) => Promise<Rendered>} preview
 * @property {(id: string, view: View, layer: Layer, revision: number, signal?: AbortSignal) => Promise<Rendered>} view
 * @property {(id: string, revision: number, layer: Layer, size: number) => Promise<string>} thumbnail address of an
 *   image; to be released with URL.revokeObjectURL where it begins with "blob:"
 * @property {(id: string, how: {format: string, quality?: number, mask?: boolean, enhance?: Enhance}) =>
 *   Promise<{blob: Blob, name: string}>} download
 * @property {(how: {format: string, quality?: number, enhance?: Enhance}) => Promise<{url: string, name: string}>}
 *   downloadAll every result
 * @property {(paused: boolean) => Promise<void>} [pause] begin with no other picture, or go on
 * @property {(folder: FileSystemDirectoryHandle, how?: {onProgress?: (done: number, of: number) => void}) =>
 *   Promise<{written: number, numbered: number}>} [writeAll] every result as a file of its own; overwrites none
 * @property {() => Promise<{pictures: number, waiting: number}>} [restored] how many pictures of the last visit are here again
 * @property {() => Keeping} [keeping] whether pictures outlast the page
 * @property {(wanted: boolean) => Promise<void>} [keep] false removes what is kept
 * @property {(file: Blob, name: string) => Promise<{id: string}>} addBackground
 * @property {(sample: {name: string, url: string}) => Promise<Blob>} sample
 * @property {(sample: {name: string, url: string}) => string} sampleUrl for showing
 * @property {(spec: {folder: string, output: string, profile: string | null, model: string}) =>
 *   Promise<void>} startBatch
 * @property {() => Promise<BatchState>} batch
 * @property {() => Promise<void>} stopBatch
 * @property {(listener: (event: EngineEvent) => void) => () => void} subscribe gives what ends it
 */

/** Something that the engine could not do, in words for the person; `kind` is for the page. */
export class EngineError extends Error {
  /**
   * @param {string} kind "offline", "unauthorized", "busy", or the engine's own word
   * @param {string} message
   * @param {number} [retryAfter] milliseconds
   */
  constructor(kind, message, retryAfter) {
    super(message);
    this.name = 'EngineError';
    this.kind = kind;
    this.retryAfter = retryAfter;
  }
}
