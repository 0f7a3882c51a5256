'use strict'
// Builds the native half for this machine: lineshaft.<platform>.node.

const { copyFileSync, existsSync, rmSync } = require('node:fs')
const { join } = require('node:path')
const { here, run, target } = require('./tree.cjs')
const { name } = require('../lib/platform.cjs')

const LIBRARY = { darwin: 'liblineshaft_node.dylib', win32: 'lineshaft_node.dll' }

function build() {
  run('cargo', ['build', '--release', '--package', 'lineshaft-node'])
  const built = join(target(), 'release', LIBRARY[process.platform] ?? 'liblineshaft_node.so')
  const file = join(here, `lineshaft.${name()}.node`)
  // A new file: processes that have loaded the old one keep it.
  rmSync(file, { force: true })
  copyFileSync(built, file)
  return file
}

if (require.main === module) {
  const there = existsSync(join(here, `lineshaft.${name()}.node`))
  if (!(there && process.argv.includes('--if-missing'))) build()
}

module.exports = { build }
