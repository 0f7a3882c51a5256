import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Admin, Client, LineshaftError, Server } from 'lineshaft'
import * as helpers from 'lineshaft/test'
import { deferred, freePort, until } from './helpers.mjs'

const echo = { echo: (job) => job.workload }

for (const way of ['in process', 'over TCP']) {
  test(`jobs and their results, ${way}`, async (t) => {
    const server = await helpers.server(t)
    const place = way === 'in process' ? server : server.address
    await helpers.worker(t, place, {
      reverse: async (job) => Buffer.from(job.workload).reverse(),
      nothing() {},
      text: () => 'grüße',
      boom() {
        throw new RangeError('too far')
      },
    })
    const client = helpers.client(t, place)
    assert.equal(String(await client.submit('reverse', 'abc')), 'cba')
    assert.equal(String(await client.submit('reverse', new Uint8Array([97, 98]))), 'ba')
    assert.equal((await client.submit('nothing')).length, 0)
    assert.equal(String(await client.submit('text')), 'grüße')
    for (const size of [0, 1, 8191, 8192, 20_000, 3 << 20]) {
      const workload = Buffer.alloc(size, 'ab')
      const result = await client.submit('reverse', workload)
      assert.deepEqual(result, Buffer.from(workload).reverse())
    }
    await assert.rejects(client.submit('boom'), (error) => {
      assert.ok(error instanceof LineshaftError)
      assert.equal(error.code, 'WORK_EXCEPTION')
      assert.equal(error.name, 'LineshaftError')
      assert.equal(String(error.data), 'too far')
      assert.match(error.message, /too far/)
      assert.match(error.handle, /^H:/)
      assert.equal(error.retryable, false)
      return true
    })
  })
}

test('many jobs at once arrive, each with its own result, also before there is a connection', async (t) => {
  const server = await helpers.server(t)
  await helpers.worker(t, server.address, echo, { concurrency: 16 })
  const client = helpers.client(t, server.address)
  const tasks = Array.from({ length: 5000 }, (_, i) => client.submit('echo', String(i)))
  const results = (await Promise.all(tasks)).map(String)
  assert.deepEqual(results, Array.from({ length: 5000 }, (_, i) => String(i)))
})

test('a task can be awaited, iterated, and listened to', async (t) => {
  const server = await helpers.server(t)
  await helpers.worker(t, server.address, {
    async steps(job) {
      await job.sendData('one')
      await job.sendWarning('careful')
      await job.sendStatus(1, 2)
      await job.sendData('two')
      return 'three'
    },
  })
  const client = helpers.client(t, server.address)

  assert.equal(String(await client.submit('steps')), 'onetwothree')

  const seen = []
  for await (const event of client.submit('steps')) seen.push(event)
  assert.deepEqual(seen, [
    { type: 'data', data: Buffer.from('one') },
    { type: 'warning', data: Buffer.from('careful') },
    { type: 'status', numerator: 1, denominator: 2 },
    { type: 'data', data: Buffer.from('two') },
    { type: 'complete', data: Buffer.from('three') },
  ])

  const told = []
  const task = client.submit('steps')
  task.on('created', (handle) => told.push(['created', handle]))
  task.on('data', (data) => told.push(['data', String(data)]))
  task.on('warning', (data) => told.push(['warning', String(data)]))
  task.on('status', (numerator, denominator) => told.push(['status', numerator, denominator]))
  task.once('complete', (result) => told.push(['complete', String(result)]))
  // What a listener has taken is not in the result.
  assert.equal(String(await task), 'three')
  assert.deepEqual(told, [
    ['created', task.handle],
    ['data', 'one'],
    ['warning', 'careful'],
    ['status', 1, 2],
    ['data', 'two'],
    ['complete', 'three'],
  ])

  // Who listens for progress alone has the whole result.
  const watched = client.submit('steps')
  const progress = []
  watched.on('status', (...numbers) => progress.push(numbers))
  assert.equal(String(await watched), 'onetwothree')
  assert.deepEqual(progress, [[1, 2]])

  // Who comes late, even after the end, misses nothing of the data.
  const late = client.submit('steps')
  await late
  const rest = []
  for await (const event of late) rest.push(String(event.data))
  assert.deepEqual(rest, ['onetwothree'])
})

