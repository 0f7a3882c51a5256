'use strict'
// `lineshaft worker`: keeps the processes of a worker module running.

const { fork } = require('node:child_process')
const { join, resolve } = require('node:path')

/** Pauses before a process that has ended is started again, in ms. */
const FIRST_PAUSE = 100
const LAST_PAUSE = 30_000

/** A process that has run for so long, in ms, is forgiven its earlier ends. */
const FORGIVEN_AFTER = 10_000

/** What a process has beside the deadline of its jobs before it is killed, in ms. */
const GRACE = 5000

function run(file, { processes, concurrency, deadline }) {
  const path = resolve(file)
  let stopping = false
  const slots = Array.from({ length: processes }, (_, number) => ({ number: number + 1, pause: FIRST_PAUSE }))
  const say = (text) => process.stderr.write(`lineshaft: ${text}\n`)

  const start = (slot) => {
    slot.timer = undefined
    const settings = JSON.stringify({ path, concurrency, deadline: deadline * 1000 })
    const child = fork(join(__dirname, 'runner-child.cjs'), [settings], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    const since = performance.now()
    slot.child = child
    say(`process ${slot.number} is ${child.pid}`)
    let over = false
    const ended = (how) => {
      if (over) return
      over = true
      slot.child = undefined
      clearTimeout(slot.killer)
      if (stopping) return
      if (performance.now() - since > FORGIVEN_AFTER) slot.pause = FIRST_PAUSE
      say(`process ${slot.number} (${child.pid}) has ended with ${how}; it is started again in ${slot.pause} ms`)
      slot.timer = setTimeout(start, slot.pause, slot)
      slot.pause = Math.min(slot.pause * 2, LAST_PAUSE)
    }
    child.on('exit', (code, signal) => ended(signal ?? `code ${code}`))
    child.on('error', (error) => ended(error.message))
  }

  const stop = () => {
    if (stopping) return
    stopping = true
    for (const slot of slots) {
      clearTimeout(slot.timer)
      if (slot.child === undefined) continue
      const { child } = slot
      child.kill('SIGTERM')
      slot.killer = setTimeout(() => child.kill('SIGKILL'), deadline * 1000 + GRACE)
    }
  }

  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
  for (const slot of slots) start(slot)
}

module.exports = { run }
