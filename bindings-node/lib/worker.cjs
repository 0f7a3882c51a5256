'use strict'

const { EventEmitter } = require('node:events')
const native = require('./native.cjs')
const { LineshaftError, JobFailed, attempt, invalid } = require('./error.cjs')
const { loop, hold, release, receive, remove, call } = require('./loop.cjs')
const { bytes } = require('./bytes.cjs')
const { places } = require('./servers.cjs')

/** How long stop() lets jobs go on where nothing else is said, in milliseconds. */
const STOP_DEADLINE = 30_000

/** How often a job whose signal is in use asks its server whether it still exists, in milliseconds. */
const CANCEL_CHECK = 1000

class Worker extends EventEmitter {
  #servers
  #options
  #functions = new Map()
  #native
  #jobs = new Map()
  #names = []
  #over
  #cancelCheck
  #receiver

  constructor(servers, { cancelCheck = CANCEL_CHECK, ...options } = {}) {
    super()
    this.#servers = servers
    this.#options = options
    this.#cancelCheck = cancelCheck
    places(servers)
  }

  /** Jobs at once on each server. Can be set before the start. */
  get concurrency() {
    return this.#options.concurrency ?? 1
  }

  set concurrency(jobs) {
    this.#mustNotRun('concurrency')
    this.#options.concurrency = jobs
  }

  get running() {
    return this.#native !== undefined && this.#over.result === undefined
  }

  /** Adds a function, before the worker starts. */
  function(name, run, { timeout } = {}) {
    this.#mustNotRun('functions')
    if (typeof name !== 'string' || typeof run !== 'function') {
      throw invalid("worker.function('name', async (job) => ..., { timeout })")
    }
    this.#functions.set(name, { run, timeout })
    return this
  }

  #mustNotRun(what) {
    if (this.#native !== undefined) throw invalid(`${what} are set before the worker starts`)
  }

