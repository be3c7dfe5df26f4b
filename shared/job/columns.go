package job

// Proposal is a guess of what the columns of a file mean, for a person to
// confirm or change.
type Proposal struct {
	Format  string          `json:"format"` // "CSV, 24 columns"
	Schema  string          `json:"schema"` // of the fields, as [Bundle.Schema]
	Rows    int             `json:"rows"`   // that were looked at
	Fields  []ProposedField `json:"fields"` // all of the schema, in order
	Columns []SeenColumn    `json:"columns"`
}

// ProposedField is the guess for one field of the schema.
type ProposedField struct {
	Field  string `json:"field"`
	Unit   string `json:"unit,omitempty"`
	IsText bool   `json:"isText,omitempty"`
	Needed bool   `json:"needed,omitempty"` // a feature of the bundle is made from it
	Column string `json:"column,omitempty"` // "" when no column fits
	// Confidence is an order of preference in [0,1] and no probability.
	Confidence float64  `json:"confidence,omitempty"`
	Factor     float64  `json:"factor"`        // number in the column x Factor = number in Unit; 1 for texts
	Why        []string `json:"why,omitempty"` // the evidence, a phrase each
}

// SeenColumn is a column of the file with up to three different values of it.
type SeenColumn struct {
	Column  string   `json:"column"`
	Samples []string `json:"samples,omitempty"`
}

// Profile says what the columns of a file mean. Text is its one spelling as a
// file, which is also what [Options.Profile] takes.
type Profile struct {
	Text   string         `json:"text,omitempty"`
	Name   string         `json:"name"`
	Schema string         `json:"schema"`
	Fields []ProfileField `json:"fields"`
}

// ProfileField says where a field comes from: a column, or a constant when
// Column is "".
type ProfileField struct {
	Field    string  `json:"field"`
	Column   string  `json:"column,omitempty"`
	Factor   float64 `json:"factor,omitempty"` // 0 means 1
	Number   float64 `json:"number,omitempty"` // constant of a number field
	Constant string  `json:"constant,omitempty"`
}

// Key is a public key as people compare it.
type Key struct {
	Name        string `json:"name"`
	Fingerprint string `json:"fingerprint"` // 64 hex digits
}

// A Mapper is a [Scorer] that helps with columns nobody knows.
type Mapper interface {
	Scorer
	// Propose looks at the start of f and proposes columns for the fields that
	// the loaded bundle reads. It is independent of the file that Score read.
	Propose(f File) (Proposal, error)
	// Profile returns p whole: read from Text when that is set, with Text
	// otherwise. A profile that makes no sense is a [*Failure].
	Profile(p Profile) (Profile, error)
}

// A Keeper is a [Scorer] to which keys can be given.
type Keeper interface {
	Scorer
	// Keys reads public keys in PEM. With trust they verify the bundles that
	// are loaded from then on.
	Keys(pem []byte, trust bool) ([]Key, error)
}

// keyring is a request for Keys.
type keyring struct {
	PEM   []byte `json:"pem"`
	Trust bool   `json:"trust"`
}

// errUnable answers what a scorer has no method for.
func errUnable(what string) error { return Failf("protocol", "", "this scorer cannot %s", what) }

// columns answers the requests of this file and reports whether e is one.
func (v *server) columns(m Message, e envelope) (bool, error) {
	switch e.kind {
	case kindPropose:
		s, ok := v.scorer.(Mapper)
		switch {
		case !ok:
			return true, v.fail(e.id, errUnable("propose columns"))
		case m.File == nil:
			return true, v.fail(e.id, Failf("protocol", "", "proposal request without a file"))
		}
		p, err := s.Propose(m.File)
		return true, v.answer(kindProposal, e.id, p, err)
	case kindProfile:
		s, ok := v.scorer.(Mapper)
		if !ok {
			return true, v.fail(e.id, errUnable("read profiles"))
		}
		var p Profile
		if err := decodeJSON(e.body, &p); err != nil {
			return true, v.fail(e.id, err)
		}
		p, err := s.Profile(p)
		return true, v.answer(kindProfiled, e.id, p, err)
	case kindKeys:
		s, ok := v.scorer.(Keeper)
		if !ok {
			return true, v.fail(e.id, errUnable("read keys"))
		}
		var k keyring
		if err := decodeJSON(e.body, &k); err != nil {
			return true, v.fail(e.id, err)
		}
		keys, err := s.Keys(k.PEM, k.Trust)
		return true, v.answer(kindKeyed, e.id, keys, err)
	}
	return false, nil
}

// Propose asks what the columns of f may mean to the loaded bundle.
func (c *Client) Propose(f File) (Proposal, error) {
	var p Proposal
	err := c.ask(func(id uint32) Message {
		m := seal(kindPropose, id, nil)
		m.File = f
		return m
	}, kindProposal, &p, nil, nil)
	return p, err
}

// Profile reads p.Text, or writes it when it is "", and returns all of p.
func (c *Client) Profile(p Profile) (Profile, error) {
	var out Profile
	err := c.ask(func(id uint32) Message { return sealJSON(kindProfile, id, p) }, kindProfiled, &out, nil, nil)
	return out, err
}

// Keys reads public keys in PEM; with trust they verify the bundles that are
// loaded from then on.
func (c *Client) Keys(pem []byte, trust bool) ([]Key, error) {
	var keys []Key
	err := c.ask(func(id uint32) Message { return sealJSON(kindKeys, id, keyring{pem, trust}) }, kindKeyed, &keys, nil, nil)
	return keys, err
}

// Column returns what was seen of a column, nil if the file has none of that
// name.
func (p *Proposal) Column(name string) *SeenColumn {
	for i := range p.Columns {
		if p.Columns[i].Column == name {
			return &p.Columns[i]
		}
	}
	return nil
}
