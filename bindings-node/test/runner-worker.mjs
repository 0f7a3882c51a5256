// What the test of the runner lets run.

import { once } from 'node:events'
import { Worker } from 'lineshaft'

export default function worker() {
  const made = new Worker(process.env.SERVER)
  // Tells where it runs, and runs until it is told to end.
  made.function('hold', async (job) => {
    const end = once(process, 'SIGUSR2')
    await job.sendData(String(process.pid))
    await end
    return 'held'
  })
  made.function('slow', async (job) => {
    const end = once(process, 'SIGTERM')
    await job.sendData('')
    await end
    return 'drained'
  })
  return made
}
