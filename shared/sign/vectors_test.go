package sign_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cloister/shared/bundle"
	"cloister/shared/sign"
)

// file returns an entry with the digest of content.
func file(name, content string) bundle.File {
	return bundle.File{Name: name, SHA256: sha256.Sum256([]byte(content)), Size: int64(len(content))}
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func readKeys(t testing.TB, path string) []sign.Key {
	t.Helper()
	keys, err := sign.ParseKeys(read(t, path))
	if err != nil || len(keys) == 0 {
		t.Fatalf("%s: %d keys, %v", path, len(keys), err)
	}
	return keys
}

// classOf names the outcome of a verification.
func classOf(trust sign.Trust, err error) string {
	var tampered *sign.TamperedError
	var format *sign.FormatError
	switch {
	case err == nil:
		return string(trust.State)
	case trust != sign.Trust{}:
		return "an error and a result"
	case errors.As(err, &tampered):
		return "tampered"
	case errors.As(err, &format):
		return "format"
	}
	return err.Error()
}

// The files that the specification's vectors sign, conformance/test/assets/models.
func specModels(t *testing.T) (simple, multi []bundle.File) {
	digest := func(s string) (d bundle.Digest) {
		if n, err := hex.Decode(d[:], []byte(s)); err != nil || n != len(d) {
			t.Fatal(s)
		}
		return d
	}
	simple = []bundle.File{
		{Name: "signme-1", SHA256: digest("bc9a717db6064a32cbe9eae6fc40651dd6d36ef1757183f590eff2b1765d7ebc")},
		{Name: "signme-2", SHA256: digest("32dcb1f8e1ae52d5963e56a6ba06ab58b424c15ed2a6b70d2feca1d089370028")},
	}
	multi = []bundle.File{
		file("config.json", `{"model": "test", "version": "1.0"}`),
		{Name: "subdir/adapter.bin", SHA256: digest("58b991c23d339f9d25eccb315cf8ba9edb608bb60be3be6c73b03a4481dc7682")},
		{Name: "weights.bin", SHA256: digest("4555555dc68d872c2270ba89ecc5f6f094812f65372b37e50071fe5168031c49")},
	}
	return simple, multi
}

func TestVerify_vectorsOfTheSpecification(t *testing.T) {
	simple, multi := specModels(t)
	changed := slices.Clone(simple)
	changed[1] = file("signme-2", "tampered content")
	tests := map[string]struct {
		files []bundle.File
		want  string
	}{
		"key.bundle.json":                          {simple, "verified"},
		"key-simple.sig":                           {simple, "verified"},
		"key-simple-go.sig":                        {simple, "verified"},
		"key-multi-file.sig":                       {multi, "verified"},
		"key-simple-tampered-content_fail.sig":     {changed, "tampered"},
		"key-simple-corrupted-bundle_fail.sig":     {simple, "format"},
		"key-simple-no-signature_fail.sig":         {simple, "format"},
		"key-simple-wrong-mediatype_fail.sig":      {simple, "format"},
		"key-simple-wrong-payload-type_fail.sig":   {simple, "format"},
		"key-simple-wrong-statement-type_fail.sig": {simple, "format"},
		"key-simple-empty-resources_fail.sig":      {simple, "format"},
		"malformed-wrong-predicate_fail.sig":       {simple, "tampered"}, // its signature is that of another payload
		"missing-envelope.bundle.json":             {simple, "format"},
	}
	keys := readKeys(t, "testdata/spec/key.pem")
	if got := keys[0].Fingerprint(); got != "e8450dec4eb99dae995da9af1bc2cc9f76ed669ee2e744f57abba763df3e3f8e" {
		t.Errorf("fingerprint %s", got)
	}
	paths, err := filepath.Glob("testdata/spec/*")
	if err != nil || len(paths) != len(tests)+2 {
		t.Fatalf("%d vectors, want %d, the key and a text; %v", len(paths), len(tests), err)
	}
	for name, tt := range tests {
		signature := read(t, "testdata/spec/"+name)
		trust, err := sign.Verify(signature, tt.files, keys)
		if got := classOf(trust, err); got != tt.want {
			t.Errorf("%s: %s, want %s: %v", name, got, tt.want, err)
		}
		// More, fewer and other files never verify.
		for what, files := range map[string][]bundle.File{
			"no files":   nil,
			"one less":   tt.files[1:],
			"last less":  tt.files[:len(tt.files)-1],
			"one more":   append(slices.Clone(tt.files), file("zz", "")),
			"first more": append([]bundle.File{file("AA", "")}, tt.files...),
			"another":    append(slices.Clone(tt.files[:len(tt.files)-1]), file(tt.files[len(tt.files)-1].Name, "")),
		} {
			trust, err := sign.Verify(signature, files, keys)
			if got := classOf(trust, err); got != "tampered" && got != "format" {
				t.Errorf("%s with %s: %s", name, what, got)
			}
		}
	}
}

// folder returns the files below dir with their digests, sorted by name.
func folder(t testing.TB, dir string) []bundle.File {
	t.Helper()
	var files []bundle.File
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, file(path, string(read(t, filepath.Join(dir, path)))))
		}
		return err
	})
	if err != nil || len(files) == 0 {
		t.Fatalf("%s: %d files, %v", dir, len(files), err)
	}
	slices.SortFunc(files, func(a, b bundle.File) int { return strings.Compare(a.Name, b.Name) })
	return files
}

// What OpenSSF's model_signing signs verifies here. testdata/model_signing/make.sh
// says how it was made.
func TestVerify_signedByModelSigning(t *testing.T) {
	files := folder(t, "testdata/model_signing/files")
	for key, sig := range map[string]string{"key.pem": "model.sig", "key-p521.pem": "model-p521.sig"} {
		signedByModelSigning(t, files, readKeys(t, "testdata/model_signing/"+key), read(t, "testdata/model_signing/"+sig))
	}
}

func signedByModelSigning(t *testing.T, files []bundle.File, keys []sign.Key, signature []byte) {
	t.Helper()
	trust, err := sign.Verify(signature, files, keys)
	if want := (sign.Trust{State: sign.Verified, Fingerprint: keys[0].Fingerprint()}); trust != want || err != nil {
		t.Fatalf("%+v, want %+v: %v", trust, want, err)
	}
	if len(files) != 4 {
		t.Errorf("%d files", len(files))
	}
	for i, f := range files {
		other := slices.Clone(files)
		other[i].SHA256[i%32] ^= 1
		if got := classOf(sign.Verify(signature, other, keys)); got != "tampered" {
			t.Errorf("%s changed: %s", f.Name, got)
		}
		other = slices.Delete(slices.Clone(files), i, i+1)
		if got := classOf(sign.Verify(signature, other, keys)); got != "tampered" {
			t.Errorf("%s missing: %s", f.Name, got)
		}
	}
}
