// What the test of the runner lets run.

import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'lineshaft'

let waiting = []

export default function worker() {
  const made = new Worker(process.env.SERVER)
  made.function('pid', async () => {
    // Three at once are done together, or alone after a while: then the other process has had the rest.
    await Promise.race([sleep(100), new Promise((resolve) => {
      waiting.push(resolve)
      if (waiting.length === 3) for (const go of waiting.splice(0)) go()
    })])
    return String(process.pid)
  })
  made.function('slow', async (job) => {
    await job.sendData('')
    await new Promise((resolve) => process.once('SIGTERM', resolve))
    return 'drained'
  })
  return made
}
