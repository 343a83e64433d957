package chaos

import (
	"fmt"
	"strings"
	"time"
)

// Row is what came of one cell.
type Row struct {
	Cell    Cell
	Jobs    Jobs
	Calm    time.Duration // from the mending to the end of the last bad call; less than 0: there was no calm
	Not     error         // why it could not be made; nil: it was
	samples []Sample

	broken, mended time.Duration // since the start of the load
}

// Counts are the calls from the fault's beginning on, by verdict.
func (r *Row) Counts() [verdicts]int { return Count(between(r.samples, r.broken, forever)) }

// Before are the calls before the fault, by verdict.
func (r *Row) Before() [verdicts]int { return Count(between(r.samples, 0, r.broken)) }

// Texts are what went wrong.
func (r *Row) Texts() string {
	var b strings.Builder
	for _, t := range Texts(r.samples, 12) {
		fmt.Fprintf(&b, "%6d %s\n", t.N, t.Text)
	}
	return b.String()
}

const forever = time.Duration(1<<63 - 1)

// Faults are the promises that are broken: nothing lost, nothing wrong, nobody without an answer, all as before within the bound.
func (r *Row) Faults(bound time.Duration) (list []string) {
	fault := func(format string, args ...any) {
		list = append(list, r.Cell.Name()+": "+fmt.Sprintf(format, args...))
	}
	if r.Not != nil {
		return nil
	}
	n := r.Counts()
	if n[Wrong] > 0 || r.Jobs.Wrong > 0 {
		fault("%d answers and %d jobs are wrong", n[Wrong], r.Jobs.Wrong)
	}
	if len(r.Jobs.Lost) > 0 {
		fault("%d of %d accepted jobs are lost, such as: %s", len(r.Jobs.Lost), r.Jobs.Accepted, r.Jobs.Lost[0])
	}
	if n[Hung] > 0 {
		fault("%d callers had no answer within %v", n[Hung], patience)
	}
	if r.Calm < 0 || r.Calm > bound {
		fault("not as before %v after the end of it", bound)
	}
	if b := r.Before(); b[Right] == 0 || b[Wrong]+b[Hung] > 0 {
		fault("before it, %d of the answers were right, %d wrong, and %d hung", b[Right], b[Wrong], b[Hung])
	}
	return list
}

// Table shows rows, in Markdown.
func Table(rows []*Row) string {
	var b strings.Builder
	b.WriteString("| part | fault | calls | right | refused | told | bare | hung | wrong | p99 before | p99 during, right | p99 during, others | as before after | jobs: accepted, late, lost, wrong |\n")
	b.WriteString("|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "| %s | %s: %s | ", r.Cell.Part, r.Cell.Kind, r.Cell.Does)
		if r.Not != nil {
			fmt.Fprintf(&b, "not made: %v | | | | | | | | | | | |\n", r.Not)
			continue
		}
		during := between(r.samples, r.broken, r.mended)
		n, total := r.Counts(), 0
		for _, v := range n {
			total += v
		}
		calm := "never"
		if r.Calm >= 0 {
			calm = fmt.Sprintf("%.1f s", r.Calm.Seconds())
		}
		fmt.Fprintf(&b, "%d | %d | %d | %d | %d | %d | %d | %s | %s | %s | %s | %d, %d, %d, %d |\n", total, n[Right], n[Refused], n[Told], n[Bare], n[Hung], n[Wrong],
			ms(P99(between(r.samples, 0, r.broken), isRight)), ms(P99(during, isRight)), ms(P99(during, notRight)), calm, r.Jobs.Accepted, r.Jobs.Late, len(r.Jobs.Lost), r.Jobs.Wrong)
	}
	return b.String()
}

func ms(d time.Duration) string {
	if d == 0 {
		return "-"
	}
	return fmt.Sprintf("%.0f ms", d.Seconds()*1e3)
}
