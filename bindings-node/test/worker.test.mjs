import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Admin, Client, JobFailed, Server, Worker } from 'lineshaft'
import * as helpers from 'lineshaft/test'
import { deferred, until } from './helpers.mjs'

test('what a function throws becomes an exception, a JobFailed a failure', async (t) => {
  const server = await helpers.server(t)
  await helpers.worker(t, server, {
    error() {
      throw new Error('why not')
    },
    async rejects() {
      throw 'a text'
    },
    bytes() {
      throw Buffer.from([0, 255])
    },
    fails() {
      throw new JobFailed()
    },
    wrong: () => 7,
  })
  const client = helpers.client(t, server)
  const data = async (name) => {
    const error = await client.submit(name).catch((error) => error)
    return [error.code, error.data && [...error.data]]
  }
  assert.deepEqual(await data('error'), ['WORK_EXCEPTION', [...Buffer.from('why not')]])
  assert.deepEqual(await data('rejects'), ['WORK_EXCEPTION', [...Buffer.from('a text')]])
  assert.deepEqual(await data('bytes'), ['WORK_EXCEPTION', [0, 255]])
  assert.deepEqual(await data('fails'), ['WORK_FAIL', undefined])
  assert.equal((await data('wrong'))[0], 'WORK_EXCEPTION')
  // Who does not want exceptions hears of failures.
  await assert.rejects(helpers.client(t, server, { exceptions: false }).submit('error'), { code: 'WORK_FAIL' })
})

test('concurrency is how many jobs run at once', async (t) => {
  const server = await helpers.server(t)
  const client = helpers.client(t, server)
  for (const place of [server, server.address]) {
    const ends = []
    const worker = await helpers.worker(t, place, {
      async f() {
        const end = deferred()
        ends.push(end)
        await end.promise
      },
    }, { concurrency: 3 })
    const tasks = Array.from({ length: 5 }, () => client.submit('f'))
    await until(() => ends.length === 3, 'three jobs')
    // A round trip to the server: a fourth job would have come before the answer.
    await client.echo('x')
    assert.equal(ends.length, 3)
    ends[0].resolve()
    await until(() => ends.length === 4, 'a fourth job')
    for (const end of ends) end.resolve()
    await until(() => ends.length === 5, 'a fifth job')
    ends[4].resolve()
    await Promise.all(tasks)
    await worker.stop()
  }
})

test('a job tells what it is', async (t) => {
  const server = await helpers.server(t)
  const seen = deferred()
  await helpers.worker(t, server.address, { f: (job) => void seen.resolve(job) })
  const task = helpers.client(t, server.address).submit('f', 'w', { unique: 'u' })
  const job = await seen.promise
  await task
  assert.equal(job.function, 'f')
  assert.equal(job.handle, task.handle)
  assert.equal(job.unique, 'u')
  assert.equal(String(job.workload), 'w')
  assert.equal(job.reducer, undefined)
  // It is over: nothing can be said any more, and its signal stays as it is.
  await assert.rejects(job.sendData('late'), { code: 'JOB_NOT_FOUND' })
  assert.equal(job.signal.aborted, false)
})

test('the signal of a job is aborted when its time is over', async (t) => {
  const server = await helpers.server(t)
  const worker = new Worker(server)
  const reason = deferred()
  worker.function('slow', async (job) => {
    await new Promise((resolve) => job.signal.addEventListener('abort', resolve))
    reason.resolve(job.signal.reason)
  }, { timeout: 1000 })
  await worker.start()
  t.after(() => worker.stop({ deadline: 0 }))
  const task = helpers.client(t, server).submit('slow')
  assert.equal((await reason.promise).code, 'TIMEOUT')
  task.cancel()
})

test('the signal of a job is aborted when it is cancelled', async (t) => {
  const server = await helpers.server(t)
  for (const place of [server, server.address]) {
    const started = deferred()
    const reason = deferred()
    const worker = await helpers.worker(t, place, {
      async f(job) {
        job.signal.addEventListener('abort', () => reason.resolve(job.signal.reason))
        started.resolve(job.handle)
        await reason.promise
      },
    }, { cancelCheck: 20 })
    const client = helpers.client(t, server)
    const task = client.submit('f')
    await new Admin(server).cancel(await started.promise)
    await assert.rejects(task, { code: 'WORK_FAIL' })
    assert.equal((await reason.promise).code, 'JOB_NOT_FOUND')
    await worker.stop()
  }
})

