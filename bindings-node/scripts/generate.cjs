'use strict'
// Writes native.d.ts, the types of the native half; with --check it only says whether it is as it should be.

const { mkdirSync, readFileSync, readdirSync, rmSync, utimesSync, writeFileSync } = require('node:fs')
const { join } = require('node:path')
const { here, run, target } = require('./tree.cjs')

/** What the derive macros have written: a line of JSON for each type, and for each block of methods. */
function definitions() {
  const folder = join(target(), 'node-types')
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  // They write while they run; so they must run.
  const now = new Date()
  utimesSync(join(here, 'src/lib.rs'), now, now)
  const env = { ...process.env, NAPI_TYPE_DEF_TMP_FOLDER: folder }
  run('cargo', ['check', '--quiet', '--package', 'lineshaft-node'], { env })
  const lines = readdirSync(folder).flatMap((file) => readFileSync(join(folder, file), 'utf8').trim().split('\n'))
  return lines.map((line) => JSON.parse(line))
}

/** What stands in front of a type of each kind. */
const HEADS = { interface: 'export interface', struct: 'export declare class', enum: 'export declare enum' }

function render(all) {
  const types = new Map()
  for (const { kind, name, js_doc: doc, def } of all) {
    if (kind === 'fn') types.set(name, `${doc}export declare ${def}\n`)
    else if (kind !== 'impl') types.set(name, { head: `${doc}${HEADS[kind]} ${name}`, body: [def] })
  }
  for (const { kind, name, def } of all) if (kind === 'impl') types.get(name).body.push(def)
  const text = ({ head, body }) => {
    const lines = body.flatMap((part) => part.split('\n')).filter((line) => line.trim() !== '')
    return `${head} {\n${lines.map((line) => `  ${line.trim()}\n`).join('')}}\n`
  }
  const sorted = [...types].sort(([a], [b]) => (a < b ? -1 : 1))
  return sorted.map(([, type]) => (typeof type === 'string' ? type : text(type))).join('\n')
}

const file = join(here, 'native.d.ts')
const types = `// Made by \`npm run generate\` from the sources of the native half; not to be edited.\n\n${render(definitions())}`
if (!process.argv.includes('--check')) {
  writeFileSync(file, types)
} else if (readFileSync(file, 'utf8') !== types) {
  console.error('native.d.ts is not what the sources say; run `npm run generate`')
  process.exitCode = 1
}
