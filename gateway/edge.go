package gateway

import (
	"net/http"
	"time"

	"triton-gateway/internal/edge"
)

const (
	// askedAfter is how long a connection of HTTP/2 may be silent before it is asked whether it still lives, and answered within how long it has to.
	askedAfter     = 30 * time.Second
	answeredWithin = 15 * time.Second
)

// doors are those of the listeners: what happens at the public ones leaves the admin listener free.
type doors struct {
	counts        edge.Counts
	public, admin *edge.Door
}

func newDoors(l *Limits) *doors {
	d := new(doors)
	limits := edge.Limits{Connections: l.Connections, PerAddress: l.PerAddress, Rate: edge.Rate(l.BodyRate)}
	d.public, d.admin = edge.NewDoor(limits, &d.counts), edge.NewDoor(limits, &d.counts)
	return d
}

// of is the door of a listener, by the setting of its address.
func (d *doors) of(setting string) *edge.Door {
	if setting == "listen.admin" {
		return d.admin
	}
	return d.public
}

// guard has a server of the standard library tell its door what its connections do, and bounds what it lets clients of HTTP/2 do.
func guard(s *http.Server, door *edge.Door) {
	s.Handler = door.Calls(s.Handler)
	s.ConnState, s.ConnContext = door.State, door.Context
	s.HTTP2 = &http.HTTP2Config{
		MaxConcurrentStreams: mostStreams, SendPingTimeout: askedAfter, PingTimeout: answeredWithin, WriteByteTimeout: edge.Slack,
	}
}

// readings are what the doors count.
func (d *doors) readings() []reading {
	var cut []labelled
	d.counts.Each(func(r edge.Reason, n uint64) { cut = append(cut, labelled{float64(n), []string{r.String()}}) })
	return []reading{
		{"gateway_connections", "Connections that are open, by listener: public is HTTP and gRPC.", []string{"listener"}, false,
			[]labelled{{float64(d.public.Open()), []string{"public"}}, {float64(d.admin.Open()), []string{"admin"}}}},
		{"gateway_cut_off_total", "Clients that were cut off: connections, requests and calls, by reason; see [hostile clients](guide/hostile-clients.md).", []string{"reason"}, true, cut},
	}
}
