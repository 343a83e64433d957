package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/gin-gonic/gin"

	"triton-gateway/gateway/audit"
	"triton-gateway/internal/caller"
)

// The actions that the audit log knows.
const (
	actPurge  = "cache.purge"
	actReload = "models.reload"
	actRetry  = "job.retry"
	actPut    = "route.put"
	actDelete = "route.delete"
	actLoad   = "model.load"
	actUnload = "model.unload"
)

// actionOf is the action that a request over HTTP asks for, and on what; "" where it is none of an operator.
func actionOf(method, path string) (action, target string) {
	switch method {
	case http.MethodGet, http.MethodHead:
		return "", ""
	}
	between := func(head, tail string) (name string, ok bool) {
		if name, ok = strings.CutPrefix(path, head); ok {
			name, ok = strings.CutSuffix(name, tail)
		}
		return name, ok && name != "" && !strings.Contains(name, "/")
	}
	switch {
	case method == http.MethodDelete && path == "/v1/cache":
		return actPurge, ""
	case method == http.MethodPost && path == "/v1/reload":
		return actReload, ""
	}
	for _, k := range [...]struct{ method, head, tail, action string }{
		{http.MethodPost, "/v1/jobs/", "/retry", actRetry}, {http.MethodPost, "/v1/routes/", "/rollback", actRollback}, {http.MethodPost, "/v1/routes/", "/promote", actPromote}, {http.MethodPost, "/v1/routes/", "/pause", actPause}, {http.MethodPost, "/v1/routes/", "/resume", actResume},
		{http.MethodPost, "/v1/models/", "/switch", actSwitch}, {http.MethodDelete, "/v1/models/", "/switch", actUnpin}, {http.MethodPost, "/v1/models/", "/switch/rollback", actSwitchBack}, {http.MethodPost, "/v1/models/", "/switch/settle", actSettle},
		{http.MethodPut, "/v1/routes/", "", actPut}, {http.MethodDelete, "/v1/routes/", "", actDelete},
		{http.MethodPost, "/v2/repository/models/", "/load", actLoad}, {http.MethodPost, "/v2/repository/models/", "/unload", actUnload},
	} {
		if name, ok := between(k.head, k.tail); ok && method == k.method {
			return k.action, name
		}
	}
	return "", ""
}

// openAudit opens the audit log.
func (g *Gateway) openAudit() (auditor, error) {
	l, err := audit.Open(g.config.AuditLog, g.log, time.Now)
	if err != nil {
		return auditor{}, bad("audit_log: %w", err)
	}
	g.onClose(l.Close)
	return auditor{l}, nil
}

// auditor notes actions with who asks for them.
type auditor struct{ log *audit.Log }

// Begin notes that something is about to be done; see audit.Log.Begin. address is where a call over gRPC comes from, "" for HTTP, where the context knows.
func (a auditor) Begin(ctx context.Context, action, target, address string) (done func(error), err error) {
	if a.log == nil {
		return func(error) {}, nil
	}
	return a.log.Begin(ctx, audit.Act{Action: action, Target: target, Who: whoIs(ctx, address)})
}

// Refused notes that a call over gRPC was not allowed; those over HTTP are noted where they end.
func (a auditor) Refused(ctx context.Context, action, target, address string, why error) {
	if a.log != nil {
		a.log.Refused(ctx, audit.Act{Action: action, Target: target, Who: whoIs(ctx, address)}, audit.Outcome(why))
	}
}

// do runs an action between its two lines.
func (a auditor) do(ctx context.Context, action, target string, do func() error) (err error) {
	done, err := a.Begin(ctx, action, target, "")
	if err != nil {
		return err
	}
	ended := false
	defer func() {
		if !ended { // a panic, which goes on
			done(errPanicked)
		}
	}()
	err = do()
	ended = true
	done(err)
	return err
}

var errPanicked = errors.New("panic")

type whoKey struct{}

// whoIs is who asks: what authentication found, and from where.
func whoIs(ctx context.Context, address string) audit.Who {
	w, _ := ctx.Value(whoKey{}).(audit.Who)
	if address != "" {
		w.Address = address
	}
	if c := caller.From(ctx); c != nil {
		w.Caller, w.Tenant = c.ID, c.Tenant
	}
	return w
}

// noteOrigin has the context of an operator's request know where it comes from. It is a handler before every route's own.
func noteOrigin(c *gin.Context) {
	r := c.Request
	if action, _ := actionOf(r.Method, r.URL.Path); action != "" {
		who := audit.Who{Address: r.RemoteAddr, RequestID: requestID(c)}
		c.Request = r.WithContext(context.WithValue(r.Context(), whoKey{}, who))
	}
}

// auditRefused notes an operator's request that was not allowed. It is called at the end of every request that was not.
func (s *server) auditRefused(st *state, r *http.Request) {
	action, target := actionOf(r.Method, r.URL.Path)
	if action == "" || s.audit.log == nil {
		return
	}
	if target == "" {
		target = st.model
	}
	code := st.code
	if code == "" {
		code = "http_" + s.metrics.code(st.status)
	}
	who := whoIs(r.Context(), r.RemoteAddr)
	who.RequestID = st.id
	if st.who != nil {
		who.Caller, who.Tenant = st.who.ID, st.who.Tenant
	}
	s.audit.log.Refused(r.Context(), audit.Act{Action: action, Target: target, Who: who}, code)
}

// VerifyAudit checks that the lines of an audit log hang together. It gives their number, the hash of the last one, and how many actions have no end.
func VerifyAudit(path string) (lines uint64, last string, open uint64, err error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, "", 0, err
	}
	defer func() { _ = f.Close() }()
	s, err := audit.Verify(io.Reader(f))
	return s.Lines, s.Last, s.Open, err
}
