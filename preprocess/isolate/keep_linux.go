package isolate

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"
)

const (
	// birth is how long a child may take to become ready.
	birth = 30 * time.Second
	// A child that ends within infancy is replaced after a while that doubles from restLeast to restMost.
	infancy   = time.Second
	restLeast = 50 * time.Millisecond
	restMost  = time.Second
	// lastWords is how much of what a child has written is logged, at most.
	lastWords = 4096
)

// keep keeps a child in one place until the pool is closed. It holds an OS thread as long: the kernel ends the child with the thread that
// has started it, not with the process.
func (p *pool) keep() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	rest := time.Duration(0)
	for {
		lived := p.one()
		if lived >= infancy {
			rest = 0
		} else {
			rest = min(max(2*rest, restLeast), restMost)
		}
		if rest == 0 {
			select {
			case <-p.closed:
				return
			default:
				continue
			}
		}
		timer := time.NewTimer(rest)
		select {
		case <-p.closed:
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// one starts a child and stays until it has ended. It gives the time that it was of use.
func (p *pool) one() time.Duration {
	c, err := p.spawn()
	if err != nil {
		p.counts.end(Unborn)
		p.tell(fmt.Errorf("decoder.isolate: no child can be started: %w", err))
		return 0
	}
	p.mu.Lock()
	p.born[c] = struct{}{}
	if p.ended {
		c.kill(Retired)
	}
	p.mu.Unlock()
	since := make(chan time.Time, 1)
	go func() { since <- p.welcome(c) }()
	state, err := c.process.Wait()
	ended := time.Now()
	c.ended = c.reason(state, err)
	c.gone.Store(true)
	c.area.turn().Or(turnGone)
	wake(c.area.turn())
	begin := <-since
	p.bury(c, state, begin.IsZero())
	if begin.IsZero() {
		return 0
	}
	return ended.Sub(begin)
}

// welcome waits until the child is ready, and lends it from then on. It gives the time of that; zero where it was never ready.
func (p *pool) welcome(c *child) time.Time {
	w := newWatch(birth)
	err := c.await(context.Background(), &w)
	said := c.area.answer()
	text, fits := c.area.said(said.length)
	switch {
	case err == nil && fits && said.state == stateReady:
		var r Report
		if r, err = readReport(text); err == nil {
			r.Namespaces, r.Account, r.Missing = c.report.Namespaces, c.report.Account, append(r.Missing, c.report.Missing...)
			p.begin(c, r)
			return time.Now()
		}
	case err == nil && fits && said.state == stateBroken:
		err = fmt.Errorf("%s", printable(string(text)))
	case err == nil:
		err = errNonsense
	}
	c.kill(Unborn)
	p.tell(fmt.Errorf("decoder.isolate: a child did not become ready: %w", err))
	return time.Time{}
}

// begin lends a child that has become ready.
func (p *pool) begin(c *child, r Report) {
	_, _ = c.errors.WriteAt(make([]byte, errorsSize), 0) // what libraries said while they were tried out
	_, _ = c.errors.Seek(0, 0)                           // the child's place too
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trouble, p.unborn = nil, 0
	p.live[c] = false
	if !p.known {
		p.known, p.first = true, r
		p.options.Log.Info("pictures are decoded in processes of their own", "children", p.options.Children, "in_force", r.String())
		p.tellLocked()
	}
	p.putLocked(c)
}

// tell remembers why there is no child.
func (p *pool) tell(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	p.options.Log.Error("a decoder could not be started", "error", err)
	p.trouble = err
	p.unborn++
	p.tellLocked()
}

func (p *pool) tellLocked() {
	select {
	case <-p.news:
	default:
		close(p.news)
	}
}

// bury takes a child that has ended out of everything. Whoever waits for it has been told.
func (p *pool) bury(c *child, state *os.ProcessState, unborn bool) {
	p.mu.Lock()
	delete(p.live, c)
	delete(p.born, c)
	for i, other := range p.idle {
		if other == c {
			p.idle = append(p.idle[:i], p.idle[i+1:]...)
			break
		}
	}
	ended := p.ended
	p.mu.Unlock()
	reason := c.ended
	if unborn {
		reason = Unborn
	}
	if !ended {
		p.counts.end(reason)
		level := slog.LevelWarn
		if reason == Retired {
			level = slog.LevelInfo
		}
		how := ""
		if state != nil {
			how = shownSignal(state.Sys().(syscall.WaitStatus))
		}
		p.options.Log.Log(context.Background(), level, "a decoder ended and is replaced", "reason", reason, "how", how, "pictures", c.served, "said", printable(c.words()))
	}
	c.use.Lock() // who used it has seen that it is gone
	defer c.use.Unlock()
	c.late.Lock()
	defer c.late.Unlock()
	c.freed = true
	c.free()
	_ = c.errors.Close()
}

// reason is why the child has ended.
func (c *child) reason(state *os.ProcessState, err error) string {
	if why, ok := c.why.Load().(string); ok {
		return why
	}
	if err != nil {
		return Killed
	}
	if s := state.Sys().(syscall.WaitStatus); s.Signaled() && (s.Signal() == syscall.SIGKILL || s.Signal() == syscall.SIGTERM || s.Signal() == syscall.SIGINT) {
		return Killed
	}
	words := c.words()
	for _, sign := range []string{"out of memory", "cannot allocate memory", "ENOMEM", "bad_alloc"} {
		if strings.Contains(words, sign) {
			return Memory
		}
	}
	return Crashed
}

// words is what the child has written to standard error.
func (c *child) words() string {
	buf := make([]byte, lastWords)
	n, _ := c.errors.ReadAt(buf, 0)
	return string(bytes.TrimRight(buf[:n], "\x00"))
}
