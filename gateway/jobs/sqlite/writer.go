package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"triton-gateway/internal/fault"
)

// together is how many writes are committed at a time, at most.
const together = 64

// politely is after how many groups of a process the others, if they have written nothing meanwhile, count as gone.
const politely = 200

// writer runs writes one after the other on one connection, and commits those that wait together. Its goroutine owns the connection.
type writer struct {
	conn       *sql.Conn
	patience   time.Duration
	version    int64 // of the data, as others have changed it
	polite     int   // groups after which others are given their turn
	statements map[string]*sql.Stmt
	queue      chan *write
	mu         sync.RWMutex // held for reading while something is sent, so that nothing is after the close
	closed     bool
	ended      chan struct{}
}

// write is one change. run has to look before it writes: it returns a *fault.Error only where it has written nothing. It may be run again, alone, when
// what it was committed with has failed.
type write struct {
	run   func(*tx) error
	state atomic.Int32 // waiting, taken or left
	done  chan error
}

const (
	waiting int32 = iota
	taken
	left
)

// tx is the transaction under way.
type tx struct {
	w   *writer
	ctx context.Context
}

func newWriter(conn *sql.Conn) *writer {
	w := &writer{conn: conn, patience: patience, statements: map[string]*sql.Stmt{}, queue: make(chan *write, together), ended: make(chan struct{})}
	go w.loop()
	return w
}

// do runs a write and waits until it is on the disk. A caller that leaves before its turn has written nothing; once it is its turn, the end is awaited,
// which is near.
func (w *writer) do(ctx context.Context, run func(*tx) error) error {
	if ctx.Err() != nil {
		return failure(ctx, ctx.Err())
	}
	job := &write{run: run, done: make(chan error, 1)}
	w.mu.RLock()
	if w.closed {
		w.mu.RUnlock()
		return unavailable("the job store is closed", nil)
	}
	select {
	case w.queue <- job:
		w.mu.RUnlock()
	case <-ctx.Done():
		w.mu.RUnlock()
		return failure(ctx, ctx.Err())
	}
	select {
	case err := <-job.done:
		return failure(context.WithoutCancel(ctx), err)
	case <-ctx.Done():
		if job.state.CompareAndSwap(waiting, left) {
			return failure(ctx, ctx.Err())
		}
		return failure(context.WithoutCancel(ctx), <-job.done)
	}
}

// stop finishes what waits and ends the goroutine.
func (w *writer) stop() {
	w.mu.Lock()
	w.closed = true
	w.mu.Unlock()
	close(w.queue)
	<-w.ended
}

func (w *writer) loop() {
	defer close(w.ended)
	group := make([]*write, 0, together)
	for first := range w.queue {
		group = appendTaken(group[:0], first)
	more:
		for len(group) < together {
			select {
			case next, ok := <-w.queue:
				if !ok {
					break more
				}
				group = appendTaken(group, next)
			default:
				break more
			}
		}
		w.commit(group)
		w.yield()
	}
	for _, s := range w.statements {
		_ = s.Close()
	}
}

// yield gives other processes a chance while they write too: who begins anew at once has the file before those that try for it from time to time. SQLite
// tells whether they do, https://sqlite.org/pragma.html#pragma_data_version.
func (w *writer) yield() {
	t, version := &tx{w, context.Background()}, w.version
	if err := t.row(`PRAGMA data_version`, nil, &w.version); err != nil {
		return // the next write fails too, and says so
	}
	if version != w.version && version != 0 {
		w.polite = politely
	}
	if w.polite > 0 {
		w.polite--
		time.Sleep(pause + pause/2)
	}
}

// appendTaken adds a write whose caller still waits.
func appendTaken(group []*write, j *write) []*write {
	if j.state.CompareAndSwap(waiting, taken) {
		return append(group, j)
	}
	return group
}

// commit runs a group in one transaction. Where one of it fails for more than a refusal, nothing of the group is written, and each is run alone.
func (w *writer) commit(group []*write) {
	if len(group) == 0 {
		return
	}
	refusals := make([]error, len(group))
	err := w.transaction(func(t *tx) error {
		for i, j := range group {
			if err := j.run(t); errors.As(err, new(*fault.Error)) {
				refusals[i] = err
			} else if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil && len(group) > 1 && code(err) != codeBusy {
		for i := range group {
			w.commit(group[i : i+1])
		}
		return
	}
	for i, j := range group {
		if refusals[i] != nil && err == nil {
			j.done <- refusals[i]
		} else {
			j.done <- err
		}
	}
}

func (w *writer) transaction(run func(*tx) error) (err error) {
	t := &tx{w, context.Background()}
	if err := retryBusy(t.ctx, w.patience, func() error { return t.exec(`BEGIN IMMEDIATE`) }); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			_ = t.exec(`ROLLBACK`) // fails where SQLite has rolled back already
		}
	}()
	if err := run(t); err != nil {
		return err
	}
	return t.exec(`COMMIT`)
}

// prepared gives the statement of a text, which has to be one of few.
func (t *tx) prepared(query string) (*sql.Stmt, error) {
	if s := t.w.statements[query]; s != nil {
		return s, nil
	}
	s, err := t.w.conn.PrepareContext(t.ctx, query)
	if err == nil {
		t.w.statements[query] = s
	}
	return s, err
}

func (t *tx) exec(query string, args ...any) error {
	_, err := t.changed(query, args...)
	return err
}

// changed runs a statement and tells how many rows it has changed.
func (t *tx) changed(query string, args ...any) (int64, error) {
	s, err := t.prepared(query)
	if err != nil {
		return 0, err
	}
	r, err := s.ExecContext(t.ctx, args...)
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// row reads one row; sql.ErrNoRows where there is none.
func (t *tx) row(query string, args []any, into ...any) error {
	s, err := t.prepared(query)
	if err != nil {
		return err
	}
	return s.QueryRowContext(t.ctx, args...).Scan(into...)
}

// numbers reads a column of numbers.
func (t *tx) numbers(query string, args ...any) (list []int64, err error) {
	s, err := t.prepared(query)
	if err != nil {
		return nil, err
	}
	rows, err := s.QueryContext(t.ctx, args...)
	if err != nil {
		return nil, err
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var n int64
		if err := rows.Scan(&n); err != nil {
			return nil, err
		}
		list = append(list, n)
	}
	return list, rows.Err()
}
