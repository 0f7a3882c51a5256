// Compiled, not run: what must have which type, and what must not compile.

import { Admin, Client, Job, JobFailed, LineshaftError, Server, Task, Worker, type TaskEvent } from 'lineshaft'
import * as helpers from 'lineshaft/test'
import { test } from 'node:test'

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
const same = <A, B>(proof: Same<A, B>): boolean => proof

export async function client(server: Server): Promise<void> {
  await using client = new Client([server, 'host:4730'], { connectTimeout: 100, maxWaiting: 1 << 20 })
  const task = client.submit('f', Buffer.from('x'), { priority: 'high', unique: 'u', timeout: 5, signal: AbortSignal.timeout(1) })
  same<typeof task, Task<Buffer>>(true)
  const result = await task
  same<typeof result, Buffer>(true)
  const handle = await client.submit('f', 'x', { background: true })
  same<typeof handle, string>(true)
  same<Awaited<ReturnType<typeof later>>, string>(true)
  async function later() {
    return client.submit('f', 'x', { runAt: new Date() })
  }
  for await (const event of client.submit('f')) {
    same<typeof event, TaskEvent<Buffer>>(true)
    if (event.type === 'status') same<typeof event.numerator, number>(true)
  }
  task.on('data', (data) => same<typeof data, Buffer>(true))
  task.on('error', (error) => same<typeof error.code, string>(true))
  for await (const data of client.map('f', ['a', 'b'], { inFlight: 2 })) same<typeof data, Buffer>(true)
  const many = client.submitMany([{ function: 'f', workload: 'x', background: true }])
  for await (const one of many) same<typeof one.task, Task<Buffer | string>>(true)
  const all = await many
  same<(typeof all)[number]['handle'], string>(true)
  const promise: Promise<Buffer> = client.submit('f')
  await promise
  const { known, clients } = await client.statusByUnique('u')
  same<typeof known, boolean>(true)
  same<typeof clients, number | undefined>(true)
  // @ts-expect-error a priority that does not exist
  client.submit('f', 'x', { priority: 'urgent' })
  // @ts-expect-error no bytes
  client.submit('f', 7)
  // @ts-expect-error an event that does not exist
  task.on('end', () => {})
  // @ts-expect-error made by submit alone
  new Task()
}

export async function worker(): Promise<void> {
  await using server = await Server.start({ listen: '127.0.0.1:0', compat: '2.0' })
  const worker = new Worker(server, { concurrency: 4, cancelCheck: 0 })
  worker.function('f', async (job: Job) => {
    same<typeof job.workload, Buffer>(true)
    same<typeof job.signal, AbortSignal>(true)
    await job.sendStatus(1, 2)
    if (job.unique === undefined) throw new JobFailed()
    return job.workload
  }, { timeout: 5000 })
  worker.function('g', () => 'text').function('h', () => {})
  worker.on('error', (error, address) => same<typeof error, LineshaftError>(true) && address.length)
  // @ts-expect-error a result that is no bytes
  worker.function('f', () => 7)
  // @ts-expect-error made by start alone
  new Server()
  await worker.start()
  await worker.stop({ deadline: 100 })
}

export async function admin(): Promise<number> {
  const admin = new Admin('host')
  const [row] = await admin.status({ signal: AbortSignal.timeout(5) })
  const [schedule] = await admin.schedules()
  same<NonNullable<typeof schedule>['next'], Date | undefined>(true)
  return row?.total ?? 0
}

test('helpers', async (t) => {
  const server = await helpers.server(t)
  await helpers.worker(t, server, { echo: (job) => job.workload, nothing() {} }, { concurrency: 2 })
  await helpers.client(t, server).submit('echo', 'x')
})
