package bundle

import "strings"

// kind says what an entry is for, which decides its place and its limit.
type kind uint8

const (
	kindManifest kind = iota
	kindModel
	kindData
	kindText
	kindSignature
)

// longestName is the length of the longest name that kindOf accepts:
// "vectors/", 64 bytes, ".jsonl".
const longestName = 8 + 64 + 6

// kindOf returns the kind of an entry name, or false for a name that no bundle
// may hold. Variable parts are lower-case ASCII without dots, so that no name
// escapes its folder or collides on a file system that folds case.
func kindOf(name string) (kind, bool) {
	switch name {
	case ManifestName:
		return kindManifest, true
	case BackgroundName:
		return kindData, true
	case CardTextName, CardName, SBOMName, ProvenanceName, LicenseName, NoticeName:
		return kindText, true
	case SignatureName:
		return kindSignature, true
	}
	for _, p := range []struct {
		folder, suffix string
		kind           kind
	}{
		{"model/", ".bin", kindModel},
		{"pre/", ".json", kindData},
		{"attack/", ".json", kindData},
		{"vectors/", ".jsonl", kindData},
	} {
		if stem, ok := strings.CutPrefix(name, p.folder); ok {
			if stem, ok = strings.CutSuffix(stem, p.suffix); ok {
				return p.kind, isStem(stem)
			}
		}
	}
	return 0, false
}

// minorOf returns the minor version of the format that a name came with.
func minorOf(name string) int {
	if name == SBOMName || name == ProvenanceName {
		return 1
	}
	return 0
}

// isStem reports whether s is 1 to 64 bytes of a-z, 0-9, '_' and '-'.
func isStem(s string) bool {
	if len(s) < 1 || len(s) > 64 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' && c != '-' {
			return false
		}
	}
	return true
}

// rank orders names within a container: manifest.json, the rest, model.sig.
func rank(name string) int {
	switch name {
	case ManifestName:
		return 0
	case SignatureName:
		return 2
	}
	return 1
}

// before reports whether entry a stands before entry b.
func before(a, b string) bool {
	if ra, rb := rank(a), rank(b); ra != rb {
		return ra < rb
	}
	return a < b
}
