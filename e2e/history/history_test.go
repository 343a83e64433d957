package history

import (
	"strings"
	"sync"
	"testing"
	"time"
)

var epoch = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

// at is a time of a story, in seconds.
func at(seconds float64) time.Time { return epoch.Add(time.Duration(seconds * float64(time.Second))) }

var promised = Rules{Redelivery: 10 * time.Second, Slack: time.Second}

// good is a history without a fault: two jobs, one of them through a kill; the answer of one submission was lost, so it was made twice.
func good() *History {
	return &History{
		Expected: map[string]string{"cat": "a cat", "dog": "a dog"},
		Submissions: []Submission{
			{Key: "k1", Input: "cat", ID: "one", At: at(0)},
			{Key: "k2", Input: "dog", ID: "two", At: at(1)},
			{Key: "k2", Input: "dog", ID: "two", At: at(2)},
		},
		Sightings: []Sighting{
			{ID: "one", At: at(0.5), State: "running"},
			{ID: "one", At: at(1), State: "succeeded", Answer: "a cat"},
			{ID: "two", At: at(2.1), State: "queued"},
			{ID: "two", At: at(3), State: "running"},
			{ID: "two", At: at(13), State: "succeeded", Answer: "a dog", Finished: at(12.5)},
			{ID: "two", At: at(20), State: "succeeded", Answer: "a dog", Finished: at(12.5)},
		},
		Kills:  []Kill{{What: "worker", Down: at(4), Up: at(5), Worked: true}},
		Listed: []string{"two", "one"},
	}
}

func TestAGoodHistory(t *testing.T) {
	v := good().Judge(promised)
	if len(v.Faults) > 0 || v.Jobs != 2 || v.Kills != 1 || v.Sighted != 6 || v.Waited != 1 || v.Slowest != 8500*time.Millisecond || v.SlowestA != 11500*time.Millisecond {
		t.Errorf("%v\n%v", v, v.Faults)
	}
	want := "2 jobs accepted, 1 kills, 6 sightings: 0 lost, 0 wrong, 0 changed, 0 twice, 0 strangers, 0 burnt, 0 late; 1 jobs were under way at a kill, slowest redelivery 8.50 s; slowest job 11.50 s"
	if v.String() != want {
		t.Error(v)
	}
}

// TestBadHistories breaks each promise in each way, and nothing else.
func TestBadHistories(t *testing.T) {
	for name, c := range map[string]struct {
		spoil func(*History)
		rule  Rule
		text  string
	}{
		"never seen again":       {func(h *History) { h.Sightings = h.Sightings[2:] }, Lost, "never seen again"},
		"still running":          {func(h *History) { h.Sightings = h.Sightings[:4] }, Lost, "last seen running"},
		"failed":                 {func(h *History) { h.Sightings[1] = Sighting{ID: "one", At: at(1), State: "failed"} }, Lost, "last seen failed"},
		"not listed":             {func(h *History) { h.Listed = []string{"one"} }, Lost, "is not listed"},
		"nothing listed":         {func(h *History) { h.Listed = h.Listed[:0]; h.Listed = append(h.Listed, "two") }, Lost, "is not listed"},
		"wrong answer":           {func(h *History) { h.Sightings[1].Answer = "a dog" }, Wrong, "not a cat"},
		"half an answer":         {func(h *History) { h.Sightings[1].Answer = "" }, Wrong, "not a cat"},
		"unknown input":          {func(h *History) { delete(h.Expected, "cat") }, Wrong, "nothing is known"},
		"another answer later":   {func(h *History) { h.Sightings[4].Answer = "a cow" }, Changed, "a cow"},
		"final, then running":    {func(h *History) { h.Sightings[0] = Sighting{ID: "one", At: at(0.2), State: "failed"} }, Changed, "it was failed"},
		"succeeded, then queued": {func(h *History) { h.Sightings[2] = Sighting{ID: "two", At: at(14), State: "queued"} }, Changed, "it is queued"},
		"a result too early":     {func(h *History) { h.Sightings[0].Answer = "a cat" }, Changed, "while it is running"},
		"a submission, two jobs": {func(h *History) {
			h.Submissions = append(h.Submissions, Submission{Key: "k1", Input: "cat", ID: "three", At: at(3)})
			h.Sightings = append(h.Sightings, Sighting{ID: "three", At: at(3.5), State: "succeeded", Answer: "a cat"})
			h.Listed = append(h.Listed, "three")
		}, Twice, "is job one too"},
		"two submissions, a job": {func(h *History) {
			h.Submissions = append(h.Submissions, Submission{Key: "k3", Input: "cat", ID: "one", At: at(3)})
		}, Twice, "k1 and k3"},
		"listed twice":        {func(h *History) { h.Listed = append(h.Listed, "one") }, Twice, "listed twice"},
		"a stranger is seen":  {func(h *History) { h.Sightings = append(h.Sightings, Sighting{ID: "x", At: at(9), State: "queued"}) }, Stranger, "seen queued"},
		"a stranger is there": {func(h *History) { h.Listed = append(h.Listed, "x") }, Stranger, "is listed"},
		"an attempt is gone":  {func(h *History) { h.Sightings[1].Attempts = 1 }, Burnt, "1 attempts"},
		"redelivered late": {func(h *History) {
			h.Sightings[4].At, h.Sightings[4].Finished = at(15.2), at(15.1)
			h.Sightings[5].Finished = at(15.1)
		}, Late, "11.10 s after"},
	} {
		t.Run(name, func(t *testing.T) {
			h := good()
			c.spoil(h)
			v := h.Judge(promised)
			if len(v.Faults) != 1 || v.Faults[0].Rule != c.rule || v.Count[c.rule] != 1 || !strings.Contains(v.Faults[0].String(), c.text) {
				t.Errorf("want one fault of %s with %q, got %v", c.rule, c.text, v.Faults)
			}
		})
	}
}

