package sqs

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	ddb "github.com/aws/aws-sdk-go-v2/service/dynamodb/types"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

func TestSegment(t *testing.T) {
	list := []jobs.Result{{Index: 0, Body: []byte(`{}`)}, {Index: 99_999, Body: []byte("x"), Bad: true}, {Index: 5, Body: nil}}
	got, err := unpack(pack(nil, list), 100_000)
	if err != nil || len(got) != 3 || got[1].Index != 99_999 || !got[1].Bad || string(got[0].Body) != "{}" || len(got[2].Body) != 0 {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := unpack(pack(nil, list), 99_999); !errors.Is(err, errItem) {
		t.Errorf("a result of an item that is none: %v", err)
	}
}

func FuzzSegment(f *testing.F) {
	f.Add(pack(nil, []jobs.Result{{Index: 3, Body: []byte("abc"), Bad: true}, {Index: 1}}), 4)
	f.Add([]byte{0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1}, 1)
	f.Add(bytes.Repeat([]byte{255}, 30), math.MaxInt)
	f.Add([]byte{0, 5, 1}, -1)
	f.Fuzz(func(t *testing.T, b []byte, total int) {
		list, err := unpack(b, total)
		if err != nil {
			return
		}
		for _, r := range list {
			if r.Index < 0 || r.Index >= total || len(r.Body) > len(b) {
				t.Fatalf("%+v of %d", r, total)
			}
		}
		if again, err := unpack(pack(nil, list), total); err != nil || fmt.Sprint(again) != fmt.Sprint(list) {
			t.Fatalf("%v, %v; want %v", again, err, list)
		}
	})
}

func FuzzMessage(f *testing.F) {
	for _, text := range []string{
		`{"id":"a","token":"b","at":1}`, `{"id":"","token":"b"}`, `{"id":"a","token":"b","x":1}`, `{}`, `[]`, `null`, `{"id":"a#b","token":"c"}`, `{"id":"a","token":"b","at":-1}`, "\x00",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if b, err := parseBody(text); err == nil && (!idForm.MatchString(b.ID) || !idForm.MatchString(b.Token) || b.At < 0) {
			t.Errorf("%q: %+v", text, b)
		}
	})
}

// whole is the item of a job.
func whole(tb testing.TB) item {
	tb.Helper()
	s := &Store{now: time.Now}
	now := time.Now().UTC()
	_, i, err := s.fresh(&jobs.Spec{ID: "a", Model: "m", Priority: jobs.Batch, Created: now, RunAt: now, Items: []jobs.Item{{Kind: jobs.Row, Blob: strings.Repeat("a", 64)}}})
	if err != nil {
		tb.Fatal(err)
	}
	return i
}

func TestDecode(t *testing.T) {
	if r, err := decode(whole(t)); err != nil || r.ID != "a" || r.State != jobs.Queued || r.Total != 1 || r.Told != true || r.class != 2 {
		t.Fatalf("%+v, %v", r, err)
	}
	for name, v := range map[string]ddb.AttributeValue{
		"spec": text("{"), "st": text("asleep"), "p": number(1), "run": text("soon"), "dl": number(-1), "done": number(2), "bad": number(1), "total": number(1 << 40),
		"fence": text("1"), "prob": text("["), "pk": text("j#b"), "ptr": text("../x"), "n0": number(1), "gen": &ddb.AttributeValueMemberN{Value: "1e99"},
	} {
		i := whole(t)
		i[name] = v
		if name == "p" { // what counts is the spec's
			continue
		}
		if r, err := decode(i); fault.KindOf(err) != fault.Internal || !errors.Is(err, errItem) {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
}

// FuzzDecode: whatever is in the table, it is a job or an error.
func FuzzDecode(f *testing.F) {
	f.Add("st", "queued", int64(1), []byte{1})
	f.Add("done", "x", int64(math.MinInt64), []byte(nil))
	f.Add("items", `{"id":"a"}`, int64(math.MaxInt64), bytes.Repeat([]byte{0}, 100))
	f.Fuzz(func(t *testing.T, name, value string, n int64, b []byte) {
		for _, v := range []ddb.AttributeValue{text(value), number(n), octets(b), truth(true), &ddb.AttributeValueMemberNULL{Value: true}, &ddb.AttributeValueMemberN{Value: value}, nil} {
			i := whole(t)
			i[name] = v
			r, err := decode(i)
			if err != nil {
				continue
			}
			if r.Done < 0 || r.Done > r.Total || r.Fence < 0 || r.class < 0 || !idForm.MatchString(r.ID) {
				t.Fatalf("%s = %v: %+v", name, v, r)
			}
			_, _ = unpack(r.inline, r.Total)
			if list, err := expand(r.items, r.Total); err == nil && len(list) != r.Total {
				t.Fatalf("%d items of %d", len(list), r.Total)
			}
			_ = toMeta(i)
			_ = ordinal(i)
			tally(&jobs.Counts{Jobs: map[jobs.Priority]map[jobs.State]int{jobs.Batch: {}, jobs.Realtime: {}, jobs.Interactive: {}}, Oldest: map[jobs.Priority]time.Time{}}, i, time.Now())
		}
	})
}

func FuzzCursor(f *testing.F) {
	for _, c := range []string{"", "x", "MSBqI2E", "MTIzIGojYQ", strings.Repeat("A", 500), "MSBqIy4uLw"} {
		f.Add(c)
	}
	f.Fuzz(func(t *testing.T, c string) {
		if i, err := untoldAfter(c); err == nil && (num(i, "due") < 0 && len(str(i, "pk")) < 3) {
			t.Errorf("%q: %v", c, i)
		}
	})
}

func TestItems(t *testing.T) {
	list := []jobs.Item{{Kind: jobs.Image, Name: "ü", Blob: "x", Size: 1}, {Kind: jobs.Row}}
	b, err := squeeze(list)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := expand(b, 2); err != nil || fmt.Sprint(got) != fmt.Sprint(list) {
		t.Errorf("%v, %v", got, err)
	}
	for _, bad := range [][]byte{nil, b[:len(b)/2], []byte("x"), bytes.Repeat(b, 2)[1:]} {
		if got, err := expand(bad, 2); !errors.Is(err, errItem) {
			t.Errorf("%v, %v", got, err)
		}
	}
	if _, err := expand(b, 3); !errors.Is(err, errItem) {
		t.Error(err)
	}
	// A bomb unpacks to no more than the limit.
	for size, fits := range map[int]bool{100_000: true, 100_001: false, 5_000_000: false} {
		if plain, err := inflate(deflate(t, make([]byte, size)), 100_000); (err == nil) != fits || len(plain) > 100_001 {
			t.Errorf("%d bytes unpack to %d, %v", size, len(plain), err)
		}
	}
}
