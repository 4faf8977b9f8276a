/** Help texts: one per command, in the words of its user. */

import { muteUsage } from './usage-mute.ts'
import { recordedUsage } from './usage-recorded.ts'

const ack = `usage: tocsin ack ID … [--note TEXT] [--for 2h] [--sticky] [--json]
       tocsin ack --undo ID …        (or: tocsin unack ID …)

Acknowledges alerts: somebody has them in hand. They are not repeated until they end; worse than now, they are told
again. ID is rule/group, or a rule of which one group fires. Exit status 1 when one could not be acknowledged.

  --note TEXT   for the others
  --for 2h      for so long; then those who know are told again
  --sticky      also when it gets worse
  --undo        takes an acknowledgement back: reminders go on
  --console, TOCSIN_TOKEN as for "tocsin alerts"`

export const usage: Readonly<Record<string, string>> = {
  ...recordedUsage,
  ...muteUsage,
  '': `Tocsin watches services and wakes the right person once, with the reason.

usage: tocsin <command> [options]

  up                       run everything in this process
  run <part>               run one part: ingest, cep, alerts, checks, cloudwatch2graphite, graphite, dashboards
  config check | show      is the configuration right; what is in force, with defaults, without secrets
  rules check [paths]      are the rule files right
  rules test [paths]       run the tests that stand in them
  rules explain [rule]     what a rule means, waits for and costs
  rules backtest           what the rules would have said of recorded traffic; compares versions
  rules why RULE GROUP     what every part of a rule was at a time, and why a page did not come
  rules learn              a catalogue of metrics from recorded traffic
  rules schema             the JSON Schema of rule files, for editors
  alerts                   what is firing now; "alerts why ID": why who was told, or was not; "alerts dead": what
                           nobody was told of
  ack ID …                 acknowledge alerts; "unack ID" takes that back
  silence add | list | extend | end | preview
                           mute alerts for a time
  maintenance start | list | end | preview
                           windows in which alerts are not told, once or recurring
  event NAME [TAG=VALUE …] say that something happened, such as a deploy
  notify test | preview RECEIVER
                           send a test notification to one receiver; show what would be sent

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
  rules: `usage: tocsin rules check [--strict] [--journal DIR|FILE] [--json] [FILE or FOLDER …]
       tocsin rules test  [--json] [FILE or FOLDER …]
       tocsin rules explain [--json] [RULE …] [FILE or FOLDER …]
       tocsin rules backtest [--journal DIR|FILE] [--golden FILE | --against REV] …
       tocsin rules why RULE GROUP [--at T] …
       tocsin rules learn [--from T] …
       tocsin rules schema

check   types, units and names; every problem with line, column and a cure. --strict makes warnings problems.
        Held against the journal (--journal, or that of the configuration): selectors that matched nothing in its last day,
        and catalogue entries that the bus contradicts.
test    runs the tests that stand in the files; a failure shows the expected and the actual timeline.
explain what a rule means with its defaults, what it reads, how soon it fires, what memory it may take, what it says.
schema  prints the JSON Schema of rule files. Editors find it by a first line such as
        # yaml-language-server: $schema=../docs/rules.schema.json

Without paths, the rules of the configuration. Exactly the files named are loaded.`,
  'rules explain': `usage: tocsin rules explain [--json] [RULE …] [FILE or FOLDER …]

Explains the rules named, or all, without running anything:

  means    its sentences with every default said; an slo with its burn rates multiplied out
  reads    each path with its kind, unit and step
  detects  how long after trouble begins it fires, at most, and what that time is made of
  memory   bytes for each group, times the groups that there may be
  says     a sentence as a page would bring it, from its tests
  tests    their names

A word with a dot or a slash is a file or a folder (./name for one without); without any, the rules of the configuration.
--json prints the same as data.`,
  alerts: `usage: tocsin alerts [--all] [--rule PATTERN] [--group PATTERN] [--tag NAME=PATTERN] [--text WORDS] [--json]
       tocsin alerts why ID [--at T] [--json]
       tocsin alerts dead [retry | dismiss KEY … | --all] [--json]

Lists what is firing, worst first; --all adds what was resolved lately. In patterns * stands for any text. Exit status 1
when something fires, 2 when the console cannot be asked.

why  every decision about one alert with its reason: who was told, or why not (silence, maintenance, hidden, blind,
     acknowledged, flapping, limit, route). ID is rule/group, or a rule of which one group fires. Of an alert that there
     is not it says which command tells what the engine saw; --at T: when the page was missed.
dead notifications that no receiver took, with the reason. retry sends them again, as their alerts are now; dismiss takes
     them off the list. KEY is as listed, or its beginning. Exit status 1 when there are any.

  --console URL   the console to ask, without reading a configuration (default: alerts.consoleUrl of the configuration,
                  else dashboards.listen)
  TOCSIN_TOKEN    in the environment: your token, where the console has dashboards.tokens; for reading too, where it
                  has dashboards.reading: tokens`,
  ack,
  unack: ack,
  event: `usage: tocsin event NAME [TAG=VALUE …] [--text TEXT] [--at TIME] [--id ID] [--json]

Says that something happened, such as a deploy, to rules (event:deploy[process={process}]) and graphs:

  tocsin event deploy process=verifier version=42

  --text TEXT   for people, shown with it
  --at TIME     when, such as 2026-03-01T14:05:09Z; now by default. Rules take it when they hear of it
  --id ID       sent again under the same id, such as a build's number, it counts once
  --console, TOCSIN_TOKEN as for "tocsin alerts"; a token of role events may do this and nothing else`,
  notify: `usage: tocsin notify test RECEIVER [--config FILE]
       tocsin notify preview RECEIVER [--alert ID] [--html FILE] [--config FILE]

test     sends a notification marked as a test to one receiver of the configuration and tells what the other side said.
         Exit status 1 when it did not take it.
preview  prints a mail or webhook as it would be sent, by alerts.templates where there are some, and sends nothing. Exit status 1
         when a template fails.

  --alert ID     rule/group of an alert that the console knows, instead of a sample
  --html FILE    write the HTML of the mail, its picture inside
  --console, TOCSIN_TOKEN as for "tocsin alerts"`,
}
