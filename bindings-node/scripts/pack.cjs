'use strict'
// Packs what is published: the package, and the native half of this machine. Prints the files' names.

const { chmodSync, copyFileSync, cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } = require('node:fs')
const { join } = require('node:path')
const { here, root, platforms, read, target } = require('./tree.cjs')
const { build } = require('./build.cjs')
const { name } = require('../lib/platform.cjs')

/** @returns {string[]} the tarballs, the package's first */
function pack(into) {
  const binary = build()
  const manifest = JSON.parse(readFileSync(join(here, 'package.json'), 'utf8'))
  const { version, license } = manifest
  rmSync(into, { recursive: true, force: true })

  const folder = join(into, 'lineshaft')
  mkdirSync(folder, { recursive: true })
  for (const entry of ['bin', 'lib', ...FILES]) cpSync(join(here, entry), join(folder, entry), { recursive: true })
  for (const entry of LICENSES) copyFileSync(join(root, entry), join(folder, entry))
  const published = {
    ...manifest,
    scripts: undefined,
    optionalDependencies: Object.fromEntries(Object.keys(platforms).map((it) => [`lineshaft-${it}`, version])),
  }
  write(folder, published)

  const platform = name()
  const { os, cpu, libc } = platforms[platform]
  const native = join(into, 'native')
  mkdirSync(native)
  const file = `lineshaft.${platform}.node`
  copyFileSync(binary, join(native, file))
  chmodSync(join(native, file), 0o644)
  for (const entry of LICENSES) copyFileSync(join(root, entry), join(native, entry))
  write(native, {
    name: `lineshaft-${platform}`,
    version,
    description: `The native half of lineshaft for ${platform}`,
    license,
    engines: manifest.engines,
    os: [os],
    cpu: [cpu],
    ...(libc && { libc: [libc] }),
    main: file,
    files: [file],
  })
  return [folder, native].map((it) => join(into, JSON.parse(read('npm', ['pack', '--json', '--pack-destination', into], { cwd: it }))[0].filename))
}

const FILES = ['index.cjs', 'index.mjs', 'index.d.ts', 'index.d.mts', 'test.cjs', 'test.mjs', 'test.d.ts', 'test.d.mts', 'README.md']
const LICENSES = ['LICENSE', 'LICENSE-APACHE', 'LICENSE-MIT']

function write(folder, manifest) {
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify(manifest, undefined, 2)}\n`)
}

if (require.main === module) console.log(pack(join(target(), 'node-pack')).join('\n'))

module.exports = { pack }
