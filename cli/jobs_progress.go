package cli

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// progress shows how far a submission is: a bar that is drawn again and again on a terminal, otherwise a line now and then.
type progress struct {
	out   io.Writer
	bar   bool
	every time.Duration // between two drawings

	mu    sync.Mutex
	verb  string
	total int
	done  int
	bytes int64
	began time.Time
	drawn time.Time
	shown bool // a bar is on the line of the cursor
	heard time.Time
}

func newProgress(out io.Writer, total int) *progress {
	p := &progress{out: out, bar: terminal(out), verb: "sent", total: total, began: time.Now(), every: 10 * time.Second}
	if p.bar {
		p.every = 100 * time.Millisecond
	}
	p.drawn = p.began
	return p
}

// phase begins to count something else.
func (p *progress) phase(verb string, total int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.draw()
	p.newline()
	p.verb, p.total, p.done, p.bytes = verb, total, 0, 0
	p.began = time.Now()
}

// add counts.
func (p *progress) add(n int, bytes int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += n
	p.bytes += bytes
	if time.Since(p.drawn) >= p.every {
		p.draw()
	}
}

// say writes a line that stays.
func (p *progress) say(text string) {
	p.around(func() { fmt.Fprintln(p.out, text) })
}

// around lets something else be written to the terminal, where the bar is not.
func (p *progress) around(write func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.shown {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
	write()
	if p.shown {
		p.draw()
	}
}

// trouble says why the gateway is asked again, not more often than people read.
func (p *progress) trouble(err error) {
	p.mu.Lock()
	quiet := time.Since(p.heard) < 10*time.Second
	if !quiet {
		p.heard = time.Now()
	}
	p.mu.Unlock()
	if !quiet {
		p.say("trying again: " + err.Error())
	}
}

// end draws for the last time.
func (p *progress) end() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.draw()
	p.newline()
}

// newline leaves the bar where it is. The caller holds mu.
func (p *progress) newline() {
	if p.shown {
		fmt.Fprintln(p.out)
		p.shown = false
	}
}

// draw writes the state. The caller holds mu.
func (p *progress) draw() {
	p.drawn = time.Now()
	if p.bar {
		fmt.Fprintf(p.out, "\r\x1b[K%s", p.text(p.drawn))
		p.shown = true
		return
	}
	fmt.Fprintln(p.out, p.text(p.drawn))
}

// text is the state in less than 80 characters.
func (p *progress) text(now time.Time) string {
	const width = 24
	seconds := now.Sub(p.began).Seconds()
	text := fmt.Sprintf("%s %d of %d", p.verb, p.done, p.total)
	if p.bar {
		full := width
		if p.total > 0 {
			full = min(width*p.done/p.total, width)
		}
		text = "[" + strings.Repeat("#", full) + strings.Repeat(".", width-full) + "] " + text
	}
	if seconds > 0.5 && p.done > 0 {
		text += fmt.Sprintf(", %.0f/s", float64(p.done)/seconds)
		if p.bytes > 0 {
			text += fmt.Sprintf(", %.1f MB/s", float64(p.bytes)/seconds/1e6)
		}
		if left := p.total - p.done; left > 0 {
			text += fmt.Sprintf(", %s left", time.Duration(float64(left)/float64(p.done)*seconds*float64(time.Second)).Round(time.Second))
		}
	}
	return text
}
