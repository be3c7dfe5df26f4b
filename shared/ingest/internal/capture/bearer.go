package capture

import "slices"

// maxBearers bounds what is remembered of GTP-U.
const (
	maxBearers = 1 << 15
	maxAsked   = 64 // TEIDs that wait for the answer to one flow
)

// bearers finds out which two TEIDs of GTP-U are the two directions of one
// tunnel. Only the control plane says so, which a capture of users' packets
// lacks, so it is learnt from the packets inside: two TEIDs, one towards each
// end, that carry the two directions of one flow belong together; of several
// that could, the one that has waited for longest. A TEID without an answer is
// a bearer of its own, and flows that went one way until then are cut when the
// answer comes. So two users with equal addresses have flows of their own.
//
// At most maxBearers TEIDs and as many open questions are remembered; with one
// more all are forgotten, and flows that go on are cut there.
type bearers struct {
	ends map[hash]*teid    // by end and TEID
	open map[asked][]*teid // one-way flows, and which TEIDs without a partner carry them
}

// asked is one direction of a flow inside the tunnels between two ends.
type asked struct {
	key     Key
	reverse bool
}

// teid is one end of a tunnel.
type teid struct {
	bearer uint64
	paired bool
}

// join returns what tells the bearer of p, a packet inside GTP-U, from others:
// never 0, and the same for both directions.
func (b *bearers) join(p *Packet) uint64 {
	if b.ends == nil || len(b.ends) >= maxBearers || len(b.open) >= maxBearers {
		b.ends, b.open = map[hash]*teid{}, map[asked][]*teid{}
	}
	name := startHash.number(p.Key.Tunnel).end(&p.Outer.To).number(uint64(p.Outer.ID))
	end := b.ends[name]
	if end == nil {
		end = &teid{bearer: max(uint64(name), 1)}
		b.ends[name] = end
	}
	if end.paired {
		return end.bearer
	}
	answered := asked{p.Key, !p.Reverse}
	for i, other := range b.open[answered] {
		if !other.paired && other != end {
			end.bearer, end.paired, other.paired = other.bearer, true, true
			b.open[answered] = b.open[answered][i+1:]
			return end.bearer
		}
	}
	here := asked{p.Key, p.Reverse}
	if list := b.open[here]; len(list) < maxAsked && !slices.Contains(list, end) {
		b.open[here] = append(list, end)
	}
	return end.bearer
}
