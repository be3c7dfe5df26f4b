package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"

	"cloister/shared/sign"
)

// Edge is a connection to an edge deployment, which stores bundles and one
// signed channel. It is safe for concurrent use.
type Edge struct{ c *Client }

// NewEdge returns a client of the deployment at base. The address is https
// unless it is this machine's: the token would go out in the clear.
func NewEdge(base string, o Options) (*Edge, error) {
	c, err := New(base, o)
	if err != nil {
		return nil, err
	}
	host := c.base.Hostname()
	if c.base.Scheme != "https" && host != "localhost" && !net.ParseIP(host).IsLoopback() {
		return nil, fmt.Errorf("%.64q: want an https address: the token would go out in the clear", base)
	}
	return &Edge{c}, nil
}

// Channel returns the channel that is published, nil without one.
func (e *Edge) Channel(ctx context.Context) ([]byte, error) {
	text, err := e.c.bytes(ctx, "channel.json", sign.MaxSize)
	if no, ok := errors.AsType[*Error](err); ok && no.Status == http.StatusNotFound {
		return nil, nil
	}
	return text, err
}

// ChannelMinor returns the highest minor version of channels that the
// deployment reads; one before 1.3.0 does not say and reads 0.
func (e *Edge) ChannelMinor(ctx context.Context) (int, error) {
	v, err := answer[struct {
		ChannelMinor int `json:"channel_minor"`
	}](ctx, e.c, http.MethodGet, "version", nil, nil, true)
	return v.ChannelMinor, err
}

// Publish makes a signed channel the current one. It is not tried again when
// the answer is lost: a version is published once.
func (e *Edge) Publish(ctx context.Context, channel []byte) error {
	return e.put(ctx, "channel.json", bytesBody("application/json", channel), false)
}

// Store stores a bundle at a path, name/version/sha256.bundle. It may be
// called twice.
func (e *Edge) Store(ctx context.Context, path string, file []byte) error {
	return e.put(ctx, "bundles/"+path, bytesBody("application/zip", file), true)
}

func (e *Edge) put(ctx context.Context, path string, b *body, safe bool) error {
	res, err := e.c.do(ctx, http.MethodPut, path, nil, b, safe)
	if err != nil {
		return err
	}
	return res.Body.Close()
}

// Bundle returns the bundle that is stored at a path, whose bytes have the
// digest in it.
func (e *Edge) Bundle(ctx context.Context, path string) ([]byte, error) {
	return e.c.bundleAt(ctx, "bundles/", path)
}
