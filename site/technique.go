package site

import "cloister/shared/attack"

// techniqueName returns the name of a technique as the tables have it now, ""
// if they do not.
func techniqueName(id string) string {
	t, ok := attack.Resolve(id)
	if !ok {
		return ""
	}
	if p, ok := attack.Lookup(t.Parent); ok {
		return p.Name + ": " + t.Name
	}
	return t.Name
}

// techniqueURL is the address of a technique's page. It is shown and copied,
// never followed: the window does not navigate.
func techniqueURL(id string) string {
	if t, ok := attack.Resolve(id); ok {
		return t.URL()
	}
	return ""
}

// obsolete says what an id is called now if it was revoked, else "".
func obsolete(id string) string {
	if now, ok := attack.Current(id); ok && now != id {
		return sayf("called {0} since ATT&CK {1}", now, attack.Version())
	}
	return ""
}

// tacticName is a tactic's name, "" if it is not known.
func tacticName(id string) string {
	t, _ := attack.TacticByID(id)
	return t.Name
}

// tacticText is a tactic's name with its id.
func tacticText(id string) string {
	if t, ok := attack.TacticByID(id); ok {
		return t.Name + " (" + id + ")"
	}
	return id
}
