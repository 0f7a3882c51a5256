'use strict'
// This thread's loop: takes the native half's events and hands each to whoever waits for it.

const native = require('./native.cjs')
const { LineshaftError, aborted, attempt } = require('./error.cjs')

const { Kind } = native

/** By operation: who is told. A receiver has a method for every kind of event that its operation has. */
const receivers = []

// The native side calls this at most once, however much has happened, and never while events are being handed out.
const loop = new native.Loop(() => handOut(loop.run()))

function handOut(events) {
  const { length } = events
  for (let i = 0; i < length; ) {
    const id = events[i++]
    const kind = events[i++]
    const receiver = receivers[id]
    try {
      switch (kind) {
        case Kind.Complete:
          i += 2
          receivers[id] = undefined
          receiver?.complete(events[i - 2], events[i - 1])
          break
        case Kind.Job:
          i += 6
          receiver?.job(events[i - 6], events[i - 5], events[i - 4], events[i - 3], events[i - 2], events[i - 1])
          break
        case Kind.Created:
          i += 1
          receiver?.onCreated(events[i - 1])
          break
        case Kind.Data:
          i += 1
          receiver?.data(events[i - 1])
          break
        case Kind.Warning:
          i += 1
          receiver?.warning(events[i - 1])
          break
        case Kind.Status:
          i += 2
          receiver?.status(events[i - 2], events[i - 1])
          break
        case Kind.Done:
          i += 1
          receivers[id] = undefined
          receiver?.done(events[i - 1])
          break
        case Kind.Failed: {
          i += 4
          receivers[id] = undefined
          const [code, message, data, handle] = events.slice(i - 4, i)
          receiver?.failed(new LineshaftError(code, message, { data, handle }))
          break
        }
        case Kind.BrokenOff:
          i += 1
          receiver?.brokenOff(events[i - 1])
          break
        case Kind.Trouble: {
          i += 3
          const [address, code, message] = events.slice(i - 3, i)
          receiver?.trouble(address, new LineshaftError(code, message))
          break
        }
        case Kind.Ended:
          receivers[id] = undefined
          receiver?.ended()
          break
        default:
          throw new Error(`lineshaft: the native part tells of an event ${kind} that the other part does not know`)
      }
    } catch (error) {
      // A listener has thrown: that is the process's business, and no other listener's.
      queueMicrotask(() => {
        throw error
      })
    }
  }
}

// The native side keeps no process alive. This does, while there is something to wait for.
let held = 0
let timer
const { setInterval } = globalThis

function hold() {
  if (held++ > 0) return
  if (timer === undefined) timer = setInterval(() => {}, 0x7fffffff)
  else timer.ref()
}

function release() {
  if (--held === 0) timer.unref()
}

/** Enters who is told of an operation. */
function receive(id, receiver) {
  receivers[id] = receiver
}

/** Ends an operation; nobody is told. */
function remove(id) {
  receivers[id] = undefined
  loop.remove(id)
}

class Answer {
  constructor(resolve, reject) {
    this.resolve = resolve
    this.reject = reject
  }

  done(value) {
    release()
    this.resolve(value)
  }

  failed(error) {
    release()
    this.reject(error)
  }
}

/**
 * Starts an operation with one value as its result and waits for it.
 * @param {() => number} start
 * @param {AbortSignal} [signal]
 */
async function call(start, signal) {
  if (signal?.aborted) throw aborted(signal)
  const id = attempt(start)
  hold()
  let abort
  try {
    return await new Promise((resolve, reject) => {
      receive(id, new Answer(resolve, reject))
      if (signal === undefined) return
      abort = () => {
        remove(id)
        release()
        reject(aborted(signal))
      }
      signal.addEventListener('abort', abort, { once: true })
    })
  } finally {
    if (abort !== undefined) signal.removeEventListener('abort', abort)
  }
}

module.exports = { loop, hold, release, receive, remove, call, handOut }
