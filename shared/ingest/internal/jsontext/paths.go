package jsontext

// Paths are the members of an object that a reader wants. It is not safe for
// concurrent use.
type Paths struct {
	cell  map[string]int
	inner map[string]bool // proper prefixes that end before a dot
	path  []byte
	spare []byte
}

// NewPaths returns the paths of names; of equal names the last counts.
func NewPaths(names []string) *Paths {
	p := &Paths{cell: make(map[string]int, len(names)), inner: map[string]bool{}}
	for i, name := range names {
		p.cell[name] = i
		for k := range len(name) {
			if name[k] == '.' {
				p.inner[name[:k]] = true
			}
		}
	}
	return p
}

// Extract sets cells[i] to the text of the member at names[i] of obj, and to
// nil where there is none or it is null. A string's text has its escapes
// resolved and no quotes, an array's or object's is its JSON. Of repeated
// members the last counts. Cells are valid until the next call and while obj
// is. The error is [ErrSyntax].
func (p *Paths) Extract(obj []byte, cells [][]byte) error {
	clear(cells)
	p.path = p.path[:0]
	if cap(p.spare) < len(obj) {
		p.spare = make([]byte, 0, len(obj)) // cells point into it: it must not move
	}
	p.spare = p.spare[:0]
	return p.object(obj, cells)
}

func (p *Paths) object(obj []byte, cells [][]byte) error {
	prefix := len(p.path)
	return Members(obj, func(key []byte, kind Kind, text []byte) error {
		p.path = p.path[:prefix]
		if prefix > 0 {
			p.path = append(p.path, '.')
		}
		p.path = Unquote(p.path, key)
		if i, ok := p.cell[string(p.path)]; ok {
			cells[i] = p.text(kind, text)
		}
		if kind == Object && p.inner[string(p.path)] {
			return p.object(text, cells)
		}
		return nil
	})
}

func (p *Paths) text(kind Kind, text []byte) []byte {
	switch kind {
	case Null:
		return nil
	case String:
		for _, c := range text {
			if c == '\\' {
				from := len(p.spare)
				p.spare = Unquote(p.spare, text)
				return p.spare[from:len(p.spare):len(p.spare)]
			}
		}
	}
	return text
}

// Names calls add with the path of each member of obj that is no object, in
// order, to the given depth. It stops when add returns false.
func Names(obj []byte, depth int, add func(path string, kind Kind) bool) error {
	_, err := names(obj, "", depth, add)
	return err
}

func names(obj []byte, prefix string, depth int, add func(string, Kind) bool) (more bool, err error) {
	more = true
	err = Members(obj, func(key []byte, kind Kind, text []byte) error {
		path := prefix + string(Unquote(nil, key))
		switch {
		case !more:
		case kind == Object && depth > 1:
			var err error
			more, err = names(text, path+".", depth-1, add)
			return err
		case kind != Object:
			more = add(path, kind)
		}
		return nil
	})
	return more, err
}
