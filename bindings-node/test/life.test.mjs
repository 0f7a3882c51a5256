// What happens around the work: ends of processes and threads, memory, rejections that nobody handles.

import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Worker as Thread } from 'node:worker_threads'
import { Client, Server, Worker } from 'lineshaft'
import * as helpers from 'lineshaft/test'
import { deferred, until } from './helpers.mjs'

const cwd = dirname(fileURLToPath(import.meta.url))
const program = fileURLToPath(new URL('./bin/lineshaft.cjs', import.meta.resolve('lineshaft')))

/** Runs a module to its end; a limit only for the case that it has none. */
async function run(source, ...flags) {
  const { stdout, stderr } = await promisify(execFile)(
    process.execPath,
    [...flags, '--input-type=module', '--eval', source],
    { cwd, timeout: 60_000 },
  )
  assert.equal(stderr, '')
  return stdout
}

const walk = `
  import { Server, Client, Worker } from 'lineshaft';
  const server = await Server.start();
  const worker = new Worker(server.address).function('f', (job) => job.workload);
  await worker.start();
  const client = new Client(server.address);
  await client.submit('f', 'x');
`

test('the process ends when all is closed', async () => {
  assert.equal(await run(`${walk} await client.close(); await worker.stop(); await server.stop(); console.log('closed')`), 'closed\n')
})

test('a client that waits for nothing does not keep the process alive, nor does a server with unref', async () => {
  assert.equal(await run(`${walk} await worker.stop(); server.unref(); console.log('open')`), 'open\n')
})

test('a process can exit in the middle of everything', async () => {
  const source = `${walk} for (let i = 0; i < 1000; i += 1) client.submit('f', 'x'); client.submit('nobody'); process.exit(0)`
  assert.equal(await run(source), '')
})

test('CommonJS and ESM are the same package', async () => {
  const source = `
    import { createRequire } from 'node:module';
    import * as esm from 'lineshaft';
    const cjs = createRequire(process.cwd() + '/x.cjs')('lineshaft');
    console.log(Object.keys(cjs).every((name) => cjs[name] === esm[name]), Object.keys(cjs).sort().join());
  `
  assert.equal(await run(source), 'true Admin,Client,JobFailed,LineshaftError,Server,Worker\n')
})

test('no rejection goes unhandled, whatever happens to tasks that nobody follows', async () => {
  const source = `
    import { Server, Client, Worker } from 'lineshaft';
    process.on('unhandledRejection', (error) => console.log('unhandled', error));
    process.on('warning', (warning) => console.log('warning', warning));
    const server = await Server.start();
    const worker = new Worker(server).function('boom', () => { throw new Error('x') });
    await worker.start();
    const client = new Client(server.address);
    await client.connect();
    const left = client.submit('boom');
    client.submit('');
    client.submit('nobody', '', { timeout: 1 });
    client.submit('nobody', '', { signal: AbortSignal.timeout(1) });
    client.submit('nobody', '', { signal: AbortSignal.abort() });
    client.submit('boom').on('error', () => {});
    client.map('nobody', ['x']).next().catch(() => {});
    for await (const event of client.submit('boom')) {}
  `
  const rest = `
    left.cancel();
    const last = client.submit('nobody');
    await last.created();
    await server.stop();
    await client.close(); await worker.stop({ deadline: 0 });
    console.log('over');
  `
  assert.equal(await run(source.replace(/for await.*/, 'try { $& } catch {}') + rest), 'over\n')
})

test('a listener that throws is an uncaught exception, and hinders no other task', async () => {
  const source = `
    ${walk}
    process.once('uncaughtException', (error) => console.log(error.message));
    client.submit('f', 'x').on('complete', () => { throw new Error('from a listener') });
    console.log(String(await client.submit('f', 'y')));
    await client.close(); await worker.stop(); await server.stop();
  `
  assert.deepEqual((await run(source)).trim().split('\n').sort(), ['from a listener', 'y'])
})

test('worker threads can load it, use it, and be ended in the middle of it', async (t) => {
  const server = await helpers.server(t)
  await helpers.worker(t, server.address, { f: (job) => job.workload }, { concurrency: 4 })
  const source = `
    const { Client, Worker } = require('lineshaft');
    const { parentPort, workerData } = require('node:worker_threads');
    (async () => {
      const worker = new Worker(workerData.address).function('g', (job) => job.workload);
      await worker.start();
      const client = new Client(workerData.address);
      if (String(await client.submit('f', 'x')) + String(await client.submit('g', 'y')) !== 'xy') throw new Error('no');
      parentPort.postMessage('works');
      if (workerData.ends) return client.close().then(() => worker.stop());
      for (;;) await Promise.all(Array.from({ length: 100 }, () => client.submit('f', 'x')));
    })();
  `
  for (let round = 0; round < 6; round += 1) {
    const ends = round % 2 === 0
    const threads = [0, 1].map(() => new Thread(source, { eval: true, workerData: { address: server.address, ends } }))
    const exits = threads.map((thread) => once(thread, 'exit'))
    await Promise.all(threads.map((thread) => once(thread, 'message')))
    if (!ends) await Promise.all(threads.map((thread) => thread.terminate()))
    for (const [code] of await Promise.all(exits)) assert.equal(code, ends ? 0 : 1)
  }
  await until(async () => server.connections <= 1 + 1, 'the end of the connections')
})