test('an iterator that is slow holds the events back, and loses none', async (t) => {
  const server = await helpers.server(t)
  const piece = Buffer.alloc(64 << 10, 'x')
  await helpers.worker(t, server.address, {
    async much(job) {
      for (let i = 0; i < 100; i += 1) await job.sendData(piece)
    },
  })
  let bytes = 0
  for await (const event of helpers.client(t, server.address).submit('much')) {
    bytes += event.data.length
    await new Promise(setImmediate)
  }
  assert.equal(bytes, 100 * piece.length)
})

test('data that came before anybody listened is told, also where it is empty', async (t) => {
  const server = await helpers.server(t)
  const [sent, go] = [deferred(), deferred()]
  await helpers.worker(t, server.address, {
    async early(job) {
      await job.sendData('')
      sent.resolve()
      await go.promise
      return 'done'
    },
  })
  const client = helpers.client(t, server)
  const task = client.submit('early')
  await sent.promise
  // Answers of one connection come in order: behind this one the data has been taken in.
  await until(async () => (await client.status(await task.created())).running, 'the job')
  const told = deferred()
  task.on('data', told.resolve)
  assert.equal((await told.promise).length, 0)
  go.resolve()
  assert.equal(String(await task), 'done')
})

test('errors of a task reach its promise, its iterator and its listeners', async (t) => {
  const server = await helpers.server(t)
  await helpers.worker(t, server, {
    boom() {
      throw new Error('no')
    },
  })
  const client = helpers.client(t, server)
  await assert.rejects(async () => {
    for await (const event of client.submit('boom')) assert.fail(event.type)
  }, { code: 'WORK_EXCEPTION' })
  const heard = deferred()
  client.submit('boom').on('error', heard.resolve)
  assert.equal((await heard.promise).code, 'WORK_EXCEPTION')
  // Twice, and late: the same error.
  const task = client.submit('boom')
  await assert.rejects(task, { code: 'WORK_EXCEPTION' })
  await assert.rejects(task, { code: 'WORK_EXCEPTION' })
  await assert.rejects(task.finally(() => {}), { code: 'WORK_EXCEPTION' })
})

test('background jobs give their handle, and their standing can be asked for', async (t) => {
  const server = await helpers.server(t)
  const client = helpers.client(t, server.address)
  const handle = await client.submit('later', 'x', { background: true })
  assert.match(handle, /^H:/)
  assert.deepEqual(await client.status(handle), { known: true, running: false, numerator: 0, denominator: 0 })
  assert.equal((await client.status('H:nobody:1')).known, false)
  assert.equal(server.jobs, 1)

  const progress = deferred()
  const end = deferred()
  await helpers.worker(t, server.address, {
    async later(job) {
      await job.sendStatus(3, 4)
      progress.resolve()
      await end.promise
    },
  })
  await progress.promise
  await until(async () => (await client.status(handle)).numerator === 3, 'the progress')
  assert.deepEqual(await client.status(handle), { known: true, running: true, numerator: 3, denominator: 4 })
  end.resolve()
  await until(async () => !(await client.status(handle)).known, 'the end')
})

test('uniques coalesce, and can be asked for', async (t) => {
  const server = await helpers.server(t)
  const client = helpers.client(t, server)
  const one = client.submit('f', 'w', { unique: 'key' })
  const two = client.submit('f', 'other', { unique: 'key' })
  assert.equal(await one.created(), await two.created())
  assert.deepEqual(await client.statusByUnique('key'), {
    known: true,
    running: false,
    numerator: 0,
    denominator: 0,
    clients: 2,
  })
  const same = await Promise.all(['w', 'w', 'v'].map((w) => client.submit('g', w, { unique: true, background: true })))
  assert.equal(same[0], same[1])
  assert.notEqual(same[0], same[2])
  await helpers.worker(t, server, { f: (job) => job.workload + job.unique })
  assert.deepEqual((await Promise.all([one, two])).map(String), ['wkey', 'wkey'])
})

test('priorities decide who is first', async (t) => {
  const server = await helpers.server(t)
  const client = helpers.client(t, server)
  for (const priority of ['low', 'normal', 'high']) await client.submit('f', priority, { priority, background: true })
  const order = []
  const all = deferred()
  await helpers.worker(t, server, {
    f(job) {
      order.push(String(job.workload))
      if (order.length === 3) all.resolve()
    },
  })
  await all.promise
  assert.deepEqual(order, ['high', 'normal', 'low'])
})

