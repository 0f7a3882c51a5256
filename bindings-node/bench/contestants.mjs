// Who is measured: each has a worker, a client that submits in the background, and one that waits for results.

import { createRequire } from 'node:module'
import { Socket } from 'node:net'
import { join } from 'node:path'
import { Client, Worker } from '../index.mjs'

const need = createRequire(join(process.env.BENCH_PEERS, 'package.json'))
const workload = Buffer.alloc(100, 'x')

/** Keeps `window` of `count` under way; `start` begins one and answers a promise. */
async function pump(count, window, start) {
  let left = count
  await Promise.all(Array.from({ length: window }, async () => {
    while (left-- > 0) await start()
  }))
}

const lineshaft = {
  async worker({ port }, window) {
    await new Worker(`127.0.0.1:${port}`, { concurrency: window }).function('echo', (job) => job.workload).start()
  },
  async client({ port }) {
    const client = new Client(`127.0.0.1:${port}`)
    await client.connect()
    return {
      submit: (count, window) => pump(count, window, () => client.submit('sleep', workload, { background: true })),
      roundTrip: (count, window) => pump(count, window, () => client.submit('echo', workload)),
    }
  },
}

/** Nothing for so long, in ms: npm `gearman` has lost its way in a packet that came in two pieces. */
const STALL = 1000

/** The package speaks in events: one more is begun for each that ends. What it does until it stalls counts. */
const gearman = {
  async worker({ port }) {
    const worker = need('gearman')('127.0.0.1', port)
    await new Promise((resolve) => worker.connect(resolve))
    worker.on('JOB_ASSIGN', (job) => {
      worker.sendWorkComplete(job.handle, job.payload)
      // It grabs without being woken: that is the faster way.
      worker.grabJob()
    })
    worker.on('NO_JOB', () => worker.preSleep())
    worker.on('NOOP', () => worker.grabJob())
    worker.addFunction('echo')
    worker.grabJob()
  },
  async client({ port }) {
    const client = need('gearman')('127.0.0.1', port)
    await new Promise((resolve) => client.connect(resolve))
    const pumped = (event, name, options) => (count, window) => new Promise((resolve) => {
      let begun = 0
      let ended = 0
      let last = performance.now()
      const begin = () => {
        begun += 1
        client.submitJob(name, workload, { ...options })
      }
      const told = () => {
        ended += 1
        last = performance.now()
        if (begun < count) begin()
        if (ended === count) over()
      }
      const over = () => {
        client.removeEventListener(event, told)
        clearInterval(watch)
        resolve({ ended, last })
      }
      const watch = setInterval(() => {
        if (performance.now() - last > STALL) over()
      }, STALL / 4)
      client.on(event, told)
      while (begun < Math.min(window, count)) begin()
    })
    return { submit: pumped('JOB_CREATED', 'sleep', { background: true }), roundTrip: pumped('WORK_COMPLETE', 'echo', {}) }
  },
}

const bullmq = {
  async worker({ redis }, window) {
    const { Worker: Bull } = need('bullmq')
    const worker = new Bull('echo', async (job) => job.data, {
      connection: { host: '127.0.0.1', port: redis, maxRetriesPerRequest: null },
      concurrency: window,
      removeOnComplete: { count: 1000 },
    })
    await worker.waitUntilReady()
  },
  async client({ redis }) {
    const { Queue, QueueEvents } = need('bullmq')
    const connection = { host: '127.0.0.1', port: redis }
    const [sleep, echo] = [new Queue('sleep', { connection }), new Queue('echo', { connection })]
    const events = new QueueEvents('echo', { connection })
    for (const it of [sleep, echo, events]) it.setMaxListeners(0)
    await Promise.all([sleep.waitUntilReady(), echo.waitUntilReady(), events.waitUntilReady()])
    const text = String(workload)
    return {
      submit: (count, window) => pump(count, window, () => sleep.add('sleep', text)),
      roundTrip: (count, window) =>
        pump(count, window, async () => (await echo.add('echo', text)).waitUntilFinished(events)),
    }
  },
}

/**
 * The package leaves Nagle's algorithm on, and its worker writes twice for each job: so each job waits for a delayed
 * acknowledgement, 40 ms on Linux. Here its sockets are told not to, as nobody can without reaching behind the package.
 */
function withoutDelay() {
  const { connect } = Socket.prototype
  Socket.prototype.connect = function (...words) {
    return connect.apply(this.setNoDelay(true), words)
  }
}

const hurried = (side) => Object.fromEntries(
  Object.entries(side).map(([part, run]) => [part, (...words) => (withoutDelay(), run(...words))]),
)

export const contestants = { lineshaft, gearman, 'gearman without delay': hurried(gearman), bullmq }
