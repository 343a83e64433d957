package route

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// rule is a Rule that has been checked.
type rule struct {
	when   When
	header []headerIs
	hours  *hours
	use    Target
}

// headerIs is a header and the pieces of its value between the asterisks.
type headerIs struct {
	name   string
	pieces []string
}

// hours are minutes of the day; a part that ends before it begins goes on after midnight.
type hours struct {
	from, to int
	days     [7]bool // by time.Weekday
	zone     *time.Location
}

func (r *rule) fits(a *Asker) bool {
	w := &r.when
	if w.Tier != "" && w.Tier != a.Tier {
		return false
	}
	for _, b := range [...]struct {
		over, to *int64
		is       int64
	}{{w.PixelsOver, w.PixelsTo, a.Pixels}, {w.BytesOver, w.BytesTo, a.Bytes}, {w.RowsOver, w.RowsTo, a.Rows}} {
		if b.over != nil && b.is <= *b.over || b.to != nil && b.is > *b.to {
			return false
		}
	}
	if (w.PixelsOver != nil || w.PixelsTo != nil) && a.Pixels == 0 { // not a picture
		return false
	}
	for i := range r.header {
		if a.Header == nil || !r.header[i].is(a.Header(r.header[i].name)) {
			return false
		}
	}
	return r.hours == nil || r.hours.has(a.Now)
}

// is matches without going back further than the asterisk before: the time is at most the product of both lengths.
func (h *headerIs) is(value string) bool {
	first, rest := h.pieces[0], h.pieces[1:]
	if len(rest) == 0 {
		return value == first
	}
	value, ok := strings.CutPrefix(value, first)
	if !ok {
		return false
	}
	last := rest[len(rest)-1]
	for _, piece := range rest[:len(rest)-1] {
		at := strings.Index(value, piece)
		if at < 0 {
			return false
		}
		value = value[at+len(piece):]
	}
	return strings.HasSuffix(value, last)
}

func (h *hours) has(now time.Time) bool {
	now = now.In(h.zone)
	minute, day := now.Hour()*60+now.Minute(), now.Weekday()
	if h.from < h.to {
		return h.days[day] && minute >= h.from && minute < h.to
	}
	if minute >= h.from {
		return h.days[day]
	}
	return minute < h.to && h.days[(day+6)%7] // it began on the day before
}

func compileRule(r *Rule) (rule, []error) {
	out := rule{when: r.When, use: r.Use}
	var faults []error
	for name, value := range r.When.Header {
		if !token(name) || len(value) > 1024 {
			faults = append(faults, fmt.Errorf("when.header: %q cannot be a header's name, or its value is too long", name))
			continue
		}
		out.header = append(out.header, headerIs{http.CanonicalHeaderKey(name), strings.Split(value, "*")})
	}
	for _, b := range []struct {
		name     string
		over, to *int64
	}{{"pixels", r.When.PixelsOver, r.When.PixelsTo}, {"bytes", r.When.BytesOver, r.When.BytesTo}, {"rows", r.When.RowsOver, r.When.RowsTo}} {
		if b.over != nil && *b.over < 0 || b.to != nil && *b.to < 0 || b.over != nil && b.to != nil && *b.to <= *b.over {
			faults = append(faults, fmt.Errorf("when.%s_over, when.%s_to: no size fits both", b.name, b.name))
		}
	}
	if r.When.Time != nil {
		h, err := compileHours(r.When.Time)
		if err != nil {
			faults = append(faults, fmt.Errorf("when.time%w", err))
		}
		out.hours = h
	}
	if out.when.empty() {
		faults = append(faults, fmt.Errorf("when: says nothing, so no later rule and no weight would ever decide; give candidates instead"))
	}
	return out, faults
}

func (w *When) empty() bool {
	return w.Tier == "" && len(w.Header) == 0 && w.PixelsOver == nil && w.PixelsTo == nil && w.BytesOver == nil && w.BytesTo == nil &&
		w.RowsOver == nil && w.RowsTo == nil && w.Time == nil
}

func compileHours(t *Hours) (*hours, error) {
	h := &hours{to: 24 * 60, zone: time.UTC}
	for _, c := range []struct {
		name, text string
		into       *int
	}{{"from", t.From, &h.from}, {"to", t.To, &h.to}} {
		if c.text == "" {
			continue
		}
		at, err := time.Parse("15:04", c.text)
		if err != nil {
			return nil, fmt.Errorf(".%s: %q is not a time of day such as 22:00", c.name, c.text)
		}
		*c.into = at.Hour()*60 + at.Minute()
	}
	if h.from == h.to {
		return nil, fmt.Errorf(": from and to are the same time")
	}
	names := []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
	for _, d := range t.Days {
		i := slices.Index(names, d)
		if i < 0 {
			return nil, fmt.Errorf(".days: %q is not one of mon, tue, wed, thu, fri, sat, sun", d)
		}
		h.days[i] = true
	}
	if len(t.Days) == 0 {
		h.days = [7]bool{true, true, true, true, true, true, true}
	}
	if t.Zone != "" {
		zone, err := time.LoadLocation(t.Zone)
		if err != nil {
			return nil, fmt.Errorf(".zone: %q is not a time zone that is known here, such as Europe/Berlin", t.Zone)
		}
		h.zone = zone
	}
	return h, nil
}
