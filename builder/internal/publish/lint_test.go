package publish_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"cloister/builder/internal/publish"
	"cloister/shared/bundle"
	"cloister/shared/sign"
)

// matches reports whether text matches an ECMA 262 pattern; those of the
// schema that Go lacks look ahead.
func matches(pattern, text string) bool {
	r, err := regexp.Compile(pattern)
	return err != nil && strings.Contains(pattern, "(?!") || err == nil && r.MatchString(text)
}

func newKey(t *testing.T) (*ecdsa.PrivateKey, sign.Key) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := sign.NewKey("Publisher", &private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return private, public
}

// edited returns the bundle after a change of manifest and entries.
func edited(t *testing.T, file []byte, change func(*bundle.Manifest, map[string][]byte)) []byte {
	t.Helper()
	b, err := bundle.Decode(file, bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	m, files := b.Manifest(), map[string][]byte{}
	for _, name := range b.Names()[1:] {
		content, _ := b.File(name)
		files[name] = bytes.Clone(content)
	}
	change(&m, files)
	out, err := bundle.Encode(m, files, bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func signedBundle(t *testing.T, file []byte, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	a, err := bundle.Open(file, bundle.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	signature, err := sign.Sign(key, "flows", a.Digests())
	if err != nil {
		t.Fatal(err)
	}
	return edited(t, file, func(_ *bundle.Manifest, files map[string][]byte) { files[bundle.SignatureName] = signature })
}

func TestLint_listsEveryMissingPart(t *testing.T) {
	good := encode(t, trained(t))
	private, public := newKey(t)
	stranger, _ := newKey(t)
	lint := func(file []byte, o publish.LintOptions) []publish.Finding {
		t.Helper()
		found, err := publish.Lint(file, o)
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	if found := lint(signedBundle(t, good, private), publish.LintOptions{Keys: []sign.Key{public}}); found != nil {
		t.Fatalf("a bundle with everything: %v", found)
	}
	if found := lint(good, publish.LintOptions{Unsigned: true}); found != nil {
		t.Fatalf("unsigned, which was allowed: %v", found)
	}
	type edit = func(*bundle.Manifest, map[string][]byte)
	without := func(name string) edit {
		return func(_ *bundle.Manifest, files map[string][]byte) { delete(files, name) }
	}
	tests := []struct {
		name   string
		change edit
		want   []string // parts, each at least once
	}{
		{"no CARD.md", without("CARD.md"), []string{"CARD.md", "provenance.intoto.json", "vectors"}}, // the scorer shows the card
		{"no card.json", without("card.json"), []string{"card.json", "provenance.intoto.json"}},
		{"no SBOM", without("sbom.cdx.json"), []string{"sbom.cdx.json", "provenance.intoto.json"}},
		{"no provenance", without("provenance.intoto.json"), []string{"provenance.intoto.json"}},
		{"no licence", without("LICENSE"), []string{"LICENSE", "sbom.cdx.json"}},
		{"no notice", without("NOTICE"), []string{"NOTICE"}},
		{"empty notice", func(_ *bundle.Manifest, f map[string][]byte) { f["NOTICE"] = nil }, []string{"NOTICE", "sbom.cdx.json"}},
		{"card of another", func(_ *bundle.Manifest, f map[string][]byte) {
			f["card.json"] = bytes.Replace(f["card.json"], []byte(`"version": "1.0.0"`), []byte(`"version": "1.0.1"`), 1)
		}, []string{"card.json"}},
		{"card is no JSON", func(_ *bundle.Manifest, f map[string][]byte) { f["card.json"] = []byte("x") }, []string{"card.json"}},
		{"changed model", func(_ *bundle.Manifest, f map[string][]byte) { f["model/more.bin"] = []byte("x") }, []string{"sbom.cdx.json", "provenance.intoto.json"}},
		{"SBOM of another", func(m *bundle.Manifest, _ map[string][]byte) { m.Version = "2.0.0" }, []string{"sbom.cdx.json", "card.json"}},
		{"provenance of another", func(m *bundle.Manifest, _ map[string][]byte) { m.ID = "other" }, []string{"provenance.intoto.json"}},
		{"other data", func(m *bundle.Manifest, _ map[string][]byte) { m.Lineage.DatasetSHA256[0][0] ^= 1 }, []string{"provenance.intoto.json"}},
		{"no authors", func(m *bundle.Manifest, _ map[string][]byte) { m.Authors = nil }, []string{"authors"}},
		{"no licences", func(m *bundle.Manifest, _ map[string][]byte) { m.Licenses = nil }, []string{"licenses"}},
		{"no data", func(m *bundle.Manifest, _ map[string][]byte) { m.Datasets = nil }, []string{"datasets"}},
		{"data without licence", func(m *bundle.Manifest, _ map[string][]byte) { m.Datasets[0].License = "" }, []string{"datasets[0].license"}},
		{"no threshold", func(m *bundle.Manifest, _ map[string][]byte) { m.Thresholds = nil }, []string{"thresholds"}},
		{"no metrics", func(m *bundle.Manifest, _ map[string][]byte) { m.Metrics = nil }, []string{"metrics"}},
		{"no interval", func(m *bundle.Manifest, _ map[string][]byte) {
			for i := range m.Metrics {
				m.Metrics[i].Low = nil
			}
		}, []string{"metrics"}},
		{"no release of ATT&CK", func(m *bundle.Manifest, _ map[string][]byte) { m.AttackVersion = "" }, []string{"attack_version"}},
		{"no limits", func(m *bundle.Manifest, _ map[string][]byte) { m.KnownLimits, m.OutOfScope = nil, nil }, []string{"known_limits", "out_of_scope"}},
		{"no lineage", func(m *bundle.Manifest, _ map[string][]byte) { m.Lineage = bundle.Lineage{} },
			[]string{"lineage.recipe", "lineage.command", "lineage.dataset_sha256", "lineage.toolchain", "lineage.split.holdout"}},
		{"no explanation", func(m *bundle.Manifest, _ map[string][]byte) { m.Explain.Method = "" }, []string{"explain.method"}},
	}
	for _, tt := range tests {
		found := lint(edited(t, good, tt.change), publish.LintOptions{Unsigned: true})
		for _, part := range tt.want {
			has := false
			for _, f := range found {
				has = has || f.Part == part
			}
			if !has {
				t.Errorf("%s: %q is not among %v", tt.name, part, found)
			}
		}
		if len(found) == 0 {
			t.Errorf("%s: passes", tt.name)
		}
	}
	for name, file := range map[string][]byte{"unsigned": good, "stranger": signedBundle(t, good, stranger)} {
		found := lint(file, publish.LintOptions{Keys: []sign.Key{public}})
		if len(found) != 1 || found[0].Part != "model.sig" {
			t.Errorf("%s: %v", name, found)
		}
	}
	tampered := edited(t, signedBundle(t, good, private), func(m *bundle.Manifest, _ map[string][]byte) { m.Title = "Other" })
	if found, err := publish.Lint(tampered, publish.LintOptions{Keys: []sign.Key{public}}); err == nil {
		t.Errorf("tampered: %v", found)
	}
	if _, err := publish.Lint([]byte("x"), publish.LintOptions{}); err == nil {
		t.Error("no bundle: no error")
	}
}

// gate builds what Replay needs.
func gate(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	cmd := exec.Command("go", "build", "-o", filepath.Join(dir, "gate.wasm"), "./gate")
	cmd.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range publish.GateFiles[1:] {
		b, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(root)), "lib", "wasm", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestReplay_inWebAssembly(t *testing.T) {
	dir, good := gate(t), encode(t, trained(t))
	if n, err := publish.Replay(context.Background(), dir, good); n != 32 || err != nil {
		t.Errorf("%d vectors, %v", n, err)
	}
	wrong := replace(t, good, "vectors/rows.jsonl", func(b []byte) []byte {
		return bytes.Replace(b, []byte(`"probability":[`), []byte(`"probability":[9`), 1)
	})
	if n, err := publish.Replay(context.Background(), dir, wrong); n != 0 || err == nil || errors.Is(err, publish.ErrNoGate) || !strings.Contains(err.Error(), "self-test: vector 1: probability 0 is ") {
		t.Errorf("%d vectors, %v", n, err)
	}
	if _, err := publish.Replay(context.Background(), t.TempDir(), good); !errors.Is(err, publish.ErrNoGate) || !strings.Contains(err.Error(), "gate.wasm is missing") {
		t.Errorf("no gate: %v", err)
	}
	t.Setenv("PATH", t.TempDir())
	if _, err := publish.Replay(context.Background(), dir, good); !errors.Is(err, publish.ErrNoGate) || !strings.Contains(err.Error(), "node") {
		t.Errorf("no node: %v", err)
	}
}
