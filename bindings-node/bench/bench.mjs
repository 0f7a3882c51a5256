// `npm run bench`: submits and round trips a second of this package, npm `gearman`, and BullMQ on Redis. The two that speak
// Gearman use one server, this package's in a process of its own; clients and workers are processes of their own as well. Rounds
// are interleaved; the medians count. `--jobs N`, `--rounds N`.

import { execFileSync, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createRequire } from 'node:module'
import { createConnection, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { Server } from '../index.mjs'

const WINDOW = 64
const me = fileURLToPath(import.meta.url)

/** A part of the bench in a process of its own: says when it is ready, then does what it is told. */
async function part(role, ...words) {
  const child = fork(me, [role, ...words], { env: process.env })
  const exit = once(child, 'exit').then(([code]) => {
    throw new Error(`${[role, ...words].join(' ')} has ended with ${code}`)
  })
  // Being told to end is no error.
  exit.catch(() => {})
  const answer = async () => (await Promise.race([once(child, 'message'), exit]))[0]
  await answer()
  return {
    run(...order) {
      child.send(order)
      return answer()
    },
    async end() {
      child.kill()
      await exit.catch(() => {})
    },
  }
}

async function play(role, name, places) {
  process.on('disconnect', () => process.exit())
  if (role === 'server') {
    const server = await Server.start({ listen: `127.0.0.1:${name}` })
    return process.send(server.port)
  }
  const { contestants } = await import('./contestants.mjs')
  const side = contestants[name]
  if (role === 'worker') {
    await side.worker(JSON.parse(places), WINDOW)
    return process.send('ready')
  }
  const client = await side.client(JSON.parse(places))
  process.on('message', async ([what, count, window]) => {
    const before = performance.now()
    const { ended = count, last = performance.now() } = (await client[what](count, window)) ?? {}
    process.send(ended / ((last - before) / 1000))
  })
  process.send('ready')
}

const median = (list) => [...list].sort((a, b) => a - b)[list.length >> 1]

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

async function redis() {
  const port = await freePort()
  const words = ['--port', port, '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--daemonize', 'no']
  const child = spawn('redis-server', words.map(String), { stdio: 'ignore' })
  for (let tries = 0; ; tries += 1) {
    const socket = createConnection({ host: '127.0.0.1', port })
    if (await once(socket, 'connect').then(() => true, () => false)) return socket.destroy(), { port, child }
    if (tries > 100) throw new Error('redis-server does not start; install Debian\'s package redis-server')
    // It says nowhere that it listens.
    await sleep(50)
  }
}

async function main() {
  const { values } = parseArgs({
    options: { jobs: { type: 'string', default: '20000' }, rounds: { type: 'string', default: '5' } },
  })
  const [jobs, rounds] = [Number(values.jobs), Number(values.rounds)]
  const { peers } = createRequire(import.meta.url)('../scripts/peers.cjs')
  process.env.BENCH_PEERS = peers('bench').folder
  const version = execFileSync('redis-server', ['--version'], { encoding: 'utf8' }).match(/v=([\d.]+)/)[1]
  const db = await redis()
  const port = await freePort()
  const places = JSON.stringify({ port, redis: db.port })
  const names = ['lineshaft', 'gearman', 'gearman without delay', 'bullmq']
  const tests = [
    ['submit', 'background submit, 64 under way', jobs, WINDOW],
    ['submit', 'background submit, one at a time', jobs / 10, 1],
    ['roundTrip', 'round trip, 64 under way', jobs, WINDOW],
    ['roundTrip', 'round trip, one at a time', jobs / 10, 1],
  ]
  const rates = tests.map(() => Object.fromEntries(names.map((name) => [name, []])))
  try {
    for (let round = 0; round < rounds; round += 1) {
      for (const [i, [what, , count, window]] of tests.entries()) {
        for (const name of names) {
          // Everything fresh each time: what was queued before is nobody's burden.
          const server = await part('server', String(port))
          const worker = await part('worker', name, places)
          const client = await part('client', name, places)
          // The others are slower: a part of the jobs takes them as long.
          const scale = name === 'lineshaft' ? 1 : name === 'gearman' ? 0.02 : 0.1
          await client.run(what, 100, window)
          rates[i][name].push(await client.run(what, Math.ceil(count * scale), window))
          for (const it of [client, worker, server]) await it.end()
        }
      }
    }
  } finally {
    db.child.kill()
  }
  const titles = ['lineshaft', 'gearman 2.1.0', 'the same, TCP_NODELAY forced', `BullMQ 6.7.0, Redis ${version}`]
  console.log(`| a second (times ours) | ${titles.join(' | ')} |`)
  console.log(`| --- ${'| --- '.repeat(titles.length)}|`)
  for (const [i, [, title]] of tests.entries()) {
    const all = names.map((name) => median(rates[i][name]))
    const cells = all.map((rate, n) => {
      const number = Math.round(rate).toLocaleString('en')
      return n === 0 ? number : `${number} (${(all[0] / rate).toFixed(1)})`
    })
    console.log(`| ${title} | ${cells.join(' | ')} |`)
  }
}

const [role, ...words] = process.argv.slice(2)
if (['server', 'worker', 'client'].includes(role)) await play(role, ...words)
else await main()
