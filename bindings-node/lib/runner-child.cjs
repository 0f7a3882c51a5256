'use strict'
// One process of `lineshaft worker`.

const { pathToFileURL } = require('node:url')
const { Worker } = require('./worker.cjs')

const { path, concurrency, deadline } = JSON.parse(process.argv[2])

async function main() {
  // Asked to stop before it has started.
  let asked = false
  let stop = () => {
    asked = true
  }
  const onSignal = () => stop()
  process.on('SIGTERM', onSignal)
  // A terminal sends SIGINT to every process; the parent's SIGTERM follows.
  process.on('SIGINT', () => {})
  // The parent is gone.
  process.on('disconnect', onSignal)

  const module = await import(pathToFileURL(path))
  const exported = module.default?.default ?? module.default
  const worker = typeof exported === 'function' ? await exported() : exported
  if (!(worker instanceof Worker)) {
    throw new TypeError(`${path} exports no Worker as its default, and no function that returns one`)
  }
  if (concurrency !== undefined) worker.concurrency = concurrency
  if (worker.listenerCount('error') === 0) {
    worker.on('error', (error, address) => process.stderr.write(`lineshaft: ${address}: ${error.message}\n`))
  }
  if (asked) return
  await worker.start()
  stop = async () => {
    await worker.stop({ deadline })
    process.disconnect?.()
  }
  if (asked) await stop()
  await new Promise((resolve) => worker.once('stopped', resolve))
}

main().then(
  () => process.exit(0),
  (error) => {
    process.stderr.write(`lineshaft: ${error.stack}\n`)
    process.exit(1)
  },
)
