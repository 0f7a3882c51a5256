'use strict'
// The suite against what is published: packs, installs the tarballs in an empty project, and runs everything there.

const { spawnSync } = require('node:child_process')
const { cpSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } = require('node:fs')
const { join } = require('node:path')
const { here, root, run, target } = require('./tree.cjs')
const { pack } = require('./pack.cjs')
const { peers } = require('./peers.cjs')

function project() {
  const others = peers('test')
  const folder = join(target(), 'node-test')
  const tarballs = pack(join(target(), 'node-pack'))
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder)
  writeFileSync(join(folder, 'package.json'), '{ "name": "empty", "private": true }\n')
  // Offline: the packages of other platforms cannot be asked for, and are not needed.
  run('npm', ['install', '--offline', '--no-audit', '--no-fund', '--loglevel=error', ...tarballs], { cwd: folder })
  for (const entry of ['test', 'examples', 'native.d.ts', 'README.md']) cpSync(join(here, entry), join(folder, entry), { recursive: true })
  cpSync(join(root, 'README.md'), join(folder, 'test/README-of-all.md'))
  symlinkSync(join(others.folder, 'node_modules'), join(folder, 'test/node_modules'))
  return { folder, tarballs, others }
}

function main() {
  const { folder, tarballs, others } = project()
  run('node', [join(here, 'scripts/generate.cjs'), '--check'])
  run(process.execPath, [join(others.folder, 'node_modules/publint/src/cli.js'), tarballs[0], '--strict'])
  run(process.execPath, [join(others.folder, 'node_modules/@arethetypeswrong/cli/dist/index.js'), tarballs[0]])
  run(process.execPath, [join(others.folder, 'node_modules/typescript/bin/tsc'), '--project', 'test/types'], { cwd: folder })
  const files = readdirSync(join(folder, 'test')).filter((file) => file.endsWith('.test.mjs'))
  // A test that hangs is a failure, not an endless run.
  const words = ['--expose-gc', '--test', '--test-timeout=300000', '--test-reporter=tap', ...files.map((file) => join('test', file))]
  const { status } = spawnSync(process.execPath, [...words, ...process.argv.slice(2)], { cwd: folder, stdio: 'inherit' })
  process.exitCode = status ?? 1
}

main()
