'use strict'
// Other people's packages that tests and benches need, installed below the target folder as test/package.json
// and bench/package.json say.

const { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } = require('node:fs')
const { createRequire } = require('node:module')
const { join } = require('node:path')
const { here, run, target } = require('./tree.cjs')

const found = new Map()

/** Installs those that `test` or `bench` needs, where that has not been done. */
function peers(what) {
  if (found.has(what)) return found.get(what)
  const folder = join(target(), `node-peers/${what}`)
  const stamp = join(folder, 'installed')
  // npm cannot install from a lock file without addresses where a package has parts for single platforms, as BullMQ has.
  const locked = existsSync(join(here, what, 'package-lock.json'))
  const files = locked ? ['package.json', 'package-lock.json'] : ['package.json']
  const wanted = files.map((file) => readFileSync(join(here, what, file), 'utf8')).join('')
  if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
    mkdirSync(folder, { recursive: true })
    for (const file of files) copyFileSync(join(here, what, file), join(folder, file))
    const words = locked ? ['ci'] : ['install', '--no-package-lock']
    run('npm', [...words, '--no-audit', '--no-fund', '--ignore-scripts', '--loglevel=error'], { cwd: folder })
    writeFileSync(stamp, wanted)
  }
  const peer = { folder, require: createRequire(join(folder, 'package.json')) }
  found.set(what, peer)
  return peer
}

module.exports = { peers }
