/** Help texts of the tools that look at what was recorded. */

const journal = `  --journal DIR|FILE   what to look at: a journal's folder (default: "journal" in the data directory of the configuration),
                       one of its segments, or an archive of JSON lines (*.jsonl, *.jsonl.zst; docs/journal.md)`

const times = `Times are ISO 8601 (local where they have no zone), 14:05 (the last time it was that) or "2h ago".`

export const recordedUsage: Readonly<Record<string, string>> = {
  'rules backtest': `usage: tocsin rules backtest [--journal DIR|FILE] [--from T] [--to T] [--json] [FILE or FOLDER …]
       tocsin rules backtest … --golden FILE [--write]
       tocsin rules backtest … --against REV

Runs the rules over recorded traffic at full speed and prints every alert that they would have raised. It is the engine that
runs live, so with the same rules it gives the same transitions.

${journal}
  --from T, --to T     only these; windows are warmed by what was recorded before
  --golden FILE        compare with a file of transitions: alerts added, lost and moved, rule by rule
  --write              write that file instead
  --against REV        compare with the same files in a git revision: what would this change have done?

${times}
Without paths, the rules of the configuration. Exit status 0 fine, 1 a difference or a rule that failed, 2 could not run.`,
  'rules why': `usage: tocsin rules why RULE GROUP [--at T] [--journal DIR|FILE] [--rules FILE|FOLDER …] [--json]

Shows what every part of a rule's condition was for one group at a time that was recorded, how long it had held, and
because of what a level was not on: the first condition that was not met. GROUP may be left out where the rule has one;
RULE/GROUP, as alerts are called, does as well.

${journal}
  --at T               default: the end of the recording
  --rules FILE|FOLDER  ask these rules; default: those that ran then, as the journal has them, or the configuration's

${times}
Exit status 0 fine, 1 wrong rules, 2 could not run.`,
  'rules learn': `usage: tocsin rules learn [--journal DIR|FILE] [--from T] [--to T] [--json]

Prints a catalogue ("metrics:") of what was recorded, to be put into a rules file: kinds as the bus tells them, names merged
into patterns, steps where they are longer than a second. Comments tell how many series each entry stands for. Kinds of
Graphite lines, which the bus does not tell, are guessed and marked.

${journal}
  --from T, --to T     only what came then

${times}
Exit status 0 fine, 2 could not run.`,
}
