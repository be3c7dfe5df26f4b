package attack

// ParseTable and ParseLabels let tests read tables other than those compiled
// in: cycles, cut lines, duplicates.
var (
	ParseTable  = parseTable
	ParseLabels = parseLabels
)

// Current is the lookup that the exported function makes in the compiled-in
// table.
func (t *table) Current(id string) (string, bool) { return t.current(id) }

// LabelTable returns the compiled-in map by key.
func LabelTable() map[string]Mapping { return labels() }
