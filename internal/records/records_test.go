package records

import (
	"bytes"
	"context"
	"errors"
	"strconv"
	"sync"
	"testing"
)

// memory is a store in this process, which can fail and in which others can be faster.
type memory struct {
	mu     sync.Mutex
	values map[string][]byte
	fails  error
	before func() // called before every swap, locked; may be nil
	swaps  int
}

func (m *memory) Load(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return bytes.Clone(m.values[key]), m.fails
}

func (m *memory) Swap(_ context.Context, key string, old, value []byte) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.swaps++
	if m.before != nil {
		m.before()
	}
	if !bytes.Equal(m.values[key], old) {
		return false, nil
	}
	m.values[key] = bytes.Clone(value)
	return true, nil
}

func counted(stored []byte) ([]byte, error) {
	n := 0
	if stored != nil {
		n, _ = strconv.Atoi(string(stored))
	}
	return strconv.AppendInt(nil, int64(n+1), 10), nil
}

func TestNoChangeIsLost(t *testing.T) {
	m := &memory{values: map[string][]byte{}}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 10 {
				if err := Change(t.Context(), m, "n", counted); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if string(m.values["n"]) != "80" {
		t.Errorf("%s", m.values["n"])
	}
}

func TestEditSeesWhatAnotherOneWrote(t *testing.T) {
	m := &memory{values: map[string][]byte{"k": []byte("old"), "other": []byte("stays")}}
	m.before = func() {
		if m.swaps == 1 {
			m.values["k"] = []byte("theirs")
		}
	}
	var saw []string
	err := Change(t.Context(), m, "k", func(stored []byte) ([]byte, error) {
		saw = append(saw, string(stored))
		return []byte("mine"), nil
	})
	if err != nil || len(saw) != 2 || saw[0] != "old" || saw[1] != "theirs" || string(m.values["k"]) != "mine" || string(m.values["other"]) != "stays" {
		t.Errorf("%v after %q: %q", err, saw, m.values)
	}
}

func TestNothingIsWritten(t *testing.T) {
	refused, away := errors.New("refused"), errors.New("away")
	for name, c := range map[string]struct {
		fails error
		edit  func([]byte) ([]byte, error)
		want  error
	}{
		"nothing to change": {nil, func([]byte) ([]byte, error) { return nil, nil }, nil},
		"the same":          {nil, func(stored []byte) ([]byte, error) { return stored, nil }, nil},
		"refused":           {nil, func([]byte) ([]byte, error) { return []byte("new"), refused }, refused},
		"away":              {away, func([]byte) ([]byte, error) { t.Error("asked about nothing"); return nil, nil }, away},
	} {
		m := &memory{values: map[string][]byte{"k": []byte("old")}, fails: c.fails}
		if err := Change(t.Context(), m, "k", c.edit); !errors.Is(err, c.want) || m.swaps != 0 || string(m.values["k"]) != "old" {
			t.Errorf("%s: %v after %d swaps: %q", name, err, m.swaps, m.values["k"])
		}
	}
}

func TestOthersAreAlwaysFaster(t *testing.T) {
	m := &memory{values: map[string][]byte{}}
	m.before = func() { m.values["n"] = append(m.values["n"], ' ') }
	if err := Change(t.Context(), m, "n", counted); !errors.Is(err, ErrBusy) || m.swaps != tries {
		t.Errorf("%v after %d swaps", err, m.swaps)
	}
}
