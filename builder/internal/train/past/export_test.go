package past

// Keys returns how many keys c remembers.
func Keys(c *Counter) int { return len(c.keys) }
