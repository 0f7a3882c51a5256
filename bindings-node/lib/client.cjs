'use strict'

const native = require('./native.cjs')
const { LineshaftError, aborted, attempt, invalid } = require('./error.cjs')
const { loop, call } = require('./loop.cjs')
const { bytes } = require('./bytes.cjs')
const { places } = require('./servers.cjs')
const { Task } = require('./task.cjs')

const PRIORITIES = ['high', 'normal', 'low']

/** Jobs of submitMany and map under way where nothing else is said. */
const IN_FLIGHT = 1024

/** How long close() waits for background jobs to be taken over by the server, in milliseconds. */
const CLOSE_DEADLINE = 5000

/** The options of a submission as the native half takes them; nothing where there are none. */
function parameters(options, background, tellCreated) {
  const { priority, unique, runAt, delay, schedule, reducer, timeout } = options
  const said = priority ?? unique ?? runAt ?? delay ?? schedule ?? reducer ?? timeout
  if (said === undefined && !background && !tellCreated) return undefined
  const index = priority === undefined ? undefined : PRIORITIES.indexOf(priority)
  if (index === -1) throw invalid(`priority is '${priority}'; it can be 'high', 'normal' or 'low'`)
  if ((runAt !== undefined) + (delay !== undefined) + (schedule !== undefined) > 1) {
    throw invalid('of runAt, delay and schedule a submission can have one')
  }
  return {
    priority: index,
    background,
    unique: unique === true ? undefined : unique,
    uniqueWorkload: unique === true,
    runAt: runAt === undefined ? undefined : second(runAt),
    delay,
    schedule,
    reducer,
    timeout,
    tellCreated,
  }
}

function second(time) {
  const milliseconds = time instanceof Date ? time.getTime() : time
  if (!Number.isFinite(milliseconds)) throw invalid('runAt is no time; give a Date, or milliseconds since 1970')
  return milliseconds / 1000
}

class Client {
  #native
  #tasks = new Set()
  #closing
  #drained
  #ended = (task) => {
    this.#tasks.delete(task)
    this.#drained?.()
  }

  constructor(servers, options = {}) {
    const list = places(servers)
    this.#native = attempt(() => new native.NativeClient(loop, list, options))
  }

  /** Connects now, where the first request would. */
  connect({ signal } = {}) {
    return call(() => this.#native.connect(), signal)
  }

  submit(name, workload, options) {
    return this.#submit(name, workload, options, false)
  }

  #submit(name, workload, options = {}, tellCreated) {
    const { signal, background, runAt, delay, schedule } = options
    const behind = Boolean(background || runAt !== undefined || delay !== undefined || schedule !== undefined)
    const start = () => {
      if (typeof name !== 'string') throw invalid(`the function is ${typeof name}; it is called by its name`)
      const data = bytes(workload, 'the workload')
      const rest = parameters(options, behind, tellCreated)
      return attempt(() => this.#native.submit(name, data, rest))
    }
    const task = new Task(start, { background: behind, signal, ended: this.#ended })
    if (!task.over) this.#tasks.add(task)
    return task
  }

  /**
   * Submits many jobs; at most `inFlight` wait for the server's answer, and no job is asked for before there is room.
   * Iterated: each job's handle and task, in order, when the server has the job. Awaited: all of them.
   */
  submitMany(jobs, options) {
    return new Tasks(this.#created(jobs, options))
  }

  async *#created(jobs, { inFlight = IN_FLIGHT, signal } = {}) {
    const submit = ({ function: name, workload, ...rest }) => {
      const task = this.#submit(name, workload, { signal, ...rest }, true)
      const created = task.created().then(
        (handle) => ({ handle }),
        (error) => ({ error }),
      )
      return { task, created }
    }
    for await (const { task, created } of window(jobs, inFlight, signal, submit)) {
      const { handle, error } = await created
      if (error) throw error
      // Not the task alone: whoever is given it would wait for its result.
      yield { handle, task }
    }
  }

  /** Runs foreground jobs, at most `inFlight` at once; their results, in the order of the jobs. */
  async *map(name, workloads, { inFlight = IN_FLIGHT, ...options } = {}) {
    const submit = (workload) => {
      const task = this.submit(name, workload, options)
      // Awaited below, perhaps after others: until then its error is nobody's.
      return { result: task.then((value) => ({ value }), (error) => ({ error })), cancel: () => task.cancel() }
    }
    for await (const { result } of window(workloads, inFlight, options.signal, submit)) {
      const { value, error } = await result
      if (error) throw error
      yield value
    }
  }

  /** How a job stands. */
  async status(handle, { signal } = {}) {
    return standing(await call(() => this.#native.status(handle), signal))
  }

  /** How the job with this unique stands. */
  async statusByUnique(unique, { signal } = {}) {
    return standing(await call(() => this.#native.statusByUnique(unique), signal))
  }

  /** Sends bytes to the server and compares what comes back. */
  echo(data, { signal } = {}) {
    return call(() => this.#native.echo(bytes(data, 'the data')), signal)
  }

  /**
   * Ends the connection. Background jobs are handed to the server first, for at most `deadline` ms; who waits for another
   * task hears SHUTDOWN.
   */
  close({ deadline = CLOSE_DEADLINE } = {}) {
    this.#closing ??= this.#close(deadline)
    return this.#closing
  }

  async #close(deadline) {
    const closed = () => new LineshaftError('SHUTDOWN', 'submit: SHUTDOWN: the client has been closed')
    for (const task of [...this.#tasks]) if (!task.background) task.cancel(closed())
    if (this.#tasks.size > 0) {
      await new Promise((resolve) => {
        const timer = setTimeout(resolve, deadline)
        this.#drained = () => {
          if (this.#tasks.size > 0) return
          clearTimeout(timer)
          resolve()
        }
      })
      for (const task of [...this.#tasks]) task.cancel(closed())
    }
    this.#native.close()
  }

  async [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]() {
    await this.close()
  }
}

/** Starts one job for each item, never more than `size` ahead of who takes them. */
async function* window(items, size, signal, start) {
  if (!(size >= 1)) throw invalid('inFlight is a number from 1 on')
  const iterator = items[Symbol.asyncIterator]?.() ?? items[Symbol.iterator]?.()
  if (iterator === undefined) throw invalid('the jobs are neither iterable nor async iterable')
  const started = []
  let more = true
  try {
    while (more || started.length > 0) {
      if (signal?.aborted) throw aborted(signal)
      while (more && started.length < size) {
        const { value, done } = await iterator.next()
        if (done) more = false
        else started.push(start(await value))
      }
      if (started.length > 0) yield started.shift()
    }
  } finally {
    for (const { cancel } of started) cancel?.()
    if (more) await iterator.return?.()
  }
}

/** The tasks of submitMany: async-iterable, and awaitable. */
class Tasks {
  #inner

  constructor(inner) {
    this.#inner = inner
  }

  [Symbol.asyncIterator]() {
    return this.#inner
  }

  then(fulfilled, rejected) {
    const all = async () => {
      const tasks = []
      for await (const task of this.#inner) tasks.push(task)
      return tasks
    }
    return all().then(fulfilled, rejected)
  }
}

function standing([known, running, numerator, denominator, clients]) {
  return clients === undefined
    ? { known, running, numerator, denominator }
    : { known, running, numerator, denominator, clients }
}

module.exports = { Client }