test('jobs with a time wait for it, schedules stand in the list', async (t) => {
  const server = await helpers.server(t)
  const client = helpers.client(t, server)
  const ran = deferred()
  await helpers.worker(t, server, { soon: () => void ran.resolve(), far() {} })
  const far = await client.submit('far', 'x', { runAt: new Date(Date.now() + 3_600_000) })
  assert.equal((await client.status(far)).known, true)
  await client.submit('soon', 'x', { delay: 1 })
  await ran.promise
  const handle = await client.submit('far', 'x', { schedule: '0 3 * * 0' })
  const admin = new Admin(server)
  const [row] = await admin.schedules()
  assert.equal(row.handle, handle)
  assert.equal(row.fields, '0 3 * * 0')
  assert.ok(row.next instanceof Date && row.next > new Date())
  await admin.cancel(handle)
  assert.deepEqual(await admin.schedules(), [])
})

test('a task can have a time limit', async (t) => {
  const server = await helpers.server(t)
  const client = helpers.client(t, server.address)
  await assert.rejects(client.submit('nobody', 'x', { timeout: 50 }), { code: 'TIMEOUT', retryable: true })
  const hasty = helpers.client(t, server, { taskTimeout: 50 })
  await assert.rejects(hasty.submit('nobody', 'x'), { code: 'TIMEOUT' })
})

test('signals end every wait', async (t) => {
  const server = await helpers.server(t)
  const client = helpers.client(t, server.address)
  const over = { name: 'AbortError', code: 'ABORT_ERR' }
  const reason = new Error('enough')

  const controller = new AbortController()
  const task = client.submit('nobody', 'x', { signal: controller.signal })
  await task.created()
  controller.abort(reason)
  await assert.rejects(task, (error) => {
    assert.ok(error instanceof LineshaftError)
    assert.equal(error.cause, reason)
    return error.name === over.name && error.code === over.code
  })
  // Aborted before: nothing is sent.
  await assert.rejects(client.submit('nobody', 'x', { signal: controller.signal }), over)
  await assert.rejects(client.status('H:x:1', { signal: controller.signal }), over)
  await assert.rejects(client.connect({ signal: controller.signal }), over)
  await assert.rejects(new Admin(server).status({ signal: controller.signal }), over)
  await assert.rejects(Server.start({ signal: controller.signal }), over)
  await assert.rejects(async () => {
    for await (const result of client.map('nobody', ['x'], { signal: AbortSignal.timeout(20) })) assert.fail(result)
  }, over)
  await assert.rejects(async () => {
    for await (const event of client.submit('nobody', 'x', { signal: AbortSignal.timeout(20) })) assert.fail(event)
  }, over)
  await client.echo('still fine')
})

test('a signal used for many tasks gathers no listeners', async (t) => {
  const server = await helpers.server(t)
  await helpers.worker(t, server, echo)
  const client = helpers.client(t, server)
  const { signal } = new AbortController()
  let listeners = 0
  const { addEventListener, removeEventListener } = signal
  signal.addEventListener = (...words) => ((listeners += 1), addEventListener.apply(signal, words))
  signal.removeEventListener = (...words) => ((listeners -= 1), removeEventListener.apply(signal, words))
  for (let i = 0; i < 100; i += 1) await client.submit('echo', 'x', { signal })
  await client.echo('x', { signal })
  assert.equal(listeners, 0)
})

test('submitMany asks for no more jobs than there is room for', async (t) => {
  const server = await helpers.server(t)
  const client = helpers.client(t, server.address)
  let asked = 0
  async function* jobs() {
    for (let i = 0; i < 100; i += 1) {
      asked += 1
      yield { function: 'f', workload: String(i), background: true, unique: `u${i}` }
    }
  }
  let taken = 0
  for await (const { handle, task } of client.submitMany(jobs(), { inFlight: 8 })) {
    taken += 1
    assert.match(handle, /^H:/)
    assert.equal(await task, handle)
    assert.ok(asked <= taken + 8, `${asked} asked for, ${taken} taken`)
  }
  assert.equal(taken, 100)
  assert.equal(server.jobs, 100)
  const tasks = await client.submitMany([{ function: 'f', workload: 'a' }, { function: 'f', workload: 'b' }])
  await helpers.worker(t, server, { f: (job) => job.workload })
  assert.deepEqual((await Promise.all(tasks.map(({ task }) => task))).map(String), ['a', 'b'])
  await assert.rejects(async () => await client.submitMany([{ function: '' }]), { code: 'INVALID_FUNCTION_NAME' })
  await assert.rejects(async () => await client.submitMany(7), { code: 'INVALID_ARGUMENT' })
})

