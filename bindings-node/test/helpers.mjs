// What several tests need. No test here waits for time to pass where it can wait for an event.

import { createConnection } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

/** A promise to be settled from outside. */
export function deferred() {
  const made = {}
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }))
  return made
}

/** Waits until `check` is true: for things that no event tells. */
export async function until(check, what = 'something') {
  for (let tries = 0; tries < 1000; tries += 1) {
    if (await check()) return
    // Nobody tells when it comes about.
    await sleep(10)
  }
  throw new Error(`${what} has not come about`)
}

/** A port on which nobody listens. */
export async function freePort() {
  const { createServer } = await import('node:net')
  const server = createServer()
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address()
  await new Promise((resolve) => server.close(resolve))
  return port
}

export { createConnection }
