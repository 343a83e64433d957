package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"triton-gateway/internal/fault"
)

// Config says what may be fetched. All fields but Hosts, Allow and Resolver are needed.
type Config struct {
	Hosts     []string       // names that may be asked, such as images.example.com or *.example.com; none: all
	Allow     []netip.Prefix // networks that may be asked though they are private
	Ports     []int          // that may be asked
	Bytes     int64          // the largest file
	Timeout   time.Duration  // of one file, from the look-up of its name to its last byte
	Redirects int            // that are followed
	Parallel  int            // files at one time
	Resolver  *net.Resolver  // nil: the system's
}

const (
	mostHeader = 32 << 10        // bytes of an answer's header
	patience   = time.Second     // that a file waits for its turn
	handshake  = 5 * time.Second // of TLS, and of the connection
	userAgent  = "triton-gateway"
)

// Fetcher gets files. It is safe for concurrent use, and keeps no connection, no cookie and no answer.
type Fetcher struct {
	Config
	guard *Guard
	turns chan struct{}
}

// New makes a fetcher.
func New(c Config) *Fetcher {
	return &Fetcher{Config: c, guard: NewGuard(c.Allow, c.Ports, "fetch.ports"), turns: make(chan struct{}, c.Parallel)}
}

// Get asks for a file. read is called once with the announced size, -1 where there is none, and the bytes; the reader gives an error once they are more than
// Bytes, or when the time is over. What read returns is returned as it is, unless the reader had failed.
//
// Errors: Invalid invalid_request for a URL that cannot be asked, Invalid url_not_fetched for everything that depends on what is at the URL, so that nothing can be
// learnt about the network around this machine, TooLarge body_too_large, Busy queue_full, and those of ctx's end.
func (f *Fetcher) Get(ctx context.Context, text string, read func(size int64, body io.Reader) error) error {
	u, err := f.guard.URL(text)
	if err != nil {
		return fault.New(fault.Invalid, "invalid_request", "the URL %s", err)
	}
	if !hosts(f.Hosts).has(u.Hostname()) {
		return fault.New(fault.Invalid, "invalid_request", "pictures may not be fetched from this host; allowed are those of fetch.hosts")
	}
	leave, err := f.turn(ctx)
	if err != nil {
		return err
	}
	defer leave()
	limited, cancel := context.WithTimeout(ctx, f.Timeout)
	defer cancel()
	err = f.get(limited, u, read)
	var known *fault.Error
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return fault.Ended(ctx.Err(), "while a picture was fetched")
	case errors.As(err, &known) && known.Kind != fault.Forbidden:
		return err
	}
	return notFetched(err)
}

// notFetched is one text for a name that is not known, an address that may not be called, a port that is closed, an answer that is late or none of HTTP.
func notFetched(cause error) error {
	return fault.New(fault.Invalid, "url_not_fetched", "the picture cannot be fetched from its URL: it has to be at a public address and be answered in time, with status 200 and without a coding; send its bytes instead").Wrap(cause)
}

// turn waits a moment for others to finish.
func (f *Fetcher) turn(ctx context.Context) (leave func(), err error) {
	leave = func() { <-f.turns }
	select {
	case f.turns <- struct{}{}:
		return leave, nil
	default:
	}
	late := time.NewTimer(patience)
	defer late.Stop()
	select {
	case f.turns <- struct{}{}:
		return leave, nil
	case <-ctx.Done():
		return nil, fault.Ended(ctx.Err(), "while a picture waited to be fetched")
	case <-late.C:
		return nil, fault.New(fault.Busy, "queue_full", "too many pictures are being fetched at this moment; come again in a second, or raise fetch.parallel").After(time.Second)
	}
}

func (f *Fetcher) get(ctx context.Context, u *url.URL, read func(size int64, body io.Reader) error) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	r.Header.Set("User-Agent", userAgent)
	r.Header.Set("Accept", "image/jpeg, image/png, image/webp")
	r.Header.Set("Accept-Encoding", "identity")
	transport := f.transport()
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport, CheckRedirect: f.redirect}
	answer, err := client.Do(r)
	if err != nil {
		return err
	}
	defer func() { _ = answer.Body.Close() }()
	coding := answer.Header.Get("Content-Encoding")
	switch {
	case answer.StatusCode != http.StatusOK:
		return fmt.Errorf("status %d", answer.StatusCode)
	case coding != "" && coding != "identity":
		return fmt.Errorf("Content-Encoding %q", coding)
	case answer.ContentLength > f.Bytes:
		return f.tooLarge()
	}
	in := &capped{Reader: answer.Body, left: f.Bytes, tooLarge: f.tooLarge}
	err = read(answer.ContentLength, in)
	if in.failed != nil {
		return in.failed
	}
	return err
}

// transport is for one file: nothing is left of it afterwards. It has no proxy, which would resolve names by itself, and no HTTP/2.
func (f *Fetcher) transport() *http.Transport {
	dialer := &net.Dialer{Timeout: min(handshake, f.Timeout), Control: f.guard.Control, Resolver: f.Resolver}
	return &http.Transport{
		DialContext: dialer.DialContext, DisableKeepAlives: true, DisableCompression: true,
		TLSHandshakeTimeout: min(handshake, f.Timeout), ResponseHeaderTimeout: f.Timeout, MaxResponseHeaderBytes: mostHeader,
	}
}

// redirect decides whether one is followed: to a URL that could have been named at once, and not from https to http. The place that it comes from is not told.
func (f *Fetcher) redirect(next *http.Request, before []*http.Request) error {
	if len(before) > f.Redirects {
		return fmt.Errorf("more than %d redirects", f.Redirects)
	}
	u, err := f.guard.URL(next.URL.String())
	switch {
	case err != nil:
		return err
	case !hosts(f.Hosts).has(u.Hostname()):
		return errors.New("a redirect to a host that is not allowed")
	case next.URL.Scheme == "http" && before[len(before)-1].URL.Scheme == "https":
		return errors.New("a redirect from https to http")
	}
	next.Header.Del("Referer")
	next.Header.Del("Cookie")
	return nil
}

func (f *Fetcher) tooLarge() error {
	return fault.New(fault.TooLarge, "body_too_large", "the picture at the URL is larger than %d bytes; use a smaller one, or raise fetch.bytes", f.Bytes)
}

// capped ends with an error after so many bytes. It keeps the first failure, apart from the end.
type capped struct {
	io.Reader
	left     int64
	tooLarge func() error
	failed   error
}

// Read implements io.Reader.
func (c *capped) Read(b []byte) (int, error) {
	if c.failed != nil {
		return 0, c.failed
	}
	n, err := c.Reader.Read(b)
	if c.left -= int64(n); c.left < 0 {
		c.failed = c.tooLarge()
		return 0, c.failed
	}
	if err != nil && !errors.Is(err, io.EOF) {
		c.failed = err
	}
	return n, err
}
