package servercert

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Interval is how often the files are read: a changed certificate is in use after that time at the latest.
const Interval = 5 * time.Second

// Certificates are what one listener presents, and asks of clients. They are safe for concurrent use. Close them.
type Certificates struct {
	files Files
	log   *slog.Logger
	now   func() time.Time

	current atomic.Pointer[served]

	mu      sync.Mutex
	seen    content // what was read last; only its digest counts
	stale   bool    // and could not be used
	taken   uint64
	refused uint64

	stop chan struct{}
	done chan struct{}
}

// served is a content in use.
type served struct {
	*content
	config *tls.Config
}

// Stats are the figures of one listener.
type Stats struct {
	NotBefore, NotAfter time.Time // when the whole chain that is in use is valid
	Taken, Refused      uint64    // changes of the files since the start
	Stale               bool      // the files hold something else than what is in use, and it cannot be used
}

// Open reads the files, and reads them again each Interval until Close. The error tells all that is wrong with them. log is told what is taken and refused.
func Open(f Files, log *slog.Logger) (*Certificates, error) { return open(f, log, time.Now) }

func open(f Files, log *slog.Logger, now func() time.Time) (*Certificates, error) {
	read, faults := f.read()
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	c := &Certificates{files: f, log: log, now: now, seen: *read, stop: make(chan struct{}), done: make(chan struct{})}
	for _, text := range read.warnings(now()) {
		log.Warn("certificate: " + text)
	}
	c.use(read)
	go c.watch()
	return c, nil
}

// Close ends the reading. Connections and handshakes go on with what is in use.
func (c *Certificates) Close() error {
	close(c.stop)
	<-c.done
	return nil
}

func (c *Certificates) watch() {
	defer close(c.done)
	tick := time.NewTicker(Interval)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			c.Look()
		case <-c.stop:
			return
		}
	}
}

// Look reads the files now, and takes them if they have changed and can be used.
func (c *Certificates) Look() {
	c.mu.Lock()
	defer c.mu.Unlock()
	read, faults := c.files.read()
	if read.digest == c.seen.digest {
		return
	}
	c.seen.digest = read.digest
	now, before := c.now(), c.current.Load()
	if len(faults) == 0 && read.expired(now) && !before.expired(now) {
		_, to := read.window()
		faults = []error{fmt.Errorf("cert: %s expired on %s", c.files.Cert, to.UTC().Format(time.RFC3339))}
	}
	_, until := before.window()
	if len(faults) > 0 {
		c.stale = true
		c.refused++
		c.log.Error("the files of the certificate have changed and cannot be used; what was read before stays in use", "error", errors.Join(faults...), "in_use_until", until.UTC())
		return
	}
	c.stale = false
	if read.digest == before.digest { // back to what it was
		return
	}
	c.taken++
	c.use(read)
	_, until = read.window()
	c.log.Info("a new certificate is in use", "subject", read.chain[0].Subject.String(), "until", until.UTC())
	for _, text := range read.warnings(now) {
		c.log.Warn("certificate: " + text)
	}
}

func (c *Certificates) use(read *content) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{read.pair}}
	if read.clients != nil {
		config.ClientAuth, config.ClientCAs = tls.RequireAndVerifyClientCert, read.clients
		// A resumed session is not verified again by every version of TLS: whoever has a ticket would come in after its authority was taken away.
		config.SessionTicketsDisabled = true
	}
	c.current.Store(&served{read, config})
}

// Config is for a listener whose clients choose one of protocols by ALPN; each handshake takes what is in use at that moment.
func (c *Certificates) Config(protocols ...string) *tls.Config {
	type derived struct {
		from   *served
		config *tls.Config
	}
	var last atomic.Pointer[derived]
	return &tls.Config{
		MinVersion: tls.VersionTLS12, NextProtos: protocols,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			now, d := c.current.Load(), last.Load()
			if d == nil || d.from != now { // two handshakes may both make one, which is alike
				config := now.config.Clone()
				config.NextProtos = protocols
				d = &derived{now, config}
				last.Store(d)
			}
			return d.config, nil
		},
	}
}

// Leaf is the server's own certificate that is in use.
func (c *Certificates) Leaf() *x509.Certificate { return c.current.Load().chain[0] }

// Stats gives the figures.
func (c *Certificates) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	s := Stats{Taken: c.taken, Refused: c.refused, Stale: c.stale}
	s.NotBefore, s.NotAfter = c.current.Load().window()
	return s
}
