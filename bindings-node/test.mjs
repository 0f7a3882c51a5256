import helpers from './test.cjs'

export const { server, client, worker } = helpers
