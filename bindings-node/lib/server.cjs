'use strict'

const native = require('./native.cjs')
const { LineshaftError } = require('./error.cjs')
const { loop, hold, release, call } = require('./loop.cjs')

/** Servers that run. One that nobody refers to any more runs on. */
const running = new Set()

class Server {
  #native
  #addresses
  #held = true
  #stopped

  constructor(token, inner, addresses) {
    if (token !== running) throw new TypeError('use `await Server.start()`')
    this.#native = inner
    this.#addresses = addresses
  }

  static async start({ listen = '127.0.0.1:0', signal, ...options } = {}) {
    const inner = new native.NativeServer()
    const addresses = Array.isArray(listen) ? listen : [listen]
    const starting = call(() => inner.start(loop, { ...options, listen: addresses }), signal)
    const server = new Server(running, inner, await starting)
    running.add(server)
    hold()
    return server
  }

  static native(server) {
    return server.#native
  }

  get addresses() {
    return [...this.#addresses]
  }

  get address() {
    return this.#addresses[0]
  }

  get port() {
    const port = this.address?.match(/:(\d+)$/)?.[1]
    return port === undefined ? undefined : Number(port)
  }

  get jobs() {
    return this.#counts()[0]
  }

  get connections() {
    return this.#counts()[1]
  }

  #counts() {
    const counts = this.#native.counts()
    if (counts == null) throw new LineshaftError('SHUTDOWN', 'the server has been stopped')
    return counts
  }

  /** Lets the process end although the server runs. */
  unref() {
    if (this.#held) release()
    this.#held = false
    return this
  }

  ref() {
    if (!this.#held && this.#stopped === undefined) {
      hold()
      this.#held = true
    }
    return this
  }

  /** Stops it: at once, or when the jobs that run have ended or `deadline` ms have passed. */
  stop({ deadline } = {}) {
    this.#stopped ??= this.#stop(deadline)
    return this.#stopped
  }

  async #stop(deadline) {
    try {
      return await call(() => this.#native.stop(loop, deadline))
    } finally {
      running.delete(this)
      this.unref()
    }
  }

  async [Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose')]() {
    await this.stop()
  }
}

module.exports = { Server }
