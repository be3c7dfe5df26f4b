package feature

// ContextKeys returns how many keys c remembers.
func ContextKeys(c *Context) int { return len(c.keys) }
