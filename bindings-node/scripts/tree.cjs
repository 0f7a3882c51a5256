'use strict'
// Where things are, and running other programs.

const { execFileSync } = require('node:child_process')
const { join } = require('node:path')

const here = join(__dirname, '..')
const root = join(here, '..')

/** Every platform that a binary can be published for: what npm calls it, and what Rust does. */
const platforms = {
  'linux-x64-gnu': { os: 'linux', cpu: 'x64', libc: 'glibc', target: 'x86_64-unknown-linux-gnu' },
  'linux-arm64-gnu': { os: 'linux', cpu: 'arm64', libc: 'glibc', target: 'aarch64-unknown-linux-gnu' },
  'linux-x64-musl': { os: 'linux', cpu: 'x64', libc: 'musl', target: 'x86_64-unknown-linux-musl' },
  'linux-arm64-musl': { os: 'linux', cpu: 'arm64', libc: 'musl', target: 'aarch64-unknown-linux-musl' },
  'darwin-x64': { os: 'darwin', cpu: 'x64', target: 'x86_64-apple-darwin' },
  'darwin-arm64': { os: 'darwin', cpu: 'arm64', target: 'aarch64-apple-darwin' },
}

/** Runs a program with its output shown, on stderr where stdout is for results. */
function run(program, words, options = {}) {
  execFileSync(program, words, { cwd: here, stdio: ['ignore', 2, 2], ...options })
}

function read(program, words, options = {}) {
  return execFileSync(program, words, { cwd: here, stdio: ['ignore', 'pipe', 2], encoding: 'utf8', ...options })
}

/** Cargo's target folder. */
function target() {
  const words = ['metadata', '--format-version', '1', '--no-deps', '--offline']
  return JSON.parse(read('cargo', words, { maxBuffer: 1 << 28 })).target_directory
}

module.exports = { here, root, platforms, run, read, target }
