/** Members of many sets, as bytes in shared tables. */
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { giveBack } from '../../src/ingest/batch.ts'
import { Members } from '../../src/ingest/members.ts'
import { set } from '../../src/ingest/parse.ts'
import { unpackedMembers } from '../../src/model/packed-members.ts'
import { openIntake } from './setup.ts'

const bounds = { membersMax: 5, allMembersMax: 1000 }

function give(members: Members, slot: number, text: string | Buffer): boolean {
  const bytes = Buffer.concat([Buffer.from('before'), Buffer.from(text as string), Buffer.from('behind')])
  return members.add(slot, bytes, 6, bytes.length - 6, bounds)
}

const given = fc.record({
  slot: fc.integer({ min: 0, max: 2000 }).map((slot) => slot % 7),
  text: fc.oneof(fc.constantFrom('a', 'b', 'ab', 'ba', '\u00e9', '0'), fc.string(), fc.string({ unit: 'binary' })),
})

describe('members', () => {
  test('what came of each set is what Sets of texts would have kept, in the order of coming, interval after interval', () => {
    const members = new Members()
    fc.assert(
      fc.property(fc.array(given, { maxLength: 60 }), (lines) => {
        members.clear()
        const expected = new Map<number, Set<string>>()
        const overflowed = new Set<number>()
        let refused = 0
        for (const { slot, text } of lines) {
          if (!expected.has(slot)) {
            expected.set(slot, new Set())
            members.begin(slot)
          }
          const all = expected.get(slot) as Set<string>
          const member = text === '' ? '0' : Buffer.from(text).toString()
          const hasRoom = all.has(member) || all.size < bounds.membersMax
          if (hasRoom) all.add(member)
          else overflowed.add(slot)
          if (!hasRoom) refused++
          expect(give(members, slot, text)).toBe(hasRoom)
        }
        const slots = [...expected.keys()]
        expect(unpackedMembers(members.pack(slots))).toEqual(slots.map((slot) => [...(expected.get(slot) ?? [])]))
        expect(members.takeRefused()).toBe(refused)
        expect(slots.filter((slot) => members.overflowed(slot))).toEqual(slots.filter((slot) => overflowed.has(slot)))
      }),
    )
  })

  test('bytes that are no UTF-8 are the member as which they are read: two that look the same are one', () => {
    const members = new Members()
    members.begin(0)
    for (const bytes of [Buffer.from([0xff]), Buffer.from([0xfe]), Buffer.from('\ufffd')]) give(members, 0, bytes)
    expect(unpackedMembers(members.pack([0]))).toEqual([['\ufffd']])
  })

  test('tables grow with a hundred thousand sets, and what was room for very many is given up when few come', () => {
    const members = new Members()
    const all = { membersMax: 10, allMembersMax: 1_000_000 }
    const one = Buffer.from('member1member2')
    for (let slot = 0; slot < 100_000; slot++) {
      members.begin(slot)
      for (let at = 0; at <= 7; at += 7) members.add(slot, one, at, at + 7, all)
    }
    expect(members.count).toBe(200_000)
    expect(unpackedMembers(members.pack([99_999, 0]))).toEqual([
      ['member1', 'member2'],
      ['member1', 'member2'],
    ])
    members.clear()
    const large = members.bytes
    members.begin(3)
    give(members, 3, 'few')
    members.clear()
    expect(members.bytes).toBeLessThan(large / 5)
  })

  test('the memory of messages that the bus has taken is given back at once', () => {
    const { aggregate, send } = openIntake()
    send('users:ann|s', 'users:bob|s', 'time:1|ms', 'time:2|ms')
    const messages = aggregate.take('test-1', 1000, 1000)
    const arrays = () => messages.flatMap(({ timers, sets }) => [timers.packed?.pairs, sets.packed?.text])
    expect(arrays().map((array) => array?.length)).toEqual([2, 6])
    giveBack(messages)
    expect(arrays().map((array) => array?.length)).toEqual([0, 0])
    send('users:cleo|s')
    expect(aggregate.take('test-1', 2000, 1000).flatMap(({ sets }) => sets.members)).toEqual([['cleo']])
  })

  test('a forgotten set leaves no members to the series that gets its slot', () => {
    const { aggregate, send } = openIntake({ seriesMax: 1 })
    send('old:ann|s')
    aggregate.forget(set, () => true)
    send('new:ann|s')
    expect(aggregate.take('test-1', 1000, 1000).map(({ sets }) => [sets.names, sets.members])).toEqual([
      [['new'], [['ann']]],
    ])
  })
})
