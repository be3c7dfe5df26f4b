//go:build !js

package main_test

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What the runbook says: sign, roll out, roll back, with the commands of the
// product; and a dry run of the deployment itself.
func TestEdge_runbook(t *testing.T) {
	d := deploy(t)
	dir := t.TempDir()
	der, err := x509.MarshalPKCS8PrivateKey(d.key)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, b []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key := write("key", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}))
	token := write("token", []byte(uploadToken+"\n"))
	raw, err := os.ReadFile("../../models/flows/1.bundle")
	if err != nil {
		t.Fatal(err)
	}
	unsigned, signed := write("unsigned.bundle", raw), filepath.Join(dir, "signed.bundle")
	cloister := func(args ...string) (string, error) {
		out, err := exec.Command("../../bin/cloister", args...).CombinedOutput()
		return string(out), err
	}
	if out, err := cloister("sign", unsigned, "--key", key, "--out", signed); err != nil {
		t.Fatalf("sign: %v\n%s", err, out)
	}
	to := []string{"--to", d.url, "--key", key, "--token-file", token}
	if out, err := cloister(append([]string{"rollout", unsigned}, to...)...); err == nil || !strings.Contains(out, "422") {
		t.Errorf("an unsigned bundle: %v\n%s", err, out)
	}
	if out, err := cloister(append([]string{"rollout", signed}, to...)...); err != nil || !strings.Contains(out, "version 1") {
		t.Fatalf("first rollout: %v\n%s", err, out)
	}
	first := d.index()
	if len(first) != 1 {
		t.Fatalf("index %v", first)
	}
	entry := `"title": "Network flows"`
	if r := d.ask("GET", "/bundles/index.json", nil); !strings.Contains(string(r.body), entry) || !strings.Contains(string(r.body), `"schema": "flow"`) {
		t.Errorf("the index does not say what the bundle is: %s", r.body)
	}
	if out, err := cloister(append([]string{"rollout", "--stored", first[0]}, to...)...); err != nil || !strings.Contains(out, "version 2") {
		t.Errorf("rolling back: %v\n%s", err, out)
	}
	if out, err := cloister(append([]string{"rollout", "--stored", "flows/1/" + strings.Repeat("0", 64) + ".bundle"}, to...)...); err == nil {
		t.Errorf("a bundle that is not stored was rolled out:\n%s", out)
	}
	wrong := write("wrong", []byte("wrong"))
	if out, err := cloister("rollout", "--stored", first[0], "--to", d.url, "--key", key, "--token-file", wrong); err == nil || !strings.Contains(out, "401") {
		t.Errorf("a wrong token: %v\n%s", err, out)
	}
	if out, err := cloister("rollout", signed, "--to", "http://example.org", "--key", key, "--token-file", token); err == nil || !strings.Contains(out, "https") {
		t.Errorf("a token in the clear: %v\n%s", err, out)
	}

	for _, args := range [][]string{nil, {"--env", "staging"}} {
		dry := exec.Command("node", append([]string{"node_modules/wrangler/bin/wrangler.js", "deploy", "--dry-run", "--outdir", t.TempDir()}, args...)...)
		dry.Dir = folder
		dry.Env = append(os.Environ(), "WRANGLER_SEND_METRICS=false", "CI=1", "HOME="+dir)
		out, err := dry.CombinedOutput()
		if err != nil || !strings.Contains(string(out), "env.BUNDLES") || !strings.Contains(string(out), "env.VERSION") {
			t.Errorf("dry run %v: %v\n%s", args, err, out)
		}
	}
}
