package gateway

import (
	"context"
	"encoding/json"
	"fmt"
	"io"

	"triton-gateway/gateway/jobs"
	"triton-gateway/internal/fault"
)

const (
	resultPage = 256      // results that are read at a time
	resultKeep = 16 << 20 // bytes of results that came before their turn and are kept; others are read again
)

// resultReader writes the result of a job as infer would: one document, or the document of several. The store has results in the order in which
// they were done, which is nearly that of the items; so no more of them are in memory than are out of order.
type resultReader struct {
	ctx     context.Context
	service *jobs.Service
	job     *jobs.Job
	page    []jobs.Result
	read    int           // results of the store that were read
	early   map[int]early // by index
	kept    int           // bytes in early
	version string
	task    string
}

// early is a result whose turn has not come.
type early struct {
	place  int // in the store's order
	result jobs.Result
	bare   bool // the body was let go
}

// newResultReader reads as much as tells the version and the task. Errors are those of the store.
func newResultReader(ctx context.Context, service *jobs.Service, j *jobs.Job) (*resultReader, error) {
	r := &resultReader{ctx: ctx, service: service, job: j, early: map[int]early{}}
	var err error
	if r.page, err = service.Store.Results(ctx, j.ID, 0, resultPage); err != nil {
		return nil, err
	}
	if len(r.page) == 0 {
		return nil, fault.New(fault.Unavailable, "job_store_unavailable", "the job is done and its result cannot be read yet; ask again")
	}
	r.read = len(r.page)
	return r, r.learn()
}

// learn finds the version and the task in the first good result.
func (r *resultReader) learn() error {
	page, from := r.page, 0
	for {
		for _, result := range page {
			if result.Bad {
				continue
			}
			var head struct{ Version, Task string }
			if err := json.Unmarshal(result.Body, &head); err != nil {
				return fmt.Errorf("result %d of job %s is no document: %w", result.Index, r.job.ID, err)
			}
			r.version, r.task = head.Version, head.Task
			return nil
		}
		if from += len(page); len(page) == 0 {
			return nil
		}
		var err error
		if page, err = r.service.Store.Results(r.ctx, r.job.ID, from, resultPage); err != nil {
			return err
		}
	}
}

// writeTo writes the document.
func (r *resultReader) writeTo(w io.Writer) error {
	if r.job.Single {
		body, err := r.next(0)
		if err == nil {
			_, err = w.Write(body)
		}
		return err
	}
	b := append([]byte(nil), `{"id":`...)
	b = appendText(b, r.job.ID)
	b = appendText(append(b, `,"model":`...), r.job.Model)
	b = appendText(append(b, `,"version":`...), r.version)
	b = appendText(append(b, `,"task":`...), r.task)
	b = append(b, `,"results":[`...)
	for i := range r.job.Total {
		if i > 0 {
			b = append(b, ',')
		}
		body, err := r.next(i)
		if err != nil {
			return err
		}
		b = append(b, body...)
		if len(b) >= 32<<10 {
			if _, err := w.Write(b); err != nil {
				return err
			}
			b = b[:0]
		}
	}
	_, err := w.Write(append(b, "]}"...))
	return err
}

// next gives the document of the item of that index; indexes are asked for in rising order.
func (r *resultReader) next(index int) ([]byte, error) {
	for {
		if e, ok := r.early[index]; ok {
			return r.took(index, e)
		}
		if len(r.page) == 0 {
			page, err := r.service.Store.Results(r.ctx, r.job.ID, r.read, resultPage)
			if err != nil {
				return nil, err
			}
			if len(page) == 0 {
				return nil, fmt.Errorf("item %d of job %s has no result; it was handed in again", index, r.job.ID)
			}
			r.page, r.read = page, r.read+len(page)
		}
		result := r.page[0]
		place := r.read - len(r.page)
		r.page = r.page[1:]
		if result.Index == index {
			return documentOf(result), nil
		}
		e := early{place: place, result: result}
		if r.kept+len(result.Body) > resultKeep {
			e.bare, e.result.Body = true, nil
		}
		r.kept += len(e.result.Body)
		r.early[result.Index] = e
	}
}

// took gives a result that came early.
func (r *resultReader) took(index int, e early) ([]byte, error) {
	delete(r.early, index)
	if !e.bare {
		r.kept -= len(e.result.Body)
		return documentOf(e.result), nil
	}
	page, err := r.service.Store.Results(r.ctx, r.job.ID, e.place, 1)
	if err != nil {
		return nil, err
	}
	if len(page) == 0 || page[0].Index != index {
		return nil, fmt.Errorf("the result of item %d of job %s has moved; it was handed in again", index, r.job.ID)
	}
	return documentOf(page[0]), nil
}

// documentOf is an item's place in the results: its document, or its problem.
func documentOf(r jobs.Result) []byte {
	if !r.Bad {
		return r.Body
	}
	b := append(make([]byte, 0, len(r.Body)+len(`{"error":}`)), `{"error":`...)
	return append(append(b, r.Body...), '}')
}
