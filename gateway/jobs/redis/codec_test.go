package redis

import (
	"encoding/json"
	"reflect"
	"strconv"
	"strings"
	"testing"
	"time"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

// sample is a job as Redis gives it, without its items.
func sample() []any {
	spec := specOf()
	spec.ID = "a"
	head, _, _ := encode(spec)
	return []any{string(head), "failed", "1700000000000001", "0", "2", "2", "1", "3", "7", "1700000000000002", "1700000000000003", `{"code":"x","detail":"y"}`, "1", "0", "12", "4"}
}

func TestDecode(t *testing.T) {
	for _, whole := range []bool{false, true} {
		reply := sample()
		if whole {
			reply = append(reply, `[{"kind":"row","blob":"b","size":3},{"kind":"raw","blob":"c","size":4}]`)
		}
		j, seq, err := decode("a", reply, whole)
		if err != nil {
			t.Fatal(err)
		}
		want := jobs.Job{
			Spec: j.Spec, State: jobs.Failed, Total: 2, Done: 2, Bad: 1, Attempt: 3, Crashes: 4, Fence: 7, Started: time.UnixMicro(1700000000000002).UTC(),
			Finished: time.UnixMicro(1700000000000003).UTC(), Problem: &jobs.Problem{Code: "x", Detail: "y"}, Canceled: true, Place: -1,
		}
		if !reflect.DeepEqual(*j, want) || seq != 12 || !j.RunAt.Equal(time.UnixMicro(1700000000000001)) || !j.Deadline.IsZero() || len(j.Items) != len(reply)-len(fields)+map[bool]int{true: 1}[whole] {
			t.Errorf("%+v, %d", j, seq)
		}
	}
}

// TestDecodeDamaged puts garbage into each field.
func TestDecodeDamaged(t *testing.T) {
	for at, name := range fields {
		for _, bad := range []any{"\x00", "-1", "9223372036854775807", "99999999999999999999", "1e3", "{", int64(4), []any{"x"}} {
			if name == "cancel" || name == "told" {
				continue // anything but 1 is no
			}
			if _, text := bad.(string); name == "problem" && bad == "-1" || !text && at > 100 {
				continue
			}
			reply := sample()
			reply[at] = bad
			j, _, err := decode("a", reply, false)
			if j != nil || fault.KindOf(err) != fault.Internal || !strings.Contains(err.Error(), "field "+name+" ") {
				t.Errorf("%s = %q: %+v, %v", name, bad, j, err)
			}
		}
	}
	for _, items := range []any{nil, "", "[]", "null", "[1,2]", `[{"size":"x"},{}]`, int64(1)} {
		if j, _, err := decode("a", append(sample(), items), true); err == nil {
			t.Errorf("items %v: %+v", items, j)
		}
	}
	for _, reply := range []any{nil, "x", int64(1), []any{}, sample()[1:], append(sample(), "x")} {
		if j, _, err := decode("a", reply, false); err == nil {
			t.Errorf("%v: %+v", reply, j)
		}
	}
	if j, _, err := decode("b", sample(), false); err == nil {
		t.Errorf("another's spec: %+v", j)
	}
}

func TestEntries(t *testing.T) {
	for _, want := range []jobs.Result{{Body: []byte("{}")}, {Index: 99_999, Body: []byte(`":!"`), Bad: true}, {Index: 1<<31 - 1, Body: []byte{}}} {
		if got, err := parseEntry(string(entry(want))); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%+v, %v; want %+v", got, err, want)
		}
	}
	for _, bad := range []any{nil, "", "=", "=:", "=1", "?1:x", "=-1:x", "=+1:x", "=4294967296:x", "=12345678901234567890:", int64(3), []any{}} {
		if got, err := parseEntry(bad); err == nil {
			t.Errorf("%v: %+v", bad, got)
		}
	}
}

// FuzzDecode: whatever Redis gives is a job or an error, and what is a job can be written and read again.
func FuzzDecode(f *testing.F) {
	for at := range fields {
		f.Add(at, "1", "[]")
		f.Add(at, "\xff{", `[{"blob":"x"}]`)
	}
	f.Add(0, `{"id":"a","created":"2026-01-02T03:04:05Z","run_at":"x"}`, "null")
	f.Add(0, `{"id":"a","items":[{}],"deadline":"9999-12-31T23:59:59Z"}`, "null")
	f.Add(11, `{"code":1}`, "null")
	f.Fuzz(func(t *testing.T, at int, value, items string) {
		reply := sample()
		reply[uint(at)%uint(len(reply))] = value
		j, _, err := decode("a", append(reply, items), true)
		if (err == nil) != (j != nil) || err != nil && fault.KindOf(err) != fault.Internal {
			t.Fatalf("%+v, %v", j, err)
		}
		if err == nil && (j.ID != "a" || len(j.Items) != j.Total || !known(states, j.State) || j.Done < 0 || j.Fence < 0) {
			t.Errorf("%+v", j)
		}
	})
}

func FuzzParseEntry(f *testing.F) {
	for _, seed := range []string{"=0:{}", "!12:x", "=:", "=2147483648:", "!00000000001:x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		r, err := parseEntry(raw)
		if err != nil {
			return
		}
		if again, err := parseEntry(string(entry(r))); err != nil || !reflect.DeepEqual(again, r) || r.Index < 0 {
			t.Errorf("%q: %+v, %+v, %v", raw, r, again, err)
		}
	})
}

func FuzzCursor(f *testing.F) {
	for _, seed := range []string{"1", "0", "-1", "+5", "9007199254740992", "9007199254740993", "1e3", " 1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		if n, err := strconv.ParseInt(raw, 10, 64); isCursor(raw) && (err != nil || n < 1 || n > 1<<53) {
			t.Errorf("%q is taken for a cursor", raw)
		}
	})
}

func TestEncodeRefuses(t *testing.T) {
	digest := strings.Repeat("a", 64)
	for name, edit := range map[string]func(*jobs.Spec){
		"no id":        func(s *jobs.Spec) { s.ID = "" },
		"long id":      func(s *jobs.Spec) { s.ID = strings.Repeat("a", 257) },
		"priority":     func(s *jobs.Spec) { s.Priority = "urgent" },
		"ttl":          func(s *jobs.Spec) { s.ResultTTL = -1 },
		"options":      func(s *jobs.Spec) { s.Options = json.RawMessage("{") },
		"blob":         func(s *jobs.Spec) { s.Items = []jobs.Item{{Blob: digest}, {Blob: "x"}} },
		"capital blob": func(s *jobs.Spec) { s.Items = []jobs.Item{{Blob: strings.ToUpper(digest)}} },
	} {
		spec := specOf(jobs.Item{Blob: digest})
		edit(spec)
		s := new(Store) // nothing is asked of Redis
		if _, err := s.Create(t.Context(), spec); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}
