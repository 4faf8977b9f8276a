/** Snapshots as bytes: whole, or refused with the reason. */
import { expect, test } from 'vitest'
import { Engine } from '../../src/cep/engine.ts'
import { openSnapshot, packSnapshot, type Snapshot, sealSnapshot, snapshotVersion } from '../../src/cep/snapshot.ts'

const snapshot = (): Snapshot => ({
  offset: 7,
  id: 'web1-x:3',
  engine: new Engine({ defaultStepMs: 1000 }).save(),
  minutes: [],
  waiting: [],
})
const sealed = () => sealSnapshot(packSnapshot(snapshot()))
const reasonFor = (bytes: Buffer) => {
  const opened = openSnapshot(bytes)
  return opened.ok ? 'fine' : opened.error
}

test('what was written is read again', async () => {
  const opened = openSnapshot(await sealed())
  expect(opened.ok && opened.value).toEqual(snapshot())
})

test('a single wrong or missing byte is noticed', async () => {
  const bytes = await sealed()
  for (const at of [8, 39, 40, bytes.length - 1]) {
    const damaged = Buffer.from(bytes)
    damaged[at] = (damaged[at] as number) ^ 1
    expect(reasonFor(damaged)).toBe('it is damaged')
  }
  expect(reasonFor(bytes.subarray(0, -1))).toBe('it is damaged')
})

test('other files, and those of other programs, are refused', async () => {
  expect(reasonFor(Buffer.alloc(0))).toBe('it is not a snapshot')
  expect(reasonFor(Buffer.alloc(100, 'x'))).toBe('it is not a snapshot')
  const other = await sealed()
  other.writeUInt32LE(snapshotVersion + 1, 4)
  expect(reasonFor(other)).toBe(`it has format ${snapshotVersion + 1}; this program reads ${snapshotVersion}`)
})
