package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strings"
)

// itemEvent is what has become of one item of a job.
type itemEvent struct {
	Index int
	Name  string
	Error *problemDoc // nil: it was answered
}

// label names the item for people.
func (i *itemEvent) label() string {
	if i.Name != "" {
		return i.Name
	}
	return fmt.Sprintf("item %d", i.Index)
}

// itemsOf reads the events of a job that is final: one for each item that has a result, in the order in which they were done.
func (gw *askedGateway) itemsOf(ctx context.Context, id string) iter.Seq2[*itemEvent, error] {
	return func(yield func(*itemEvent, error) bool) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, gw.url+"/v1/jobs/"+url.PathEscape(id)+"/events", nil)
		if err != nil {
			yield(nil, err)
			return
		}
		req.Header = gw.header.Clone()
		req.Header.Set("Accept", "text/event-stream")
		resp, err := gw.client.Do(req)
		if err != nil {
			yield(nil, err)
			return
		}
		defer resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			data, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
			yield(nil, problem(resp, data))
			return
		}
		for e, err := range events(resp.Body) {
			if err != nil {
				yield(nil, err)
				return
			}
			if e.name != "item" {
				continue
			}
			item := new(itemEvent)
			if err := json.Unmarshal(e.data, item); err != nil {
				yield(nil, fmt.Errorf("an event is not JSON: %w", err))
				return
			}
			if !yield(item, nil) {
				return
			}
		}
	}
}

// event is one server-sent event.
type event struct {
	name string
	data []byte
}

// mostEvent is the largest event that is read, in bytes.
const mostEvent = 64 << 20

// events reads server-sent events as https://html.spec.whatwg.org/multipage/server-sent-events.html has them, but for lines that end in a lone CR. An event
// that is cut off is none.
func events(in io.Reader) iter.Seq2[event, error] {
	return func(yield func(event, error) bool) {
		lines := bufio.NewScanner(in)
		lines.Buffer(make([]byte, 0, 64<<10), mostEvent)
		var e event
		some := false
		for lines.Scan() {
			line := lines.Text() // a CR before the LF is gone
			if line == "" {
				if some && !yield(e, nil) {
					return
				}
				e, some = event{}, false
				continue
			}
			field, value, _ := strings.Cut(line, ":")
			value = strings.TrimPrefix(value, " ")
			switch field {
			case "event":
				e.name = value
			case "data":
				if some {
					e.data = append(e.data, '\n')
				}
				if len(e.data)+len(value) > mostEvent {
					yield(event{}, fmt.Errorf("an event is larger than %d bytes", mostEvent))
					return
				}
				e.data, some = append(e.data, value...), true
			}
		}
		if err := lines.Err(); err != nil {
			yield(event{}, err)
		}
	}
}
