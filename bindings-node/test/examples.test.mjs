// The README and the examples are programs that work.

import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { readFile, readdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const node = (...words) => promisify(execFile)(process.execPath, words, { cwd: root, timeout: 60_000 })

const outputs = {
  'first-minute.mjs': 'cba\n',
  'progress.mjs': 'piece 1 \n1 of 3\npiece 2 \n2 of 3\npiece 3 \n3 of 3\ndone\n',
  'many.mjs': '99990000\n10000 10000\n',
  'errors.mjs': 'true WORK_EXCEPTION out of paper\ntrue WORK_FAIL \ntrue TIMEOUT \ntrue ABORT_ERR \n',
}

test('every example prints what it should', async (t) => {
  assert.deepEqual((await readdir(join(root, 'examples'))).sort(), Object.keys(outputs).sort())
  for (const [file, output] of Object.entries(outputs)) {
    await t.test(file, async () => {
      const { stdout, stderr } = await node(join('examples', file))
      assert.equal(stdout, output)
      assert.equal(stderr, '')
    })
  }
})

for (const readme of ['README.md', 'test/README-of-all.md']) {
  test(`the first minute in ${readme} works as it stands there`, async () => {
    const [, source] = (await readFile(join(root, readme), 'utf8')).match(/```js\n([^]*?)```/)
    const { stdout, stderr } = await node('--input-type=module', '--eval', `${source}\nconsole.log(String(result))`)
    assert.equal(stdout, 'cba\n')
    assert.equal(stderr, '')
    assert.ok((await readFile(join(root, 'examples/first-minute.mjs'), 'utf8')).startsWith(source))
  })
}
