import { describe, expect, test } from 'vitest'
import { asEnvironment, portOf, readSettings } from '../../service/settings.ts'

describe('settings', () => {
  test('are those of the demo when nothing is said', () => {
    const read = readSettings({})
    expect(read).toMatchObject({ ok: true, value: { portBase: 10_000, statsd: { host: '127.0.0.1', port: 8125 } } })
    expect(portOf('router', 10_000)).toBe(10_000)
    expect(portOf('verifier', 10_000)).toBe(10_004)
  })

  test('reach a child process as they are', () => {
    const settings = { portBase: 12_300, statsd: { host: '127.0.0.1', port: 9125 }, logDirectory: undefined }
    expect(readSettings(asEnvironment(settings))).toEqual({ ok: true, value: settings })
  })

  test('take an IPv6 address in brackets', () => {
    const read = readSettings({ TOCSIN_STATSD: '[::1]:8125' })
    expect(read.ok && read.value.statsd).toEqual({ host: '::1', port: 8125 })
    expect(read.ok && asEnvironment(read.value).TOCSIN_STATSD).toBe('[::1]:8125')
  })

  test.each([
    [{ SERVICE_PORT_BASE: 'ten' }, 'SERVICE_PORT_BASE: expected a port up to 65445, got "ten"'],
    [{ SERVICE_PORT_BASE: '65500' }, 'SERVICE_PORT_BASE: expected a port up to 65445, got "65500"'],
    [{ TOCSIN_STATSD: 'localhost' }, 'TOCSIN_STATSD: expected host:port such as "127.0.0.1:8125", got "localhost"'],
  ])('%o is refused with what was expected', (environment, message) => {
    expect(readSettings(environment)).toEqual({ ok: false, error: message })
  })
})
