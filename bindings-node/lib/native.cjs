'use strict'
// Finds the native half: built here, or from the package of this platform.

const { existsSync } = require('node:fs')
const { join } = require('node:path')
const platform = require('./platform.cjs')

function load() {
  const name = platform.name()
  const built = join(__dirname, '..', `lineshaft.${name}.node`)
  if (existsSync(built)) return require(built)
  try {
    return require(`lineshaft-${name}`)
  } catch (cause) {
    throw new Error(
      `lineshaft: no native part for ${name}: neither ${built} nor the package lineshaft-${name} can be loaded; ` +
        'install without --omit=optional, or build it with `npm run build` (needs Rust)',
      { cause },
    )
  }
}

module.exports = load()
