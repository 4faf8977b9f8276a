/** Help texts: one per command, in the words of its user. */

export const usage: Readonly<Record<string, string>> = {
  '': `Tocsin watches services and wakes the right person once, with the reason.

usage: tocsin <command> [options]

  up                       run everything in this process
  run <part>               run one part: ingest, cep, alerts, checks, cloudwatch2graphite, graphite, dashboards
  config check | show      is the configuration right; what is in force, with defaults, without secrets
  rules check [paths]      are the rule files right
  rules test [paths]       run the tests that stand in them
  alerts                   what is firing now, from the console's API
  notify test <receiver>   send a test notification to one receiver

  --config FILE            the configuration (default: tocsin.yaml; without one, every default)
  --help, --version

Exit status: 0 fine, 1 found problems, 2 could not run.
"tocsin <command> --help" tells more.`,
  up: `usage: tocsin up [--config FILE]

Runs ingest, checks, the engine, alerts, dashboards and, where configured, graphite and cloudwatch2graphite together in
this process, on the bus of the configuration (memory by default: nothing else is needed).

SIGTERM or Ctrl-C ends in order: the last bucket is flushed, sources say goodbye, notifications are sent or kept.
SIGHUP, or a changed file, reloads configuration, rules, checks, dashboards, receivers and routes; a bad file changes
nothing and is reported with line and column.

  --log-format text|json   default: text on a terminal, else json
  --log-level LEVEL        debug, info (default), warn, error`,
  run: `usage: tocsin run <part> [--config FILE]

Runs one part as a process of its own, on RabbitMQ (bus: amqp://…). Parts:

  ingest                statsd and Graphite lines in
  checks                health checks
  cloudwatch2graphite   CloudWatch metrics in
  cep                   the engine: rules, transitions (a second one is a hot standby)
  alerts                decides and delivers
  graphite              forwards to carbon
  dashboards            the console, its API and pages

Options, signals and reload as for "tocsin up".`,
  config: `usage: tocsin config check [--config FILE] [--json]
       tocsin config show  [--config FILE] [--json]

check  reads the configuration and every file it names (rules, checks, dashboards) and reports all problems at once.
show   prints what is in force, defaults included. Secrets are shown as they are written: \${NAME}, {file: …}, ***.`,
  rules: `usage: tocsin rules check [--strict] [--json] [FILE or FOLDER …]
       tocsin rules test  [--json] [FILE or FOLDER …]

check  types, units and names; every problem with line, column and a cure. --strict makes warnings problems.
test   runs the tests that stand in the files; a failure shows the expected and the actual timeline.

Without paths, the rules of the configuration. Exactly the files named are loaded.`,
  alerts: `usage: tocsin alerts [--all] [--json] [--console URL] [--config FILE]

Lists what is firing, worst first; --all adds what was resolved lately. Asks the console (dashboards.listen of the
configuration, or --console). Exit status 1 when something fires, 2 when the console cannot be asked.`,
  notify: `usage: tocsin notify test <receiver> [--config FILE]

Sends a notification marked as a test to one receiver of the configuration and tells what the other side said.`,
}
