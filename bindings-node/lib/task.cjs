'use strict'

const { EventEmitter } = require('node:events')
const { loop, hold, release, receive, remove, handOut } = require('./loop.cjs')
const { aborted } = require('./error.cjs')

/** Bytes of events that wait for an iterator, above which no more are taken in. An event counts as 64 and its data. */
const WINDOW = 1 << 20
const EVENT_SIZE = 64

/** Events that the native half tells only where somebody listens. */
const TAKEN = new Set(['created', 'data', 'warning', 'status'])

/** Hands out what came before anybody listened, when whoever asked has had the time to do so. */
function later(events) {
  if (events.length > 0) queueMicrotask(() => handOut(events))
}

/**
 * A submitted job: awaitable for its result, async-iterable for its events, and an EventEmitter.
 * The promise is made when somebody asks for it, so that a task that is followed in another way rejects nowhere.
 */
class Task extends EventEmitter {
  #id
  #background
  #handle
  #over = false
  #error
  #result
  #waiting
  #created
  #iterators
  /** Data that came with other events and that nobody takes as such. */
  #pieces = []
  #listening = false
  #ended
  #signal
  #abort

  /** @param {(task: Task) => number} start gives the id */
  constructor(start, { background, signal, ended }) {
    super()
    this.#background = background
    this.#ended = ended
    if (signal?.aborted) {
      this.#end(aborted(signal))
      return
    }
    try {
      this.#id = start()
    } catch (error) {
      this.#end(error)
      return
    }
    hold()
    receive(this.#id, this)
    if (signal !== undefined) {
      this.#signal = signal
      this.#abort = () => this.cancel(aborted(signal))
      signal.addEventListener('abort', this.#abort, { once: true })
    }
  }

  /** The server's name for the job; undefined until it is known. */
  get handle() {
    return this.#handle
  }

  /** Whether nobody waits for the job's result. */
  get background() {
    return this.#background
  }

  get over() {
    return this.#over
  }

  /** Waits until the server has the job; its handle. */
  created() {
    if (this.#handle !== undefined) return Promise.resolve(this.#handle)
    if (this.#over) return this.#error ? Promise.reject(this.#error) : Promise.resolve(this.#handle)
    later(loop.listen(this.#id, false))
    return new Promise((resolve, reject) => {
      this.#created ??= []
      this.#created.push({ resolve, reject })
    })
  }

  then(fulfilled, rejected) {
    return this.#promise().then(fulfilled, rejected)
  }

  catch(rejected) {
    return this.#promise().then(undefined, rejected)
  }

  finally(callback) {
    return this.#promise().finally(callback)
  }

  get [Symbol.toStringTag]() {
    return 'Task'
  }

  #promise() {
    if (this.#waiting === undefined) {
      if (this.#over) {
        this.#waiting = { promise: this.#error ? Promise.reject(this.#error) : Promise.resolve(this.#result) }
      } else {
        const waiting = {}
        waiting.promise = new Promise((resolve, reject) => {
          waiting.resolve = resolve
          waiting.reject = reject
        })
        this.#waiting = waiting
      }
    }
    return this.#waiting.promise
  }

  on(name, listener) {
    if (TAKEN.has(name)) this.#listen()
    return super.on(name, listener)
  }

  addListener(name, listener) {
    return this.on(name, listener)
  }

  prependListener(name, listener) {
    if (TAKEN.has(name)) this.#listen()
    return super.prependListener(name, listener)
  }

  /** Every event from now on, those before it where nobody has taken them, up to the result; throws the task's error. */
  [Symbol.asyncIterator]() {
    const iterator = new Events(this.#id)
    if (this.#over) {
      if (this.#error) iterator.fail(this.#error)
      else iterator.put({ type: 'complete', data: this.#result }, 0)
      iterator.end()
      return iterator
    }
    for (const data of this.#pieces.splice(0)) iterator.put({ type: 'data', data }, data.length)
    this.#iterators ??= new Set()
    this.#iterators.add(iterator)
    iterator.left = () => this.#iterators.delete(iterator)
    this.#listen()
    return iterator
  }

  #listen() {
    if (this.#listening || this.#over) return
    this.#listening = true
    later(loop.listen(this.#id, true))
  }

  #tell(event, size) {
    if (this.#iterators !== undefined) for (const iterator of this.#iterators) iterator.put(event, size)
  }

  /** Stops waiting for the job, which may run all the same. */
  cancel(error) {
    if (this.#over) return
    remove(this.#id)
    this.#end(error ?? aborted({ reason: undefined }))
  }

  // What the loop calls.

  onCreated(handle) {
    this.#handle = handle
    if (this.#created !== undefined) {
      for (const { resolve } of this.#created) resolve(handle)
      this.#created = undefined
    }
    if (this.listenerCount('created') > 0) this.emit('created', handle)
  }

  data(data) {
    if (this.listenerCount('data') > 0) this.emit('data', data)
    else if (!this.#iterators?.size) this.#pieces.push(data)
    this.#tell({ type: 'data', data }, data.length)
  }

  warning(data) {
    this.#tell({ type: 'warning', data }, data.length)
    this.emit('warning', data)
  }

  status(numerator, denominator) {
    this.#tell({ type: 'status', numerator, denominator }, 0)
    this.emit('status', numerator, denominator)
  }

  complete(data, handle) {
    if (this.#handle === undefined && handle !== undefined) this.onCreated(handle)
    const result = this.#pieces.length > 0 ? Buffer.concat([...this.#pieces.splice(0), data]) : data
    this.#end(undefined, this.#background ? handle : result)
  }

  failed(error) {
    this.#handle ??= error.handle
    this.#end(error)
  }

  #end(error, result) {
    this.#over = true
    this.#error = error
    this.#result = result
    if (this.#id !== undefined) release()
    if (this.#abort !== undefined) this.#signal.removeEventListener('abort', this.#abort)
    this.#ended?.(this)
    if (this.#created !== undefined) {
      for (const { resolve, reject } of this.#created) error ? reject(error) : resolve(this.#handle)
      this.#created = undefined
    }
    if (this.#iterators !== undefined) {
      for (const iterator of this.#iterators) {
        if (error) iterator.fail(error)
        else iterator.put({ type: 'complete', data: result }, 0)
        iterator.end()
      }
    }
    if (this.#waiting !== undefined) {
      if (error) this.#waiting.reject(error)
      else this.#waiting.resolve(result)
    }
    if (error) {
      if (this.listenerCount('error') > 0) this.emit('error', error)
    } else if (this.listenerCount('complete') > 0) {
      this.emit('complete', result)
    }
  }
}

/** Events on their way to one `for await`. */
class Events {
  #id
  #queue = []
  #size = 0
  #paused = false
  #over = false
  #error
  #waiting = []
  left

  constructor(id) {
    this.#id = id
  }

  put(event, size) {
    if (this.#waiting.length > 0) {
      this.#waiting.shift().resolve({ value: event, done: false })
      return
    }
    this.#queue.push(event)
    this.#size += size + EVENT_SIZE
    if (!this.#paused && !this.#over && this.#size > WINDOW) {
      this.#paused = true
      loop.pause(this.#id, true)
    }
  }

  fail(error) {
    this.#error = error
  }

  end() {
    this.#over = true
    for (const { resolve, reject } of this.#waiting.splice(0)) {
      const error = this.#error
      this.#error = undefined
      if (error) reject(error)
      else resolve({ value: undefined, done: true })
    }
  }

  next() {
    if (this.#queue.length > 0) {
      const event = this.#queue.shift()
      this.#size -= (event.data?.length ?? 0) + EVENT_SIZE
      this.#resume(WINDOW / 2)
      return Promise.resolve({ value: event, done: false })
    }
    if (this.#error) {
      const error = this.#error
      this.#error = undefined
      return Promise.reject(error)
    }
    if (this.#over) return Promise.resolve({ value: undefined, done: true })
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }))
  }

  #resume(limit) {
    if (!this.#paused || this.#over || this.#size > limit) return
    this.#paused = false
    loop.pause(this.#id, false)
  }

  /** The loop has been left. */
  return() {
    this.#queue = []
    this.#size = 0
    this.#resume(Infinity)
    this.left?.()
    this.end()
    return Promise.resolve({ value: undefined, done: true })
  }

  [Symbol.asyncIterator]() {
    return this
  }
}

module.exports = { Task }