test('a thread that loads it first may end first', async () => {
  const source = `
    import { Worker } from 'node:worker_threads';
    import { once } from 'node:events';
    for (let i = 0; i < 3; i += 1) {
      const thread = new Worker("import { Server } from 'lineshaft'; await (await Server.start()).stop()", { eval: true });
      await once(thread, 'exit');
    }
    console.log('fine');
  `
  assert.equal(await run(source), 'fine\n')
})

test('memory is flat over 200,000 jobs', async (t) => {
  const server = await helpers.server(t)
  await helpers.worker(t, server.address, { f: (job) => job.workload }, { concurrency: 64 })
  const client = helpers.client(t, server.address)
  const workload = Buffer.alloc(100, 'x')
  const jobs = async (count) => {
    for await (const result of client.map('f', (function* () {
      for (let i = 0; i < count; i += 1) yield workload
    })(), { inFlight: 128 })) {
      if (result.length !== 100) assert.fail('a result of another job')
    }
  }
  const used = () => {
    for (let i = 0; i < 3; i += 1) gc()
    return process.memoryUsage()
  }
  await jobs(50_000)
  const before = used()
  await jobs(200_000)
  const after = used()
  const grown = (what) => (after[what] - before[what]) / (1 << 20)
  t.diagnostic(`heap ${grown('heapUsed').toFixed(1)} MiB, resident ${grown('rss').toFixed(1)} MiB more after 200,000 jobs`)
  // A leak of 100 bytes a job would be 19 MiB.
  assert.ok(grown('heapUsed') < 5, `the heap has grown by ${grown('heapUsed')} MiB`)
  assert.ok(grown('external') < 5, `buffers have grown by ${grown('external')} MiB`)
  assert.ok(grown('rss') < 19, `resident memory has grown by ${grown('rss')} MiB`)
})

test('the runner starts processes, restarts those that end, and drains on SIGTERM', async (t) => {
  const server = await helpers.server(t)
  const words = [program, 'worker', './runner-worker.mjs', '--processes', '2', '--concurrency', '3', '--deadline', '20']
  const runner = spawn(process.execPath, words, {
    cwd,
    env: { ...process.env, SERVER: server.address },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  t.after(() => runner.kill('SIGKILL'))
  const exit = once(runner, 'exit')
  let said = ''
  runner.stderr.setEncoding('utf8').on('data', (text) => (said += text))
  const client = helpers.client(t, server)
  // Two processes that do three at once: six run only where both are there.
  const pids = []
  const tasks = Array.from({ length: 6 }, (_, i) => client.submit('hold').on('data', (data) => (pids[i] = Number(data))))
  const running = () => new Set(pids)
  await until(() => pids.filter(Boolean).length === 6, 'six jobs')
  const [victim, other] = running()
  assert.equal(running().size, 2)
  process.kill(victim, 'SIGKILL')
  await until(() => running().size === 2 && !running().has(victim), 'another process')
  assert.ok(running().has(other))
  assert.match(said, /has ended with SIGKILL; it is started again in 100 ms/)
  for (const pid of running()) process.kill(pid, 'SIGUSR2')
  assert.deepEqual((await Promise.all(tasks)).map(String), Array(6).fill('held'))

  const slow = client.submit('slow', '')
  const started = deferred()
  slow.on('data', started.resolve)
  await started.promise
  runner.kill('SIGTERM')
  assert.equal(String(await slow), 'drained')
  assert.deepEqual(await exit, [0, null])
})

test('the runner says what is wrong', async () => {
  await assert.rejects(promisify(execFile)(process.execPath, [program, 'worker']), { code: 2, stderr: /one FILE is needed/ })
  await assert.rejects(promisify(execFile)(process.execPath, [program, 'worker', 'x', '--processes', '0']), { code: 2, stderr: /--processes is '0'/ })
  const { stdout } = await promisify(execFile)(process.execPath, [program, '--help'])
  assert.match(stdout, /^usage: lineshaft worker FILE/)
})

test('a store keeps jobs over the end of the server', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'lineshaft-store-'))
  t.after(() => rm(folder, { recursive: true }))
  const store = `log:${join(folder, 'queue')}`
  const first = await Server.start({ store })
  const client = new Client(first)
  await client.submit('keep', 'a\0b', { background: true })
  await client.close()
  await first.stop()

  const second = await Server.start({ store })
  assert.equal(second.jobs, 1)
  const got = deferred()
  const worker = new Worker(second).function('keep', (job) => got.resolve(job.workload.toString()))
  await worker.start()
  assert.equal(await got.promise, 'a\0b')
  await assert.rejects(Server.start({ store }), { code: 'QUEUE_ERROR' })
  await worker.stop()
  await second.stop()
  await assert.rejects(Server.start({ store: 'nowhere:at-all' }), { code: 'QUEUE_ERROR' })
})