test('map keeps the order and the limit', async (t) => {
  const server = await helpers.server(t)
  let now = 0
  let most = 0
  await helpers.worker(t, server, {
    async f(job) {
      most = Math.max(most, ++now)
      await new Promise(setImmediate)
      now -= 1
      return job.workload
    },
  }, { concurrency: 64 })
  const client = helpers.client(t, server)
  const results = []
  for await (const result of client.map('f', Array.from({ length: 50 }, (_, i) => `${i}`), { inFlight: 4 })) {
    results.push(Number(String(result)))
  }
  assert.deepEqual(results, Array.from({ length: 50 }, (_, i) => i))
  assert.ok(most <= 4)
})

test('several servers: the first that can be reached', async (t) => {
  const server = await helpers.server(t)
  await helpers.worker(t, server, echo)
  const nobody = `127.0.0.1:${await freePort()}`
  for (const list of [[nobody, server.address], `${nobody},${server.address}`, [nobody, server]]) {
    const client = helpers.client(t, list)
    assert.equal(String(await client.submit('echo', 'x')), 'x')
  }
})

test('server gone and back: what was under way ends, what comes later arrives', async (t) => {
  const first = await Server.start()
  const { port } = first
  const client = helpers.client(t, first.address)
  const worker = await helpers.worker(t, first.address, echo)
  const troubles = []
  worker.on('error', (error, address) => troubles.push([error.code, address]))
  assert.equal(String(await client.submit('echo', '1')), '1')
  const pending = client.submit('nobody', 'x')
  await pending.created()
  await first.stop()
  await assert.rejects(pending, { code: 'LOST_CONNECTION', retryable: true })

  const second = await Server.start({ listen: `127.0.0.1:${port}` })
  t.after(() => second.stop())
  assert.equal(String(await client.submit('echo', '2')), '2')
  assert.ok(troubles.length > 0 && troubles.every(([, address]) => address === `127.0.0.1:${port}`))
})

test('a server that is not there is an error with a code', async (t) => {
  const client = helpers.client(t, `127.0.0.1:${await freePort()}`)
  await assert.rejects(client.submit('f'), { code: 'COULD_NOT_CONNECT', retryable: true })
  await assert.rejects(client.connect(), { code: 'COULD_NOT_CONNECT' })
  await assert.rejects(new Admin(`127.0.0.1:${await freePort()}`).version(), LineshaftError)
})

test('every error has its stable code, and nothing else is thrown', async (t) => {
  assert.ok(LineshaftError.codes.length >= 25)
  const retryable = LineshaftError.codes.filter((row) => row.retryable).map((row) => row.code)
  assert.ok(retryable.includes('TIMEOUT') && !retryable.includes('WORK_FAIL'))
  const { table } = await import('./errors.mjs')
  assert.deepEqual(Object.fromEntries(LineshaftError.codes.map((row) => [row.code, row.number])), table)

  const server = await helpers.server(t)
  const client = helpers.client(t, server)
  const rejections = [
    ['INVALID_FUNCTION_NAME', client.submit('')],
    ['INVALID_FUNCTION_NAME', client.submit('a\0b')],
    ['INVALID_ARGUMENT', client.submit(7)],
    ['INVALID_ARGUMENT', client.submit('f', 7)],
    ['INVALID_ARGUMENT', client.submit('f', '', { unique: '' })],
    ['ARGUMENT_TOO_LARGE', client.submit('f', '', { unique: 'u'.repeat(65) })],
    ['INVALID_ARGUMENT', client.submit('f', '', { priority: 'urgent' })],
    ['INVALID_ARGUMENT', client.submit('f', '', { priority: 'high', delay: 5 })],
    ['INVALID_ARGUMENT', client.submit('f', '', { delay: 5, runAt: 5 })],
    ['INVALID_ARGUMENT', client.submit('f', '', { delay: -1 })],
    ['INVALID_ARGUMENT', client.submit('f', '', { runAt: new Date(NaN) })],
    ['INVALID_ARGUMENT', client.submit('f', '', { schedule: '* * *' })],
    ['INVALID_ARGUMENT', client.submit('f', '', { timeout: NaN })],
    ['DATA_TOO_LARGE', client.submit('f', Buffer.alloc(64 << 20))],
    ['INVALID_ARGUMENT', new Admin(server).cancel('a b')],
    ['JOB_NOT_FOUND', new Admin(server).cancel('H:lineshaft:77')],
    ['INVALID_ARGUMENT', Server.start({ compat: '3' })],
    ['INVALID_ARGUMENT', Server.start({ listen: 'a b' })],
  ]
  for (const [code, promise] of rejections) {
    await assert.rejects(promise, (error) => {
      assert.ok(error instanceof LineshaftError, `${code}: ${error.stack}`)
      assert.equal(error.code, code, error.message)
      return true
    })
  }
  for (const make of [() => new Client('a b'), () => new Client(7), () => new Admin(['a', 'b']), () => new Client('h', { connectTimeout: -1 })]) {
    assert.throws(make, (error) => error instanceof LineshaftError && error.code === 'INVALID_ARGUMENT')
  }
})

