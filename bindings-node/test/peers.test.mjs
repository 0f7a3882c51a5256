// The npm package `gearman` as the other side, and ours as the server in the middle.

import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import * as helpers from 'lineshaft/test'

const gearman = createRequire(import.meta.url)('gearman')

/** A client or worker of the package `gearman`; its `on` takes no `once`. */
async function peer(t, server) {
  const made = gearman('127.0.0.1', server.port, { timeout: 30_000 })
  await new Promise((resolve) => made.connect(resolve))
  t.after(() => made.close())
  return made
}

const next = (peer, name) => new Promise((resolve) => {
  const told = (event) => {
    peer.removeEventListener(name, told)
    resolve(event)
  }
  peer.on(name, told)
})

test('its client, our worker', async (t) => {
  const server = await helpers.server(t)
  await helpers.worker(t, server.address, {
    async reverse(job) {
      await job.sendStatus(1, 2)
      await job.sendData('part')
      return Buffer.from(job.workload).reverse()
    },
    boom() {
      throw new Error('no')
    },
  })
  const client = await peer(t, server)
  const told = ['JOB_CREATED', 'WORK_STATUS', 'WORK_DATA', 'WORK_COMPLETE'].map((name) => next(client, name))
  client.submitJob('reverse', 'abc')
  const [created, status, data, complete] = await Promise.all(told)
  assert.equal(complete.handle, created)
  assert.equal(String(complete.payload), 'cba')
  assert.equal(String(data.payload), 'part')
  assert.equal(status.handle, created)
  const failed = next(client, 'WORK_FAIL')
  client.submitJob('boom', 'x')
  await failed
})

test('our client, its worker', async (t) => {
  const server = await helpers.server(t)
  const worker = await peer(t, server)
  worker.on('JOB_ASSIGN', (job) => {
    const text = String(job.payload)
    if (text === 'fail') worker.sendWorkFail(job.handle)
    else {
      worker.sendWorkStatus(job.handle, '1', '2')
      worker.sendWorkComplete(job.handle, text.split('').reverse().join(''))
    }
    worker.preSleep()
  })
  worker.on('NOOP', () => worker.grabJob())
  worker.addFunction('reverse')
  worker.preSleep()
  const client = helpers.client(t, server.address)
  assert.equal(String(await client.submit('reverse', 'abc')), 'cba')
  const events = []
  for await (const event of client.submit('reverse', 'xyz')) events.push(event.type)
  assert.deepEqual(events, ['status', 'complete'])
  await assert.rejects(client.submit('reverse', 'fail'), { code: 'WORK_FAIL' })
  for (const result of await Promise.all(Array.from({ length: 20 }, () => client.submit('reverse', 'ab')))) {
    assert.equal(String(result), 'ba')
  }
})

