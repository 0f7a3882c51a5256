'use strict'
// Helpers for node:test: real brokers, clients and workers that end with their test.

const { Server, Client, Worker } = require('./index.cjs')

async function server(t, options) {
  const started = await Server.start(options)
  t.after(() => started.stop())
  return started
}

function client(t, place, options) {
  const made = new Client(place, options)
  t.after(() => made.close())
  return made
}

async function worker(t, place, functions, options) {
  const made = new Worker(place, options)
  for (const [name, run] of Object.entries(functions)) made.function(name, run)
  await made.start()
  t.after(() => made.stop({ deadline: 0 }))
  return made
}

module.exports = { server, client, worker }
