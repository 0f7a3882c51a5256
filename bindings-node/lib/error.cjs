'use strict'
// The one error of this package. Its codes come from the native half's table.

const native = require('./native.cjs')

const table = new Map(native.errorKinds().map((row) => [row.code, Object.freeze(row)]))

class LineshaftError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   */
  constructor(code, message, { data, handle, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.retryable = table.get(code)?.retryable ?? false
    if (data !== undefined) this.data = data
    if (handle !== undefined) this.handle = handle
  }

  static get codes() {
    return [...table.values()]
  }
}
Object.defineProperty(LineshaftError.prototype, 'name', { value: 'LineshaftError', configurable: true, writable: true })

/** What a wait ends with whose signal has been aborted: named and coded as Node's own. */
function aborted(signal) {
  const error = new LineshaftError('ABORT_ERR', 'The operation was aborted', { cause: signal.reason })
  error.name = 'AbortError'
  return error
}

const invalid = (message) => new LineshaftError('INVALID_ARGUMENT', message)

/** What a constructor or call of the native half throws reads `CODE message`. */
function translated(error) {
  const [code] = error.message.split(' ', 1)
  if (table.has(code)) return new LineshaftError(code, error.message.slice(code.length + 1))
  return invalid(error.message)
}

/** Calls the native half. */
function attempt(call) {
  try {
    return call()
  } catch (error) {
    throw translated(error)
  }
}

/** A job that failed, without a word about why: a function of a worker throws it. */
class JobFailed extends Error {
  constructor(message = 'the job has failed') {
    super(message)
    this.name = 'JobFailed'
  }
}

module.exports = { LineshaftError, JobFailed, aborted, invalid, translated, attempt }
