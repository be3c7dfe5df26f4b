//go:build !js

package main_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"cloister/shared/channel"
	"cloister/shared/sign"
)

// folder is what make edge builds; the tests run exactly that.
const folder = "../../build/edge"

const (
	uploadToken = "upload-token-of-the-test"
	scoreToken  = "score-token-of-the-test"
)

// deployment is the folder running in workerd.
type deployment struct {
	t    testing.TB
	url  string
	key  *ecdsa.PrivateKey
	data string // where wrangler keeps what R2 holds
	cmd  *exec.Cmd

	mu  sync.Mutex
	log bytes.Buffer
}

// deploy starts wrangler's local workerd on a free port of loopback with a
// fresh storage. vars are added to those of the tests.
func deploy(t testing.TB, vars ...string) *deployment {
	t.Helper()
	if _, err := os.Stat(filepath.Join(folder, "node_modules", "wrangler")); err != nil {
		t.Fatalf("%v: make edge builds what this test runs", err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	public := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	d := &deployment{t: t, key: key, data: t.TempDir()}
	var args []string
	for _, v := range append([]string{
		"CHANNEL_KEYS:" + public, "PUBLISHER_KEYS:" + public,
		"SCORE_TOKENS:" + sum([]byte(scoreToken)), "UPLOAD_TOKENS:" + sum([]byte(uploadToken)), "RELEASE_TAG:under-test",
	}, vars...) {
		args = append(args, "--var", v)
	}
	d.start(args...)
	return d
}

// start runs wrangler's local workerd on a free port of loopback until the test
// ends, and returns once /healthz answers.
func (d *deployment) start(more ...string) {
	t := d.t
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	_, port, _ := net.SplitHostPort(address)
	args := []string{"node_modules/wrangler/bin/wrangler.js", "dev", "--local", "--ip", "127.0.0.1", "--port", port, "--inspector-port", "0",
		"--persist-to", d.data, "--show-interactive-dev-session=false", "--test-scheduled"}
	ctx, cancel := context.WithCancel(context.Background())
	d.cmd = exec.CommandContext(ctx, "node", append(args, more...)...)
	d.cmd.Dir = folder
	home := t.TempDir()
	d.cmd.Env = append(os.Environ(), "WRANGLER_SEND_METRICS=false", "CI=1", "NO_COLOR=1", "FORCE_COLOR=0", "HOME="+home, "XDG_CONFIG_HOME="+home)
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // wrangler's children go with it
	d.cmd.Cancel = func() error { return syscall.Kill(-d.cmd.Process.Pid, syscall.SIGKILL) }
	out, err := d.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	d.cmd.Stderr = d.cmd.Stdout
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		for s := bufio.NewScanner(out); s.Scan(); {
			d.mu.Lock()
			d.log.WriteString(s.Text() + "\n")
			d.mu.Unlock()
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-read
		_ = d.cmd.Wait() // killed
	})
	d.url = "http://" + address
	deadline := time.Now().Add(90 * time.Second)
	for {
		resp, err := http.Get(d.url + "/healthz")
		if err == nil {
			resp.Body.Close()
			if resp.StatusCode == 200 {
				return
			}
		}
		if time.Now().After(deadline) {
			t.Fatalf("workerd does not answer: %v\n%s", err, d.logged())
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (d *deployment) logged() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.log.String()
}

// reply is a response read to its end.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func (r reply) String() string { return fmt.Sprintf("%d %.200s", r.status, r.body) }

// client keeps what the server sends as it is.
var client = &http.Client{Transport: &http.Transport{DisableCompression: true}}

func (d *deployment) ask(method, path string, body []byte, headers ...string) reply {
	d.t.Helper()
	req, err := http.NewRequest(method, d.url+path, bytes.NewReader(body))
	if err != nil {
		d.t.Fatal(err)
	}
	req.Header.Set("Accept-Encoding", "identity")
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		req.Header.Set(name, value)
	}
	resp, err := client.Do(req)
	if err != nil {
		d.t.Fatalf("%s %s: %v\n%s", method, path, err, d.logged())
	}
	defer resp.Body.Close()
	all, err := io.ReadAll(resp.Body)
	if err != nil {
		d.t.Fatalf("%s %s: %v", method, path, err)
	}
	return reply{resp.StatusCode, resp.Header, all}
}

const (
	uploader = "Authorization: Bearer " + uploadToken
	scorer   = "Authorization: Bearer " + scoreToken
)

func sum(b []byte) string { s := sha256.Sum256(b); return hex.EncodeToString(s[:]) }

// signed returns the product's own bundle, signed by the test's publisher.
func (d *deployment) signed() []byte {
	d.t.Helper()
	raw, err := os.ReadFile("../../models/flows/1.bundle")
	if err != nil {
		d.t.Fatal(err)
	}
	out, err := sign.Bundle(d.key, raw)
	if err != nil {
		d.t.Fatal(err)
	}
	return out
}

// pointer returns a signed channel that names bundles by their paths.
func (d *deployment) pointer(version int64, expires time.Time, bundles map[string][]byte) []byte {
	d.t.Helper()
	c := channel.Channel{Name: "stable", Version: version, Expires: expires, Targets: map[string]channel.Target{}}
	for p, b := range bundles {
		c.Targets[p] = channel.Target{Length: int64(len(b)), SHA256: sha256.Sum256(b)}
	}
	text, err := channel.Sign(d.key, c)
	if err != nil {
		d.t.Fatal(err)
	}
	return text
}

// publish uploads a bundle and the channel that names it, and returns its path.
func (d *deployment) publish(version int64, name string, b []byte) string {
	d.t.Helper()
	path := name + "/" + sum(b) + ".bundle"
	if r := d.ask("PUT", "/bundles/"+path, b, uploader); r.status != 201 && r.status != 200 {
		d.t.Fatalf("bundle: %v", r)
	}
	if r := d.ask("PUT", "/channel.json", d.pointer(version, time.Now().Add(time.Hour), map[string][]byte{path: b}), uploader); r.status != 200 {
		d.t.Fatalf("channel: %v", r)
	}
	return path
}

// index reads the list of bundles.
func (d *deployment) index() (paths []string) {
	d.t.Helper()
	var x struct{ Bundles []struct{ Path string } }
	if err := json.Unmarshal(d.ask("GET", "/bundles/index.json", nil).body, &x); err != nil {
		d.t.Fatal(err)
	}
	for _, b := range x.Bundles {
		paths = append(paths, b.Path)
	}
	return paths
}
