package bundle

import "fmt"

// Limits bounds what a bundle may hold. A field that is 0 means its default;
// there is no unlimited. A negative field is an error of [Open], [Decode] and
// [Encode].
type Limits struct {
	File      int64 // bytes of the whole file; 64 MiB
	Entries   int   // entries, manifest.json and model.sig included; 64
	Manifest  int64 // bytes of manifest.json; 1 MiB
	Model     int64 // bytes of each model/*.bin; 48 MiB
	Data      int64 // bytes of each pre/*, explain/*, attack/*, vectors/*; 16 MiB
	Text      int64 // bytes of CARD.md, card.json, sbom.cdx.json, provenance.intoto.json, LICENSE, NOTICE each; 1 MiB
	Signature int64 // bytes of model.sig; 64 KiB
}

// The container has 32-bit sizes and 16-bit counts; larger limits than these
// are cut to what it can hold.
const (
	maxFile    = 1<<32 - 1 // ZIP without ZIP64 extensions, 4.4.8
	maxEntries = 1<<16 - 2 // ZIP without ZIP64 extensions, 4.4.21
)

// withDefaults returns l with its zero fields replaced.
func (l Limits) withDefaults() (Limits, error) {
	for _, f := range []struct {
		name     string
		value    *int64
		fallback int64
	}{
		{"File", &l.File, 64 << 20},
		{"Manifest", &l.Manifest, 1 << 20},
		{"Model", &l.Model, 48 << 20},
		{"Data", &l.Data, 16 << 20},
		{"Text", &l.Text, 1 << 20},
		{"Signature", &l.Signature, 64 << 10},
	} {
		if *f.value < 0 {
			return l, fmt.Errorf("bundle: limit %s is negative: %d", f.name, *f.value)
		}
		if *f.value == 0 {
			*f.value = f.fallback
		}
		*f.value = min(*f.value, maxFile)
	}
	if l.Entries < 0 {
		return l, fmt.Errorf("bundle: limit Entries is negative: %d", l.Entries)
	}
	if l.Entries == 0 {
		l.Entries = 64
	}
	l.Entries = min(l.Entries, maxEntries)
	return l, nil
}

// checkEntry returns a LimitError if an entry of this name may not have size
// bytes. The name must have passed kindOf.
func (l Limits) checkEntry(name string, size int64) error {
	var limit int64
	switch k, _ := kindOf(name); k {
	case kindManifest:
		limit = l.Manifest
	case kindModel:
		limit = l.Model
	case kindData:
		limit = l.Data
	case kindText:
		limit = l.Text
	case kindSignature:
		limit = l.Signature
	}
	if size > limit {
		return &LimitError{name, limit, size}
	}
	return nil
}
