package sign_test

import (
	"bytes"
	"crypto/elliptic"
	"maps"
	"testing"

	"cloister/shared/bundle"
	"cloister/shared/sign"
)

// sample returns a small manifest and its files.
func sample() (bundle.Manifest, map[string][]byte) {
	return bundle.Manifest{
			MinRuntime: "1.0.0", ID: "flows/1.2.3", Name: "flows", Version: "1.2.3", CreatedAt: "2026-01-02T03:04:05Z",
			Title: "Flows", Description: "Scores flows.", Licenses: []string{"Apache-2.0"}, Task: "classification",
			Config:  bundle.Config{Architecture: "random-forest", Format: "tree-1", Precision: "float64"},
			Schema:  bundle.Schema{Name: "flow", Features: []bundle.Feature{{Name: "duration", Dtype: "float64"}}},
			Labels:  []bundle.Label{{Name: "Benign", Severity: "Informational", Benign: true}},
			Explain: bundle.Explain{BaseValue: []float64{}},
		}, map[string][]byte{
			"model/forest.bin": {1, 2, 3},
			"CARD.md":          []byte("# A card\n"),
		}
}

func encode(t testing.TB, m bundle.Manifest, files map[string][]byte) []byte {
	t.Helper()
	b, err := bundle.Encode(m, files, bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// check opens b and says what becomes of it.
func check(b []byte, keys []sign.Key) (string, error) {
	a, err := bundle.Open(b, bundle.Limits{})
	if err != nil {
		return "refused", err
	}
	trust, err := sign.Check(a, keys)
	return classOf(trust, err), err
}

func TestCheck_states(t *testing.T) {
	private, public := newKey(t, "Example", elliptic.P256())
	stranger, _ := newKey(t, "", elliptic.P256())
	m, files := sample()
	plain := encode(t, m, files)
	a, err := bundle.Open(plain, bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	signature, err := sign.Sign(private, m.Name, a.Digests())
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := sign.Sign(stranger, m.Name, a.Digests())
	if err != nil {
		t.Fatal(err)
	}
	with := func(changes map[string][]byte) []byte {
		all := maps.Clone(files)
		maps.Copy(all, changes)
		maps.DeleteFunc(all, func(_ string, b []byte) bool { return b == nil })
		return encode(t, m, all)
	}
	retitled, _ := sample()
	retitled.Title = "Other"
	signed := with(map[string][]byte{"model.sig": signature})
	tests := []struct {
		name string
		file []byte
		want string
	}{
		{"without signature", plain, "unsigned"},
		{"signed", signed, "verified"},
		{"by a stranger", with(map[string][]byte{"model.sig": foreign}), "unknown key"},
		{"by a stranger in another's name", with(map[string][]byte{"model.sig": bytes.Replace(signature, signature[bytes.Index(signature, []byte(`"sig":"`)):], foreign[bytes.Index(foreign, []byte(`"sig":"`)):], 1)}), "tampered"},
		{"changed model", with(map[string][]byte{"model.sig": signature, "model/forest.bin": {1, 2, 4}}), "tampered"},
		{"changed card", with(map[string][]byte{"model.sig": signature, "CARD.md": []byte("# Another\n")}), "tampered"},
		{"more", with(map[string][]byte{"model.sig": signature, "NOTICE": []byte("x")}), "tampered"},
		{"less", with(map[string][]byte{"model.sig": signature, "CARD.md": nil}), "tampered"},
		{"changed manifest", encode(t, retitled, map[string][]byte{"model.sig": signature, "model/forest.bin": {1, 2, 3}, "CARD.md": []byte("# A card\n")}), "tampered"},
		{"changed and by a stranger", with(map[string][]byte{"model.sig": foreign, "CARD.md": nil}), "tampered"},
		{"empty signature", with(map[string][]byte{"model.sig": {}}), "format"},
		{"garbage", with(map[string][]byte{"model.sig": []byte("{}")}), "format"},
	}
	for _, tt := range tests {
		if got, err := check(tt.file, []sign.Key{public}); got != tt.want {
			t.Errorf("%s: %s, want %s: %v", tt.name, got, tt.want, err)
		}
	}

	// No byte of the file may change, and none may be missing or added.
	tried := 0
	for i := range signed {
		for _, flip := range []byte{0x01, 0x20, 0x80} {
			b := bytes.Clone(signed)
			b[i] ^= flip
			tried++
			if got, _ := check(b, []sign.Key{public}); got == "verified" || got == "unsigned" || got == "unknown key" {
				t.Fatalf("byte %d ^ %#x: %s", i, flip, got)
			}
		}
		if got, _ := check(signed[:i], []sign.Key{public}); got != "refused" {
			t.Fatalf("the first %d bytes: %s", i, got)
		}
	}
	if tried < 3*3000 {
		t.Errorf("%d changes tried", tried)
	}
	if got, _ := check(append(bytes.Clone(signed), 0), []sign.Key{public}); got != "refused" {
		t.Errorf("a byte more: %s", got)
	}
}

func BenchmarkVerify(b *testing.B) {
	keys := readKeys(b, "testdata/model_signing/key.pem")
	files := folder(b, "testdata/model_signing/files")
	signature := read(b, "testdata/model_signing/model.sig")
	for b.Loop() {
		if _, err := sign.Verify(signature, files, keys); err != nil {
			b.Fatal(err)
		}
	}
}