test('the signal of a job is aborted when its server is lost', async (t) => {
  const server = await Server.start()
  const started = deferred()
  const reason = deferred()
  const worker = await helpers.worker(t, server.address, {
    async f(job) {
      const { signal } = job
      started.resolve()
      await new Promise((resolve) => signal.addEventListener('abort', resolve))
      await assert.rejects(job.sendData('x'), { code: 'LOST_CONNECTION' })
      reason.resolve(signal.reason)
    },
  })
  const task = helpers.client(t, server.address).submit('f')
  await started.promise
  await Promise.all([server.stop(), assert.rejects(task, { code: 'LOST_CONNECTION' })])
  assert.equal((await reason.promise).code, 'LOST_CONNECTION')
  assert.equal(worker.running, true)
})

test('stop lets running jobs end and takes no new ones', async (t) => {
  const server = await helpers.server(t)
  const client = helpers.client(t, server)
  const started = deferred()
  const end = deferred()
  const worker = await helpers.worker(t, server.address, {
    async f() {
      started.resolve()
      await end.promise
      return 'done'
    },
  })
  const running = client.submit('f')
  await started.promise
  const stopping = worker.stop()
  const next = await client.submit('f', '', { background: true })
  end.resolve()
  assert.equal(String(await running), 'done')
  await stopping
  assert.equal(worker.running, false)
  assert.deepEqual(await client.status(next), { known: true, running: false, numerator: 0, denominator: 0 })
  await worker.stop()
})

test('stop with a deadline hands back what still runs', async (t) => {
  const server = await helpers.server(t)
  const client = helpers.client(t, server)
  const started = deferred()
  const reason = deferred()
  const worker = await helpers.worker(t, server.address, {
    async f(job) {
      job.signal.addEventListener('abort', () => reason.resolve(job.signal.reason))
      started.resolve()
      await new Promise(() => {})
    },
  })
  const task = client.submit('f', 'x')
  await started.promise
  await worker.stop({ deadline: 10 })
  assert.equal((await reason.promise).code, 'SHUTDOWN')
  await helpers.worker(t, server.address, { f: () => 'by another' })
  assert.equal(String(await task), 'by another')
})

test('a worker serves all its servers, and one that is away hinders nobody', async (t) => {
  const [one, two, gone] = [await helpers.server(t), await helpers.server(t), await Server.start()]
  await gone.stop()
  const troubles = []
  const worker = new Worker([one, two.address, gone.address]).function('echo', (job) => job.workload)
  worker.on('error', (error, address) => troubles.push([error.code, address]))
  await worker.start()
  t.after(() => worker.stop({ deadline: 0 }))
  for (const server of [one, two]) {
    assert.equal(String(await helpers.client(t, server).submit('echo', 'x')), 'x')
  }
  await until(() => troubles.length > 0, 'the trouble')
  assert.equal(troubles[0][1], gone.address)
})

test('what is wrong with a worker is told at once', async (t) => {
  const server = await helpers.server(t)
  const invalid = { code: 'INVALID_ARGUMENT' }
  assert.throws(() => new Worker(7), invalid)
  assert.throws(() => new Worker(server).function(7, () => {}), invalid)
  await assert.rejects(new Worker('a b').function('f', () => {}).start(), invalid)
  await assert.rejects(new Worker(server).start(), { code: 'NO_REGISTERED_FUNCTIONS' })
  await assert.rejects(new Worker(server).function('', () => {}).start(), { code: 'INVALID_FUNCTION_NAME' })
  const worker = await helpers.worker(t, server, { f() {} })
  assert.throws(() => worker.function('g', () => {}), invalid)
  assert.throws(() => (worker.concurrency = 2), invalid)
  await assert.rejects(worker.start(), invalid)
  await new Worker(server).stop()
})

test('await using closes everything', async (t) => {
  const server = await helpers.server(t)
  // `await using` in words that Node 20 knows; the compiled form is tested with TypeScript.
  const worker = await new Worker(server).function('f', () => 'x').start()
  const client = new Client(server)
  await client.submit('f')
  for (const thing of [client, worker]) await thing[Symbol.asyncDispose]()
  await assert.rejects(client.submit('f'), { code: 'SHUTDOWN' })
  assert.equal(worker.running, false)
})

test('a slow function does not hold up the event loop, nor do servers that start and stop', async (t) => {
  const { monitorEventLoopDelay } = await import('node:perf_hooks')
  const server = await helpers.server(t)
  const client = helpers.client(t, ['127.0.0.1:1', server.address])
  await helpers.worker(t, server.address, { echo: (job) => job.workload })
  let turns = 0
  let going = true
  const turn = () => {
    turns += 1
    if (going) setImmediate(turn)
  }
  turn()
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const other = await Server.start()
  const before = turns
  await Promise.all([client.submit('echo', Buffer.alloc(8 << 20)), client.submit('nobody', '', { timeout: 100 }).catch(() => {}), other.stop({ deadline: 100 })])
  going = false
  delay.disable()
  // While all that took its time the loop went round and round.
  assert.ok(turns - before > 100, `${turns - before} turns`)
})
