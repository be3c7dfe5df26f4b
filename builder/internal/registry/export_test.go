package registry

import "context"

// Claim leases a job as a worker does that then dies.
func (r *Registry) Claim(ctx context.Context, owner string) (Job, error) { return r.claim(ctx, owner) }

// Wrap is wrap.
var Wrap = wrap