  /** Works from now on, until stop(). Servers that cannot be reached are tried again and again: see the event 'error'. */
  async start() {
    if (this.#native !== undefined) throw invalid('the worker has been started already')
    const list = places(this.#servers)
    if (this.#functions.size === 0) {
      throw new LineshaftError('NO_REGISTERED_FUNCTIONS', 'start: add a function before the worker starts')
    }
    this.#names = [...this.#functions.keys()]
    const functions = this.#names.map((name) => ({ name, timeout: this.#functions.get(name).timeout }))
    this.#native = attempt(() => new native.NativeWorker(loop, list, functions, this.#options))
    hold()
    const over = {}
    over.promise = new Promise((resolve) => {
      over.resolve = resolve
    })
    this.#over = over
    this.#receiver = new Receiver(this.#jobs, this.#names, this.#functions, this.#native, this, over, this.#cancelCheck)
    receive(this.#native.id, this.#receiver)
    return this
  }

  /**
   * Takes no new jobs, finishes what runs, and ends. After `deadline` ms what still runs is handed back to the servers, and its
   * signal is aborted.
   */
  async stop({ deadline = STOP_DEADLINE } = {}) {
    if (this.#native === undefined) return
    this.#receiver.stopping = true
    attempt(() => this.#native.stop(deadline))
    await this.#over.promise
  }

  async [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]() {
    await this.stop()
  }
}

/** What the loop calls for a worker. */
class Receiver {
  constructor(jobs, names, functions, inner, worker, over, cancelCheck) {
    this.jobs = jobs
    this.functions = names.map((name) => functions.get(name))
    this.names = names
    this.native = inner
    this.worker = worker
    this.over = over
    this.cancelCheck = cancelCheck
    /** The worker has been asked to stop. */
    this.stopping = false
  }

  job(number, index, workload, handle, unique, reducer) {
    const { run, timeout } = this.functions[index]
    const job = new Job(this.native, number, {
      function: this.names[index],
      workload,
      handle,
      unique,
      reducer,
      timeout,
      receiver: this,
    })
    this.jobs.set(number, job)
    this.#run(run, job, number)
  }

  async #run(run, job, number) {
    try {
      const result = bytes(await run(job), 'the result of the function')
      this.native.complete(number, result)
    } catch (error) {
      if (error instanceof JobFailed) this.native.fail(number)
      else this.native.fail(number, exception(error))
    } finally {
      this.jobs.delete(number)
      Job.end(job)
    }
  }

  brokenOff(number) {
    const job = this.jobs.get(number)
    if (job) Job.abort(job, stopped())
  }

  trouble(address, error) {
    if (this.worker.listenerCount('error') > 0) this.worker.emit('error', error, address)
  }

  failed() {
    this.ended()
  }

  ended() {
    release()
    this.over.result = true
    this.over.resolve()
    this.worker.emit('stopped')
  }
}

const stopped = () => new LineshaftError('SHUTDOWN', 'job: SHUTDOWN: the worker has stopped before the job has ended')

/** The bytes of a WORK_EXCEPTION. */
function exception(error) {
  if (error instanceof Uint8Array) return error
  const text = error instanceof Error ? error.message || error.name : String(error)
  return Buffer.from(text)
}

/** A job, as the function that does it sees it. */
class Job {
  #native
  #number
  #controller
  #timeout
  #timer
  #checking
  #lost
  #receiver
  #started = performance.now()
  #ended = false
  #reason

  constructor(inner, number, { timeout, receiver, ...rest }) {
    this.#native = inner
    this.#number = number
    this.#timeout = timeout
    this.#receiver = receiver
    this.function = rest.function
    this.workload = rest.workload
    this.handle = rest.handle
    this.unique = rest.unique
    this.reducer = rest.reducer
  }

  /**
   * Aborted when nobody will take the job's result any more: its time is over, its connection has been lost, it has been
   * cancelled, or the worker has been stopped. The reason is a LineshaftError.
   */
  get signal() {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.#reason) this.#controller.abort(this.#reason)
      else if (!this.#ended) this.#watch()
    }
    return this.#controller.signal
  }

  #watch() {
    if (this.#timeout !== undefined) {
      // Servers count whole seconds, at least one.
      const limit = Math.max(1, Math.ceil(this.#timeout / 1000)) * 1000 - (performance.now() - this.#started)
      const late = () => this.#abort('TIMEOUT', `job: TIMEOUT: it has taken more than ${this.#timeout} ms`)
      this.#timer = setTimeout(late, Math.max(0, limit))
      this.#timer.unref()
    }
    const lost = () => {
      this.#lost = undefined
      // A worker that stops closes its connections itself.
      if (this.#receiver.stopping) Job.abort(this, stopped())
      else this.#abort('LOST_CONNECTION', 'job: LOST_CONNECTION: its server has given it to somebody else')
    }
    this.#lost = quietly(() => this.#native.lost(this.#number), lost)
    const { cancelCheck } = this.#receiver
    if (cancelCheck > 0) {
      this.#checking = setInterval(() => this.#check(), cancelCheck)
      this.#checking.unref()
    }
  }

  /** Gearman tells a worker nothing when a job is cancelled: so it is asked for. */
  #check() {
    quietly(
      () => this.#native.jobStatus(this.#number),
      ([known]) => {
        if (!known) this.#abort('JOB_NOT_FOUND', 'job: JOB_NOT_FOUND: it has been cancelled')
      },
    )
  }

  #abort(code, message) {
    Job.abort(this, new LineshaftError(code, message))
  }

  static abort(job, reason) {
    if (job.#ended || job.#reason) return
    job.#reason = reason
    job.#controller?.abort(reason)
    Job.#quiet(job)
  }

  static end(job) {
    job.#ended = true
    Job.#quiet(job)
  }

  static #quiet(job) {
    clearTimeout(job.#timer)
    clearInterval(job.#checking)
    if (job.#lost !== undefined) remove(job.#lost)
    job.#lost = undefined
  }

  #sent(send) {
    const id = attempt(() => send(this.#native))
    return id == null ? Promise.resolve() : call(() => id)
  }

  /** Sends a piece of the result. */
  async sendData(data) {
    const part = bytes(data, 'the data')
    await this.#sent((inner) => inner.sendData(this.#number, part))
  }

  /** Sends something that people should know. */
  async sendWarning(data) {
    const part = bytes(data, 'the warning')
    await this.#sent((inner) => inner.sendWarning(this.#number, part))
  }

  /** Says how far the job has come. */
  async sendStatus(numerator, denominator) {
    await this.#sent((inner) => inner.sendStatus(this.#number, numerator, denominator))
  }
}

/** An operation that holds no process and whose failure is nobody's business. */
function quietly(start, done) {
  const id = start()
  receive(id, { done, failed() {} })
  return id
}

module.exports = { Worker, Job }
