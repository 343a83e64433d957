package chaos

import (
	"errors"
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"triton-gateway/internal/committed"
	"triton-gateway/internal/parts"
)

var (
	full = flag.Bool("full", false, "run every cell for long enough for figures, and write docs/chaos.md")
	only = flag.String("only", "", "with -full: run the cells whose names begin with this, and write nothing")
	seed = flag.Uint64("seed", 1, "which cells a short run takes")
)

// shortCells is how many cells a short run takes.
const shortCells = 3

// within waits for a condition.
func within(t *testing.T, what string, condition func() bool) {
	t.Helper()
	parts.Until(t, what, 3*time.Minute, condition)
}

// TestSomeFaults holds a gateway to its promises under a few faults, one after the other.
func TestSomeFaults(t *testing.T) {
	site := NewSite(t)
	program := parts.Gateway(t)
	var cells []Cell
	for _, c := range Cells() {
		if !c.slow && c.Part != "clock" && c.readies == nil {
			cells = append(cells, c)
		}
	}
	random := rand.New(rand.NewPCG(*seed, 1))
	random.Shuffle(len(cells), func(i, k int) { cells[i], cells[k] = cells[k], cells[i] })
	r := site.Serve(t, program)
	plan := Short()
	plan.Bound = 5 * time.Minute // the machine has other tests to run
	for _, c := range cells[:shortCells] {
		t.Run(c.Name(), func(t *testing.T) {
			row := measure(t, plan, r, c)
			if row.Not != nil {
				t.Skip(row.Not)
			}
		})
	}
}

// TestTable runs all cells, each on a gateway of its own, and writes the table.
func TestTable(t *testing.T) {
	if !*full {
		t.Skip("-full runs it, for eight minutes and more")
	}
	site := NewSite(t)
	var rows []*Row
	withClock := ""
	for _, c := range Cells() {
		if !strings.HasPrefix(c.Name(), *only) {
			continue
		}
		program := parts.Gateway(t)
		if c.Part == "clock" {
			if withClock == "" {
				withClock = clockGateway(t)
			}
			program = withClock
		}
		t.Run(c.Name(), func(t *testing.T) {
			var settings []string
			if c.Part == "redis" {
				settings = append(settings, "GATEWAY_CACHE__MEMORY=0") // so that Redis is asked each time
			}
			rows = append(rows, measure(t, Full(), site.Serve(t, program, settings...), c))
		})
	}
	table := Table(rows)
	t.Log("\n" + table)
	if *only == "" {
		if err := committed.Update(filepath.Join(parts.Root(t), "docs", "chaos.md"), "table", "make chaos", table); err != nil {
			t.Error(err)
		}
	}
}

func measure(t *testing.T, plan Plan, r *Rig, c Cell) *Row {
	t.Helper()
	row, err := plan.Run(t.Context(), r, c)
	if errors.Is(err, errCannot) {
		return &Row{Cell: c, Not: err}
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s%s", Table([]*Row{row}), row.Texts())
	for _, f := range row.Faults(plan.Bound) {
		if !*full && strings.Contains(f, "had no answer within") { // a machine that stands still for seconds; a gateway that goes on like that is not as before
			t.Log(f)
			continue
		}
		t.Error(f)
	}
	return row
}

// clockGateway is the gateway with a clock that can be set. It is kept: only a change of the program builds it anew.
func clockGateway(t *testing.T) string {
	t.Helper()
	if path := os.Getenv("CHAOS_CLOCK_BIN"); path != "" {
		return path
	}
	root := parts.Root(t)
	folder := filepath.Join(root, ".cache", "chaos")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(folder, "triton-gateway")
	start := time.Now()
	if err := BuildWithClock(root, program, "-tags", "gocv_specific_modules,nomsgpack"); err != nil {
		t.Fatal(err)
	}
	library, err := filepath.Abs(parts.ONNXRuntime(t))
	if err != nil {
		t.Fatal(err)
	}
	beside := filepath.Join(folder, filepath.Base(library))
	if err := os.Symlink(library, beside); err != nil && !errors.Is(err, os.ErrExist) {
		t.Fatal(err)
	}
	t.Log("built in " + strconv.FormatFloat(time.Since(start).Seconds(), 'f', 0, 64) + " s")
	return program
}
