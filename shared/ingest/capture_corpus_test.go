package ingest_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"

	"cloister/shared/frame"
	"cloister/shared/ingest"
	"cloister/shared/ingest/internal/capture"
)

var update = flag.Bool("update", false, "write what the readers make of the corpus to testdata")

// captureFile is one capture of an archive in testdata/capture.
type captureFile struct {
	name string
	data []byte
}

func captureFiles(t testing.TB, archive string) (list []captureFile) {
	t.Helper()
	z, err := zip.OpenReader(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, captureFile{f.Name, data})
	}
	return list
}

// table reads a file of lines with tabs, comments left out, by first column.
func tsv(t testing.TB, name string) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	for line := range strings.Lines(string(mustRead(t, name))) {
		if cells := strings.Split(strings.TrimSuffix(line, "\n"), "\t"); len(cells) > 1 && cells[0][0] != '#' {
			out[cells[0]] = cells[1:]
		}
	}
	return out
}

// walk says what becomes of a capture: format, packets, those with an IP
// packet, flows, and how it ended or why it was refused.
func walk(t testing.TB, data []byte) string {
	t.Helper()
	format, packets, decoded := "-", int64(0), 0
	var end error
	if r, err := capture.NewReader(bytes.NewReader(data)); err != nil {
		end = err
	} else {
		var d capture.Decoder
		var f capture.Frame
		var p capture.Packet
		for end = r.Next(&f); end == nil; end = r.Next(&f) {
			for ok := d.Decode(&f, &p); ok; ok = d.Early(&f, &p) {
				decoded++
			}
		}
		format, packets = r.Format(), r.Packets()
	}
	flows := 0
	s, err := ingest.Open(bytes.NewReader(data), int64(len(data)), ingest.Limits{})
	for err == nil {
		var f *frame.Frame
		if f, err = s.Next(); err == nil {
			flows += f.Len()
		}
	}
	if !errors.Is(err, io.EOF) || !errors.Is(end, io.EOF) {
		end = err
	}
	why := "whole"
	if !errors.Is(end, io.EOF) {
		why = strings.ReplaceAll(end.Error(), "\t", " ")
	}
	return fmt.Sprintf("%s\t%d\t%d\t%d\t%s", format, packets, decoded, flows, why)
}

const corpusFolder = "testdata/capture/"

// unlikeTShark are the captures of which another number of packets is read
// than by TShark 4.0.17, and why.
var unlikeTShark = map[string]string{
	"linktypes/libpcap__brcm-tag-stp.pcap":              "TShark knows no Broadcom tag",
	"linktypes/tcpdump__brcm-tag-prepend.pcap":          "TShark knows no Broadcom tag",
	"linktypes/tcpdump__dsa.pcap":                       "TShark knows no DSA tag",
	"linktypes/tcpdump__edsa.pcap":                      "TShark knows no EDSA tag",
	"malformed/suricata-verify__bug-6875-01__fuzz.pcap": "TShark takes the damaged file for a variant with longer record heads, and reads one packet of nonsense more",
	"pcapng-suite/output_be__basic__test017.pcapng":     customBlocks, "pcapng-suite/output_be__basic__test018.pcapng": customBlocks,
	"pcapng-suite/output_le__basic__test017.pcapng": customBlocks, "pcapng-suite/output_le__basic__test018.pcapng": customBlocks,
}

const customBlocks = "TShark shows custom blocks as frames; capinfos of the same version counts packets and agrees"

// Every capture of the corpus is read, or refused with format, offset and
// reason, as corpus.tsv says; and as many packets are read as TShark reads.
func TestCapture_corpus(t *testing.T) {
	want, shark := tsv(t, corpusFolder+"corpus.tsv"), tsv(t, corpusFolder+"tshark.tsv")
	var out strings.Builder
	out.WriteString("# file, format, packets, packets with IP, flows, end; written by go test -run Capture_corpus -update\n")
	files, unlike := 0, 0
	for _, f := range captureFiles(t, corpusFolder+"corpus.zip") {
		files++
		got := walk(t, f.data)
		fmt.Fprintf(&out, "%s\t%s\n", f.name, got)
		if w := strings.Join(want[f.name], "\t"); got != w && !*update {
			t.Errorf("%s:\ngot  %s\nwant %s", f.name, got, w)
		}
		cells := strings.Split(got, "\t")
		if cells[4] != "whole" && !strings.Contains(cells[4], "byte ") && cells[4] != ingest.ErrEmpty.Error() {
			t.Errorf("%s: no offset in %q", f.name, cells[4])
		}
		if len(shark[f.name]) == 0 {
			t.Errorf("%s: not in tshark.tsv", f.name)
			continue
		}
		if n, err := strconv.Atoi(shark[f.name][0]); err != nil || strconv.Itoa(n) != cells[1] {
			if unlikeTShark[f.name] == "" {
				t.Errorf("%s: %s packets, TShark reads %d (%s)", f.name, cells[1], n, shark[f.name][1])
			}
			unlike++
		}
	}
	if files < 140 || files != len(shark) || unlike != len(unlikeTShark) {
		t.Errorf("%d files, %d of TShark's, %d unlike it, %d explained", files, len(shark), unlike, len(unlikeTShark))
	}
	if *update {
		if err := os.WriteFile(corpusFolder+"corpus.tsv", []byte(out.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// Whatever bytes of the corpus are changed or cut off, reading ends with an
// error that has an offset or with the end of the file, and never panics.
func TestCapture_corpusDamaged(t *testing.T) {
	n := 0
	for _, f := range captureFiles(t, corpusFolder+"corpus.zip") {
		if len(f.data) > 4000 {
			continue
		}
		for at := 0; at < len(f.data); at += 1 + len(f.data)/6 {
			b := bytes.Clone(f.data)
			b[at] ^= 0xff
			walk(t, b)
			walk(t, b[:at])
			n++
		}
	}
	if n < 500 {
		t.Errorf("%d changes", n)
	}
}
