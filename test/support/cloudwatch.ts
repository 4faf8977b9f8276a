/**
 * A stand-in for CloudWatch that speaks its real protocol, AWS JSON 1.0 over HTTP, to the real SDK: GetMetricData with
 * paging and its limit of 500 queries, ListMetrics, errors by `__type`, request bodies in gzip.
 */
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { gunzipSync } from 'node:zlib'

export interface Series {
  /** Only in this region; in every one by default. */
  region?: string
  namespace?: string
  metric: string
  dimensions: Readonly<Record<string, string>>
  statistic: string
  /** Epoch s → value. */
  points: Readonly<Record<number, number>>
}

export interface Question {
  operation: string
  region: string
  accessKey: string
  body: GetMetricData & Record<string, unknown>
}

interface GetMetricData {
  MetricDataQueries: {
    Id: string
    MetricStat: {
      Metric: { Namespace: string; MetricName: string; Dimensions: { Name: string; Value: string }[] }
      Period: number
      Stat: string
    }
  }[]
  StartTime: number
  EndTime: number
  NextToken?: string
}

interface Failure {
  status: number
  type: string
  message: string
}

export const goodAccessKey = 'AKIDGOOD'

export class CloudWatchStandIn {
  /** What was asked, in order. */
  readonly questions: Question[] = []
  readonly series: Series[] = []
  /** Results in one page of GetMetricData, names in one page of ListMetrics. */
  pageSize = 500
  /** What every result says of itself on the last page. */
  statusCode = 'Complete'
  /** A general remark in every answer. */
  remark: { Code: string; Value: string } | undefined
  readonly #server: http.Server
  readonly #failures: Failure[] = []
  #down = false

  private constructor() {
    this.#server = http.createServer((request, response) => this.#answer(request, response))
  }

  static async start(): Promise<CloudWatchStandIn> {
    const standIn = new CloudWatchStandIn()
    standIn.#server.listen(0, '127.0.0.1')
    await once(standIn.#server, 'listening')
    return standIn
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** The next `times` requests fail so. */
  fail(times: number, type = 'ThrottlingException', status = 400, message = 'Rate exceeded'): void {
    for (let i = 0; i < times; i++) this.#failures.push({ status, type, message })
  }

  /** Breaks every connection until told otherwise. */
  set down(down: boolean) {
    this.#down = down
  }

  /** Questions of one operation. */
  asked(operation = 'GetMetricData'): Question[] {
    return this.questions.filter((question) => question.operation === operation)
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    await once(this.#server, 'close')
  }

  async #answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
    if (this.#down) {
      request.socket.destroy()
      return
    }
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const raw = Buffer.concat(chunks)
    const text = (request.headers['content-encoding'] === 'gzip' ? gunzipSync(raw) : raw).toString('utf8')
    const question = { ...readHeaders(request), body: JSON.parse(text) as Question['body'] }
    this.questions.push(question)
    const failure = this.#failureOf(question)
    const body = failure
      ? { __type: `com.amazonaws#${failure.type}`, message: failure.message }
      : this.#result(question)
    response.writeHead(failure?.status ?? 200, { 'content-type': 'application/x-amz-json-1.0' })
    response.end(JSON.stringify(body))
  }

  #failureOf({ operation, accessKey, body }: Question): Failure | undefined {
    if (accessKey !== goodAccessKey) {
      const message = 'The security token included in the request is invalid.'
      return { status: 400, type: 'UnrecognizedClientException', message }
    }
    if (operation === 'GetMetricData' && body.MetricDataQueries.length > 500) {
      return {
        status: 400,
        type: 'ValidationError',
        message: 'The collection MetricDataQueries must not have more than 500',
      }
    }
    return this.#failures.shift()
  }

  #result(question: Question): unknown {
    if (question.operation === 'GetMetricData') return this.#metricData(question)
    if (question.operation === 'ListMetrics') return this.#metrics(question)
    return { __type: 'UnknownOperationException' }
  }

  #metricData({ region, body }: Question): unknown {
    const from = Number(body.NextToken ?? 0)
    const page = body.MetricDataQueries.slice(from, from + this.pageSize)
    const next = from + this.pageSize
    const results = page.map(({ Id, MetricStat: { Metric, Stat } }) => {
      const dimensions = JSON.stringify(Metric.Dimensions.map(({ Name, Value }) => [Name, Value]))
      const found = this.series.find(
        (series) =>
          (series.region ?? region) === region &&
          (series.namespace ?? 'AWS/ELB') === Metric.Namespace &&
          series.metric === Metric.MetricName &&
          series.statistic === Stat &&
          JSON.stringify(Object.entries(series.dimensions)) === dimensions,
      )
      const points = Object.entries(found?.points ?? {}).map(([at, value]) => [Number(at), value] as const)
      const wanted = points.filter(([at]) => at >= body.StartTime && at < body.EndTime)
      return {
        Id,
        Label: Metric.MetricName,
        Timestamps: wanted.map(([at]) => at),
        Values: wanted.map(([, value]) => value),
        StatusCode: this.statusCode,
      }
    })
    return {
      MetricDataResults: results,
      Messages: this.remark ? [this.remark] : [],
      ...(next < body.MetricDataQueries.length && { NextToken: String(next) }),
    }
  }

  #metrics({ region, body }: Question): unknown {
    const from = Number(body.NextToken ?? 0)
    const here = this.series.filter(
      (series) => (series.region ?? region) === region && (series.namespace ?? 'AWS/ELB') === body.Namespace,
    )
    const metrics = here.slice(from, from + this.pageSize).map(({ namespace = 'AWS/ELB', metric, dimensions }) => ({
      Namespace: namespace,
      MetricName: metric,
      Dimensions: Object.entries(dimensions).map(([Name, Value]) => ({ Name, Value })),
    }))
    const next = from + this.pageSize
    return { Metrics: metrics, ...(next < here.length && { NextToken: String(next) }) }
  }
}

function readHeaders({ headers }: http.IncomingMessage): Omit<Question, 'body'> {
  const operation = String(headers['x-amz-target']).replace('GraniteServiceVersion20100801.', '')
  const [, accessKey = '', region = ''] = /Credential=([^/]+)\/\d+\/([^/]+)\//.exec(headers.authorization ?? '') ?? []
  return { operation, accessKey, region }
}
