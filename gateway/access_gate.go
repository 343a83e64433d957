package gateway

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/http"
	"strings"

	"github.com/gin-gonic/gin"
	"github.com/prometheus/client_golang/prometheus"

	"triton-gateway/gateway/auth"
	"triton-gateway/gateway/kserve"
	"triton-gateway/internal/caller"
	"triton-gateway/internal/fault"
)

// authenticator finds who calls; see auth.Auth.
type authenticator interface {
	Caller(ctx context.Context, p auth.Presented) (*caller.Caller, error)
	Known(p auth.Presented) (*caller.Caller, error)
}

// passport is what the guard notes of a request.
type passport struct {
	who    *caller.Caller // nil: nobody was asked
	inside bool           // it came over the admin listener
}

// tenant is that of who was let in; "" where nobody was asked.
func (p *passport) tenant() string {
	if p.who == nil {
		return ""
	}
	return p.who.Tenant
}

// gate lets callers in. nil is that of a gateway that asks nobody who they are.
type gate struct {
	callers authenticator
	refused *prometheus.CounterVec // by reason
}

var _ kserve.Gate = (*gate)(nil)

// lacksScope is the reason of a caller who is known and may not.
const lacksScope = "scope"

// guard is around every route of a listener: it finds who calls, and whether they may, before anything of the body is read.
func (s *server) guard(admin bool) gin.HandlerFunc {
	return func(c *gin.Context) {
		st := stateOf(c)
		st.inside = admin
		err := s.enter(c.Request, st, needOf(c.Request.Method, c.FullPath()), admin)
		if err == nil {
			err = s.classify(c)
		}
		if err != nil {
			s.fail(c, err)
			c.Abort()
		}
	}
}

// enter is guard for one request. It puts the caller into the request's context.
func (s *server) enter(r *http.Request, st *state, n need, admin bool) error {
	if s.gate == nil {
		if n.inside && !admin {
			return adminOnly()
		}
		return nil
	}
	if n = n.on(admin); n.open {
		return nil
	}
	who, err := s.gate.callers.Caller(r.Context(), presented(r))
	if err != nil {
		s.gate.count(err)
		return err
	}
	st.who, st.private = who, true
	// In place: a copy of the request on the heap would cost more than all the rest. Only this goroutine has it.
	*r = *r.WithContext(caller.With(r.Context(), who))
	return s.gate.may(who, n)
}

// adminOnly answers what is for operators, on the public listener of a gateway that asks nobody who they are.
func adminOnly() error {
	return fault.New(fault.Forbidden, "forbidden", "this is answered on the admin listener (listen.admin)")
}

// presented is what a request shows of who calls.
func presented(r *http.Request) auth.Presented {
	p := auth.Presented{Authorization: r.Header["Authorization"], APIKey: r.Header["X-Api-Key"], Certificate: leaf(r.TLS)}
	if p.Authorization == nil && p.APIKey == nil {
		p.APIKey = socketKey(r.Header)
	}
	return p
}

// leaf is the client's certificate, if the listener has verified it.
func leaf(s *tls.ConnectionState) *x509.Certificate {
	if s == nil || len(s.VerifiedChains) == 0 || len(s.VerifiedChains[0]) == 0 {
		return nil
	}
	return s.VerifiedChains[0][0]
}

// may checks the scopes of a caller.
func (g *gate) may(who *caller.Caller, n need) error {
	if n.met(who.Scopes) {
		return nil
	}
	g.refused.WithLabelValues(lacksScope).Inc()
	return lacking(n.scope &^ who.Scopes)
}

// lacking is the error of a caller without scopes.
func lacking(scopes caller.Scopes) error {
	return fault.New(fault.Forbidden, "forbidden", "the key lacks the scope %s; ask the operator for a key that has it", strings.ReplaceAll(scopes.String(), " ", " and "))
}

// count counts a caller who was not let in.
func (g *gate) count(err error) {
	if why := auth.ReasonOf(err); why != "" {
		g.refused.WithLabelValues(string(why)).Inc()
	}
}

// Enter implements kserve.Gate.
func (g *gate) Enter(ctx context.Context, e kserve.Entry) (context.Context, error) {
	p := auth.Presented{Authorization: e.Header("authorization"), APIKey: e.Header("x-api-key"), Certificate: leaf(e.TLS())}
	var who *caller.Caller
	var err error
	if e.Wait {
		who, err = g.callers.Caller(ctx, p)
	} else if who, err = g.callers.Known(p); errors.Is(err, auth.ErrUnsure) {
		return nil, kserve.ErrWait
	}
	if err != nil {
		g.count(err)
		return nil, err
	}
	if err := g.may(who, needOfCall(e.Method).on(e.Admin)); err != nil {
		return nil, err
	}
	return caller.With(ctx, who), nil
}

// Allow implements kserve.Gate.
func (g *gate) Allow(ctx context.Context, method string, admin bool) error {
	who := caller.From(ctx)
	if who == nil { // nothing comes here past the guard
		return fault.New(fault.Unauthenticated, "unauthenticated", "the gateway does not know who calls")
	}
	return g.may(who, needOfCall(method).on(admin))
}

// forKServe is the gate as package kserve asks it; nil stays nil.
func (g *gate) forKServe() kserve.Gate {
	if g == nil {
		return nil
	}
	return g
}

func newRefused() *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "gateway_auth_refused_total",
		Help: "Requests and calls of callers who were not let in: missing (no key), malformed, contradict (two different keys), unknown, expired, bad_token, bad_claims, ambiguous and certificate (of a client certificate), or scope (known, but not allowed to)."},
		[]string{"reason"})
}
