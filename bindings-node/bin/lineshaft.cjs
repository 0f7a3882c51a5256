#!/usr/bin/env node
'use strict'

const { parseArgs } = require('node:util')

const USAGE = `usage: lineshaft worker FILE [--processes N] [--concurrency M] [--deadline SECONDS]

Runs the workers of a module in N processes (default 1), each with M jobs at once (default: as the module says).
FILE exports a Worker that has not been started as its default, or a function that returns one.
A process that ends is started again, after a pause that grows from 0.1 s to 30 s. SIGTERM and SIGINT let running
jobs end, for at most SECONDS (default 30).`

function fail(message) {
  process.stderr.write(`lineshaft: ${message}\n\n${USAGE}\n`)
  process.exitCode = 2
}

function count(text, name, least) {
  if (text === undefined) return undefined
  const number = Number(text)
  if (Number.isInteger(number) && number >= least) return number
  throw new Error(`--${name} is '${text}'; it is a whole number from ${least} on`)
}

function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      processes: { type: 'string' },
      concurrency: { type: 'string' },
      deadline: { type: 'string' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  if (values.help) return void process.stdout.write(`${USAGE}\n`)
  const [command, file, ...rest] = positionals
  if (command !== 'worker') throw new Error(command === undefined ? 'a command is missing' : `no command '${command}'`)
  if (file === undefined || rest.length > 0) throw new Error('one FILE is needed')
  const options = {
    processes: count(values.processes, 'processes', 1) ?? 1,
    concurrency: count(values.concurrency, 'concurrency', 1),
    deadline: count(values.deadline, 'deadline', 0) ?? 30,
  }
  require('../lib/runner.cjs').run(file, options)
}

try {
  main()
} catch (error) {
  fail(error.message)
}
