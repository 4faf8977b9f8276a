/** Help texts of the commands that keep alerts quiet. */

const patterns = `NAME is rule, severity, group, one of the group's names or a tag. In a PATTERN * stands for any text, /…/ is a regular
expression for the whole text; NAME!=PATTERN means everything else. All must hold.`

const asking = `--console, TOCSIN_TOKEN as for "tocsin alerts"`

const silence = `usage: tocsin silence add --match NAME=PATTERN … --for 2h --reason TEXT [--end-when-quiet 5m] [--yes] [--json]
       tocsin silence preview --match NAME=PATTERN … [--json]
       tocsin silence list [--all] [--json]
       tocsin silence extend ID … --for 2h
       tocsin silence end ID …

Mutes alerts for a time. What was told before is told to be over all the same; what still fires at the end is told then.
Before a silence ends that still hides something, whoever will be told is warned once (alerts.silences.warnBefore).

${patterns}

preview  what it would hide now
list     what is in force or to come; --all: what has ended too
extend   so much longer than it would last

  --end-when-quiet 5m   end it when nothing that it hides has fired for so long
  --yes                 for a silence of everything, or of critical alerts for a week or longer
  ${asking}`

const maintenance = `usage: tocsin maintenance start --match NAME=PATTERN … --for 2h --reason TEXT [--yes] [--json]
       tocsin maintenance start … --from "2026-03-01 02:00" (--to T | --for 2h) --zone Europe/Amsterdam
       tocsin maintenance start … --every sunday --at 02:00 --for 2h --zone Europe/Amsterdam
       tocsin maintenance preview --match NAME=PATTERN … [--every … --at … --for … --zone …] [--json]
       tocsin maintenance list [--all] [--json]
       tocsin maintenance end ID …

A window in which what it matches is not told, such as a cluster taken out for a deploy: now, later, or again and again.
What was told before is told to be over all the same; what still fires at the end is told then. Windows that always are
stand in the configuration (alerts.maintenance); "end" ends those for this time only.

${patterns}

preview  what it would hide now, and when it would come next
list     what is in force or to come; --all: what has ended too

  --every DAYS   day, weekday, sunday, mon-fri, "mon, thu", "first sunday", "last friday", 15th
  --at, --zone   by the wall clock there; where clocks are put forward over it, it begins as much later; where they are put
                 back, at the first of both. It lasts by the stopwatch
  --yes          for everything, or for critical alerts for a week or longer
  ${asking}`

export const muteUsage: Readonly<Record<string, string>> = { silence, maintenance }