test('close hands background jobs over and ends the rest', async (t) => {
  const server = await helpers.server(t)
  const client = new Client(server.address)
  const background = Array.from({ length: 50 }, () => client.submit('f', 'x', { background: true }))
  const waiting = client.submit('f', 'x')
  await Promise.all([assert.rejects(waiting, { code: 'SHUTDOWN' }), client.close()])
  assert.equal(new Set(await Promise.all(background)).size, 50)
  await assert.rejects(client.submit('f'), { code: 'SHUTDOWN' })
  await assert.rejects(client.status('H:x:1'), { code: 'SHUTDOWN' })
  await client.close()
})

test('what waits has a limit', async (t) => {
  const server = await helpers.server(t)
  const client = helpers.client(t, server.address, { maxWaiting: 1000 })
  const first = client.submit('f', Buffer.alloc(900), { background: true })
  await assert.rejects(client.submit('f', Buffer.alloc(900), { background: true }), { code: 'JOB_QUEUE_FULL' })
  await first
  await client.submit('f', Buffer.alloc(900), { background: true })
})

test('a result in pieces has a limit', async (t) => {
  const server = await helpers.server(t)
  await helpers.worker(t, server, {
    async f(job) {
      for (let i = 0; i < 3; i += 1) await job.sendData(Buffer.alloc(500))
    },
  })
  const client = helpers.client(t, server, { maxResult: 1000 })
  await assert.rejects(client.submit('f'), { code: 'DATA_TOO_LARGE' })
})

test('admin tells what there is', async (t) => {
  const server = await helpers.server(t)
  await helpers.worker(t, server, echo, { clientId: 'me' })
  const client = helpers.client(t, server)
  const handle = await client.submit('later', 'x', { background: true, unique: 'u' })
  for (const admin of [new Admin(server), new Admin(server.address)]) {
    const status = await admin.status()
    const later = status.find((row) => row.function === 'later')
    assert.deepEqual(later, { function: 'later', total: 1, running: 0, workers: 0 })
    const [queued] = (await admin.priorityStatus()).filter((row) => row.function === 'later')
    assert.deepEqual(queued, { function: 'later', high: 0, normal: 1, low: 0, workers: 0 })
    const workers = await admin.workers()
    assert.ok(workers.some((row) => row.clientId === 'me' && row.functions.includes('echo')))
    assert.deepEqual(await admin.jobs(), [{ handle, retries: 0, ignored: false, persisted: true }])
    assert.deepEqual(await admin.uniqueJobs(), ['u'])
    assert.equal(await admin.getpid(), process.pid)
    assert.match(await admin.version(), /^\d+\.\d+/)
    assert.match(await admin.verbose(), /\w/)
    await admin.createFunction('made')
    await admin.maxQueue('made', 1)
    await admin.dropFunction('made')
    assert.ok((await admin.command('status')).some((line) => line.startsWith('later\t1')))
    // Several at once on one admin client.
    assert.equal((await Promise.all([admin.version(), admin.getpid(), admin.status()])).length, 3)
  }
  const limited = new Admin(server)
  await limited.maxQueue('later', 1)
  await assert.rejects(client.submit('later', 'y', { background: true }), LineshaftError)
  await limited.cancel(handle)
  assert.equal(server.jobs, 0)
})

test('servers have settings, and none of them needs a socket', async (t) => {
  const server = await helpers.server(t, { listen: [], handlePrefix: 'H:mine', threads: 2, compat: '1.1' })
  assert.deepEqual(server.addresses, [])
  assert.equal(server.port, undefined)
  const client = helpers.client(t, server)
  assert.match(await client.submit('f', '', { background: true }), /^H:mine:/)
  assert.equal(server.connections, 1)
  const two = await helpers.server(t, { listen: ['127.0.0.1:0', '127.0.0.1:0'] })
  assert.equal(new Set(two.addresses).size, 2)
  assert.equal(await two.stop({ deadline: 1000 }), true)
  await two.stop()
  assert.throws(() => two.jobs, { code: 'SHUTDOWN' })
  assert.throws(() => new Server(), TypeError)
})
