//go:build !js

package wasm_test

import (
	"os/exec"
	"path/filepath"
	"testing"

	"cloister/wasm/internal/chromium"
)

// onDisk writes the page of one file and returns its address.
func onDisk(t testing.TB) string {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	page := filepath.Join(t.TempDir(), "cloister.html")
	cmd := exec.Command(filepath.Join(root, "bin", "cloister"), "standalone", "--bundle", "models/flows/1.bundle", "--out", page)
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cloister standalone: %v\n%s", err, out)
	}
	return "file://" + page
}

// options keep the program's frame, which has an origin of its own on a disk,
// in the process that the harness speaks to.
func options() chromium.Options {
	return chromium.Options{Flags: []string{"disable-features=IsolateSandboxedIframes"}}
}

// A page of one file on a disk, where no header helps: every channel is tried
// and what stays open is what the page itself says.
func TestSeal_everyChannelFromDisk(t *testing.T) {
	w := &witness{}
	tryAll(t, w, startVisit(t, onDisk(t), options()), func(c channel) string {
		switch c.name {
		// The program has an origin of its own there: what goes through the
		// shell or a blank frame is closed.
		case "preconnect in the shell", "download link in a blank frame", "WebRTC of a blank frame":
			return ""
		// Leaving is refused by the shell's policy, after the browser has
		// opened a connection.
		case "location", "link", "meta refresh", "download link, foreign":
			return openBare
		}
		if c.older == openDownload { // no server is this page's own
			return ""
		}
		return c.older
	})
}

// The page of one file gives the verdicts of the command.
func TestJourney_fromDisk(t *testing.T) {
	v := startVisit(t, onDisk(t), options())
	v.open(t)
	v.drop(t, "flows.csv", readFile(t, sampleCSV))
	want := scoreNatively(t, sampleCSV, 0)
	v.waitFor(t, "verdicts", `document.querySelectorAll('#grid [role=row]').length > 10`)
	if len(want) == 0 {
		t.Fatal("the command gives no verdict")
	}
	v.shot(t, "from-disk")
}
