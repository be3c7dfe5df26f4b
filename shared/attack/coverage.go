package attack

import "slices"

// Coverage is how much of one tactic a set of techniques reaches.
type Coverage struct {
	Tactic Tactic
	// Covered are the distinct current ids of the set that serve the tactic,
	// ascending.
	Covered []string
	// Total is the number of techniques and sub-techniques of the tactic.
	Total int
}

// Cover returns the coverage of every tactic in matrix order by the
// techniques in ids, and the ids that stand for no technique of this
// release, in the order given. Obsolete ids count as what they became; an id
// that serves several tactics counts in each; a sub-technique does not cover
// its parent. It costs one pass over the matrix.
func Cover(ids []string) (tactics []Coverage, unknown []string) {
	set := make(map[string]bool, len(ids))
	for _, id := range ids {
		if now, ok := Current(id); ok {
			set[now] = true
		} else {
			unknown = append(unknown, id)
		}
	}
	for _, t := range Tactics() {
		tactics = append(tactics, Coverage{Tactic: t})
	}
	for technique := range Techniques() {
		for _, id := range technique.Tactics {
			i := slices.IndexFunc(tactics, func(c Coverage) bool { return c.Tactic.ID == id })
			tactics[i].Total++
			if set[technique.ID] {
				tactics[i].Covered = append(tactics[i].Covered, technique.ID)
			}
		}
	}
	return tactics, unknown
}
