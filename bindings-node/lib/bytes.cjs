'use strict'

const { invalid } = require('./error.cjs')

const EMPTY = Buffer.alloc(0)

/** What callers may give where bytes travel: bytes, text as UTF-8, or nothing. */
function bytes(value, what) {
  if (value instanceof Uint8Array) return value
  if (typeof value === 'string') return Buffer.from(value)
  if (value === undefined || value === null) return EMPTY
  throw invalid(`${what} is ${typeof value}; it can be a Buffer, a Uint8Array, a string or nothing`)
}

module.exports = { bytes }
