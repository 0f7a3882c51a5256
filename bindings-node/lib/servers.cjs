'use strict'

const { invalid } = require('./error.cjs')
const { Server } = require('./server.cjs')

/** Servers as callers give them, as the native half takes them. */
function places(servers) {
  if (servers === undefined || servers === null) return []
  const list = Array.isArray(servers) ? servers : [servers]
  return list.map((server) => {
    if (server instanceof Server) return Server.native(server)
    if (typeof server === 'string') return server
    throw invalid("a server is a Server, or text as 'host:port' or 'unix:/path'")
  })
}

module.exports = { places }
