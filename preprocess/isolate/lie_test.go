//go:build linux

package isolate

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"triton-gateway/internal/fault"
)

// liar is a child that answers what a test says, in this process.
func liar(tb testing.TB, answers ...answer) *child {
	tb.Helper()
	memory, err := newMemory("liar", inputAt+planRoom+4096)
	if err != nil {
		tb.Fatal(err)
	}
	defer memory.Close()
	a, free, err := mapMemory(memory.Fd(), inputAt+planRoom+4096)
	if err != nil {
		tb.Fatal(err)
	}
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		tb.Fatal(err)
	}
	s := &server{area: a}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for _, answer := range answers {
			s.await()
			s.reply(answer)
		}
	}()
	c := &child{process: self, area: a, free: free}
	tb.Cleanup(func() {
		a.turn().Or(turnChild) // whoever waits for a turn has it
		wake(a.turn())
		for {
			select {
			case <-done:
				free()
				return
			case <-time.After(time.Millisecond):
				a.turn().Or(turnChild)
				wake(a.turn())
			}
		}
	})
	return c
}

func asks(got *int) *ask {
	return &ask{request: request{op: opDecode}, data: []byte("x"), total: 300, unit: 3, take: func(part []byte) error {
		*got += len(part)
		return nil
	}}
}

func TestAnswersThatAreNone(t *testing.T) {
	for name, lies := range map[string][]answer{
		"no state":             {{}},
		"state of another":     {{state: stateReady, length: 300}},
		"unknown state":        {{state: 77, length: 300}},
		"too long":             {{state: stateDone, length: 303}},
		"longer than there is": {{state: stateDone, length: outputSize + 3}},
		"most":                 {{state: stateDone, length: 1<<32 - 1}},
		"too short":            {{state: stateDone, length: 297}},
		"half a row":           {{state: stateMore, length: 100}},
		"nothing, for ever":    {{state: stateMore}},
		"too much in parts":    {{state: stateMore, length: 150}, {state: stateDone, length: 153}},
		"code beyond all":      {{state: stateFailed, code: 99, length: 3}},
		"text beyond all":      {{state: stateFailed, length: textRoom + 1}},
		"canceled by nobody":   {{state: stateFailed, code: 3}},
	} {
		t.Run(name, func(t *testing.T) {
			got := 0
			_, over, err := liar(t, lies...).do(t.Context(), asks(&got), time.Minute)
			if !errors.Is(err, errNonsense) || over || got > 300 {
				t.Errorf("over %v, %d bytes, %v", over, got, err)
			}
		})
	}
	got := 0
	if _, over, err := liar(t, answer{state: stateMore, length: 150}, answer{state: stateDone, length: 150}).do(t.Context(), asks(&got), time.Minute); err != nil || !over || got != 300 {
		t.Errorf("%d bytes, %v, %v", got, over, err)
	}
}

// A turn that is not the one given: the child writes what it likes there.
func TestATurnThatIsNone(t *testing.T) {
	c := liar(t)
	c.number = 8 * turnStep
	for _, v := range []uint32{0, 8*turnStep | turnGone, 9 * turnStep, 7*turnStep | turnChild, 1<<32 - 1} {
		c.area.turn().Store(v)
		w := newWatch(time.Minute)
		if err := c.await(t.Context(), &w); !errors.Is(err, errNonsense) {
			t.Errorf("%x: %v", v, err)
		}
	}
	c.gone.Store(true)
	w := newWatch(time.Minute)
	if err := c.await(t.Context(), &w); !errors.Is(err, errGone) {
		t.Error(err)
	}
}

// A child cannot cut the memory under its parent, or let it grow.
func TestMemoryKeepsItsSize(t *testing.T) {
	f, err := newMemory("fixed", 8192)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, size := range []int64{0, 4096, 1 << 20} {
		if err := f.Truncate(size); err == nil {
			t.Errorf("it has %d bytes now", size)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add(uint32(stateDone), uint32(0), uint32(300), uint32(5), []byte("text"))
	f.Add(uint32(stateFailed), uint32(1), uint32(4), uint32(0), []byte("\x1b[2J"))
	f.Add(uint32(stateFailed), uint32(3), uint32(4), uint32(0), []byte("\xff\xfe\u2028"))
	f.Add(uint32(stateMore), uint32(0), uint32(3), uint32(1<<31), []byte{})
	f.Fuzz(func(t *testing.T, state, code, length, resampling uint32, text []byte) {
		said := answer{state: state, code: code, length: length, resampling: resampling}
		c := liar(t, slices.Repeat([]answer{said}, 101)...)
		copy(c.area.text(), text)
		got := 0
		_, over, err := c.do(t.Context(), asks(&got), time.Minute)
		var failed *fault.Error
		switch {
		case got > 300, err == nil && (got != 300 || !over):
			t.Fatalf("%d bytes, %v", got, err)
		case errors.As(err, &failed):
			if !over || !utf8.ValidString(failed.Detail) || len(failed.Detail) > 200 || strings.ContainsFunc(failed.Detail, unicode.IsControl) {
				t.Fatalf("%q", failed.Detail)
			}
		case err != nil && (!errors.Is(err, errNonsense) || over):
			t.Fatal(err)
		}
	})
}

func FuzzReport(f *testing.F) {
	f.Add([]byte(`{"Namespaces":["user"],"Account":"nobody","Calls":36,"Memory":1073741824,"Missing":["seccomp: \u001b no"]}`))
	f.Add([]byte(`{"Namespaces":null}`))
	f.Add([]byte(`[`))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := readReport(text)
		if err != nil {
			return
		}
		for _, part := range append(append([]string{r.Account}, r.Namespaces...), r.Missing...) {
			if len(part) > 200 || strings.ContainsFunc(part, unicode.IsControl) {
				t.Fatalf("%q", part)
			}
		}
		_ = r.String()
	})
}
