'use strict'

const { LineshaftError, JobFailed } = require('./lib/error.cjs')
const { Server } = require('./lib/server.cjs')
const { Client } = require('./lib/client.cjs')
const { Worker } = require('./lib/worker.cjs')
const { Admin } = require('./lib/admin.cjs')

module.exports = { Server, Client, Worker, Admin, LineshaftError, JobFailed }
