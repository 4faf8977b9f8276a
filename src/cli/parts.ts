/** The parts, in the order they start; they stop in reverse, so that what is last flushed is still evaluated and delivered. */
import type { StartPart } from '../bus/part.ts'
import type { Config } from '../runtime/config.ts'

export const partNames = [
  'alerts',
  'cep',
  'graphite',
  'dashboards',
  'cloudwatch2graphite',
  'checks',
  'ingest',
  'self',
] as const

export type PartName = (typeof partNames)[number]

/** Loaded on demand: a process that runs one part does not read the code of the others. */
export const parts: Readonly<Record<PartName, () => Promise<StartPart>>> = {
  alerts: async () => (await import('../alerts/index.ts')).startAlerts,
  cep: async () => (await import('../cep/index.ts')).startCep,
  graphite: async () => (await import('../graphite/index.ts')).startGraphite,
  dashboards: async () => (await import('../dashboards/index.ts')).startDashboards,
  cloudwatch2graphite: async () => (await import('../cloudwatch2graphite/index.ts')).startCloudwatch2graphite,
  checks: async () => (await import('../checks/index.ts')).startChecks,
  ingest: async () => (await import('../ingest/index.ts')).startIngest,
  self: async () => (await import('../self/index.ts')).startSelf,
}

/** The parts that `tocsin up` runs: those that need something of the outside world only when it is configured. */
export function partsOf(config: Config): PartName[] {
  return partNames.filter((name) =>
    name === 'graphite' || name === 'cloudwatch2graphite' ? config[name] !== undefined : true,
  )
}
