'use strict'

const native = require('./native.cjs')
const { attempt } = require('./error.cjs')
const { loop, call } = require('./loop.cjs')
const { places } = require('./servers.cjs')

/** Rows of the native half as objects. */
const rows = (names, list) => list.map((row) => Object.fromEntries(names.map((name, i) => [name, row[i]])))

class Admin {
  #native

  constructor(server, options = {}) {
    const list = places(server)
    this.#native = attempt(() => new native.NativeAdmin(loop, list, options))
  }

  #call(start, { signal } = {}) {
    return call(() => start(this.#native), signal)
  }

  async status(options) {
    return rows(['function', 'total', 'running', 'workers'], await this.#call((n) => n.status(), options))
  }

  async priorityStatus(options) {
    const list = await this.#call((n) => n.priorityStatus(), options)
    return rows(['function', 'high', 'normal', 'low', 'workers'], list)
  }

  async workers(options) {
    const list = await this.#call((n) => n.workers(), options)
    return rows(['descriptor', 'address', 'clientId', 'functions'], list)
  }

  async jobs(options) {
    return rows(['handle', 'retries', 'ignored', 'persisted'], await this.#call((n) => n.jobs(), options))
  }

  async schedules(options) {
    const list = await this.#call((n) => n.schedules(), options)
    const names = ['handle', 'function', 'unique', 'fields', 'next', 'fired', 'skipped']
    return rows(names, list).map((row) => ({
      ...row,
      next: row.next === undefined ? undefined : new Date(row.next * 1000),
    }))
  }

  uniqueJobs(options) {
    return this.#call((n) => n.uniqueJobs(), options)
  }

  version(options) {
    return this.#call((n) => n.version(), options)
  }

  getpid(options) {
    return this.#call((n) => n.getpid(), options)
  }

  verbose(options) {
    return this.#call((n) => n.verbose(), options)
  }

  cancel(handle, options) {
    return this.#call((n) => n.cancel(handle), options)
  }

  createFunction(name, options) {
    return this.#call((n) => n.createFunction(name), options)
  }

  dropFunction(name, options) {
    return this.#call((n) => n.dropFunction(name), options)
  }

  maxQueue(name, jobs, options) {
    return this.#call((n) => n.maxQueue(name, jobs ?? undefined), options)
  }

  command(line, options) {
    return this.#call((n) => n.command(line), options)
  }
}

module.exports = { Admin }