// end makes job two be done at that time.
func (h *History) endAt(seconds float64) *History {
	for i := 4; i < 6; i++ {
		h.Sightings[i].At, h.Sightings[i].Finished = at(seconds+float64(i)), at(seconds)
	}
	return h
}

func TestWhatMayHoldAJobUp(t *testing.T) {
	for name, c := range map[string]struct {
		kills []Kill
		end   float64
		late  bool
		waits float64
	}{
		"one kill, in time":                   {[]Kill{{Down: at(4), Up: at(5), Worked: true}}, 14.9, false, 10.9},
		"one kill, late":                      {[]Kill{{Down: at(4), Up: at(5), Worked: true}}, 15.1, true, 11.1},
		"it blocks: its time does not count":  {[]Kill{{Down: at(4), Up: at(9), Worked: true, Blocked: true}}, 19.9, false, 10.9},
		"it blocks, late all the same":        {[]Kill{{Down: at(4), Up: at(9), Worked: true, Blocked: true}}, 20.1, true, 11.1},
		"killed again":                        {[]Kill{{Down: at(4), Up: at(5), Worked: true}, {Down: at(14), Up: at(15), Worked: true}}, 24.5, false, 10.5},
		"killed again, but too late for that": {[]Kill{{Down: at(4), Up: at(5), Worked: true}, {Down: at(15.5), Up: at(16), Worked: true}}, 17, true, 13},
		"out of order":                        {[]Kill{{Down: at(14), Up: at(15), Worked: true}, {Down: at(4), Up: at(5), Worked: true}}, 24.5, false, 10.5},
		"a bystander":                         {[]Kill{{Down: at(4), Up: at(5)}}, 40, false, 0},
		"before it":                           {[]Kill{{Down: at(-1), Up: at(-0.5), Worked: true}}, 40, false, 0},
		"blocks that overlap count once": {[]Kill{{Down: at(4), Up: at(9), Worked: true, Blocked: true}, {Down: at(6), Up: at(10), Blocked: true}, {Down: at(7), Up: at(8), Blocked: true}},
			20.9, false, 10.9},
		"a block after the end": {[]Kill{{Down: at(4), Up: at(5), Worked: true}, {Down: at(30), Up: at(40), Blocked: true}}, 14, false, 10},
	} {
		t.Run(name, func(t *testing.T) {
			h := good().endAt(c.end)
			h.Kills = c.kills
			v := h.Judge(promised)
			if late := v.Count[Late] == 1; late != c.late || len(v.Faults) > 1 || (v.Slowest-time.Duration(c.waits*1e9)).Abs() > time.Millisecond {
				t.Errorf("late %v, slowest %v, want %v and %v s; %v", late, v.Slowest, c.late, c.waits, v.Faults)
			}
		})
	}
}

func TestManyWriteAtOnce(t *testing.T) {
	h := &History{Expected: map[string]string{"cat": "a cat"}}
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for n := range 50 {
				id := strings.Repeat("x", i+1) + "-" + strings.Repeat("y", n)
				h.Submitted(Submission{Key: id, Input: "cat", ID: id, At: at(1)})
				h.Saw(Sighting{ID: id, At: at(2), State: "succeeded", Answer: "a cat"})
				h.Killed(Kill{Down: at(3), Up: at(4), Worked: true})
			}
		})
	}
	all.Wait()
	if v := h.Judge(promised); v.Jobs != 400 || v.Kills != 400 || len(v.Faults) != 0 {
		t.Error(v)
	}
}
