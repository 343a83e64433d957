package edge

import (
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// restedEnough is how long a connection has to be idle to be closed for a new one: a client between two requests is not idle.
const restedEnough = time.Second

// Limits are a door's.
type Limits struct {
	Connections int  // at one time; 0: any number
	PerAddress  int  // of them, of one address, where the first 64 bits of an IPv6 address count as one; 0: any number
	Rate        Rate // at which what is written has to be read
}

// Door lets connections in, and counts them. A connection too many is closed as soon as it is accepted: left waiting in the system's queue it would keep
// everybody behind it waiting too. Where there is one that has been idle, that one is closed instead. It is safe for concurrent use.
type Door struct {
	limits Limits
	counts *Counts

	mu    sync.Mutex
	conns map[*Conn]struct{}
	by    map[netip.Addr]int
}

// NewDoor makes a door for any number of listeners. counts may be nil.
func NewDoor(l Limits, counts *Counts) *Door {
	return &Door{limits: l, counts: counts, conns: map[*Conn]struct{}{}, by: map[netip.Addr]int{}}
}

// Open is how many connections there are.
func (d *Door) Open() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.conns)
}

// Behind gives a listener whose connections have passed the door. They are of type [*Conn].
func (d *Door) Behind(l net.Listener) net.Listener { return &listener{l, d} }

type listener struct {
	net.Listener
	door *Door
}

// Unwrap gives the listener below.
func (l *listener) Unwrap() net.Listener { return l.Listener }

// Accept waits for a connection that is let in.
func (l *listener) Accept() (net.Conn, error) {
	for {
		nc, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if c := l.door.let(nc); c != nil {
			boundUnsent(nc)
			return c, nil
		}
	}
}

// let gives nil for a connection that it has closed.
func (d *Door) let(nc net.Conn) *Conn {
	c := &Conn{Conn: nc, door: d, from: address(nc.RemoteAddr())}
	d.mu.Lock()
	var leaves *Conn
	reason, refused := PerAddress, d.limits.PerAddress > 0 && d.by[c.from] >= d.limits.PerAddress
	if !refused && d.limits.Connections > 0 && len(d.conns) >= d.limits.Connections {
		leaves = d.idlest(time.Now())
		reason, refused = Full, leaves == nil
	}
	if leaves != nil {
		d.forget(leaves)
	}
	if !refused {
		d.conns[c] = struct{}{}
		d.by[c.from]++
	}
	d.mu.Unlock()
	if leaves != nil {
		d.counts.Add(Idle)
		_ = leaves.Close()
	}
	if !refused {
		return c
	}
	d.counts.Add(reason)
	if tcp, ok := nc.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // nothing of it stays, here or in the system
	}
	_ = nc.Close()
	return nil
}

// idlest is the connection that has been idle for longest, nil where none has been for long enough. The caller has mu.
func (d *Door) idlest(now time.Time) (found *Conn) {
	least := now.Add(-restedEnough).UnixNano()
	for c := range d.conns {
		if since := c.idle.Load(); since != 0 && since < least {
			found, least = c, since
		}
	}
	return found
}

// forget has mu.
func (d *Door) forget(c *Conn) {
	if _, known := d.conns[c]; !known {
		return
	}
	delete(d.conns, c)
	if d.by[c.from]--; d.by[c.from] <= 0 {
		delete(d.by, c.from)
	}
}

// State is for [http.Server.ConnState]: it tells the door what a connection does.
func (d *Door) State(nc net.Conn, state http.ConnState) {
	c := connOf(nc)
	if c == nil {
		return
	}
	switch state {
	case http.StateNew:
		c.fresh.Store(true)
	case http.StateIdle:
		c.idle.Store(time.Now().UnixNano())
		c.late.Store(false) // the server interrupts its own reads between requests
	case http.StateActive:
		c.idle.Store(0)
		if c.late.Load() { // the server says so of a request whose header it could not read, too
			d.counts.Add(SlowHeader)
		}
		c.fresh.Store(false)
	case http.StateClosed:
		if c.fresh.Load() && c.late.Load() {
			d.counts.Add(SlowHeader)
		}
	}
}

// connOf finds the door's connection, below TLS too.
func connOf(nc net.Conn) *Conn {
	if encrypted, ok := nc.(interface{ NetConn() net.Conn }); ok {
		nc = encrypted.NetConn()
	}
	c, _ := nc.(*Conn)
	return c
}

// address is what is counted as one client.
func address(a net.Addr) netip.Addr {
	tcp, ok := a.(*net.TCPAddr)
	if !ok {
		return netip.Addr{}
	}
	ip := tcp.AddrPort().Addr().Unmap().WithZone("")
	if ip.Is6() {
		p, _ := ip.Prefix(64) // of 64 bits it has more than enough
		return p.Addr()
	}
	return ip
}
