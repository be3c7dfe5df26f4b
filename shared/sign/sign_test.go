package sign_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"cloister/shared/bundle"
	"cloister/shared/sign"
)

// newKey returns a fresh key pair.
func newKey(t testing.TB, name string, curve elliptic.Curve) (*ecdsa.PrivateKey, sign.Key) {
	t.Helper()
	private, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := sign.NewKey(name, &private.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	return private, public
}

var three = []bundle.File{file("CARD.md", "card"), file("manifest.json", "{}"), file("model/forest.bin", "\x00\x01")}

func TestSign_verifies(t *testing.T) {
	for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
		private, public := newKey(t, "Example", curve)
		_, other := newKey(t, "Other", curve)
		signature, err := sign.Sign(private, "flows", three)
		if err != nil {
			t.Fatal(err)
		}
		again, err := sign.Sign(private, "flows", three)
		if err != nil || !bytes.Equal(signature, again) {
			t.Errorf("signing twice gives two signatures, %v", err)
		}
		trust, err := sign.Verify(signature, three, []sign.Key{other, public})
		if want := (sign.Trust{State: sign.Verified, Fingerprint: public.Fingerprint(), Name: "Example"}); trust != want || err != nil {
			t.Errorf("%+v, want %+v: %v", trust, want, err)
		}
		renamed := public
		renamed.Name = "Somebody"
		if trust, err := sign.Verify(signature, three, []sign.Key{public, renamed}); trust.Name != "Example" || err != nil {
			t.Errorf("a later key took the name: %+v, %v", trust, err)
		}
		for _, keys := range [][]sign.Key{nil, {other}, {{}}} {
			trust, err = sign.Verify(signature, three, keys)
			if want := (sign.Trust{State: sign.UnknownKey, Fingerprint: public.Fingerprint()}); trust != want || err != nil {
				t.Errorf("%+v, want %+v: %v", trust, want, err)
			}
		}
	}
}

func TestSign_refuses(t *testing.T) {
	private, _ := newKey(t, "", elliptic.P256())
	p224, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func() ([]byte, error){
		"no files":   func() ([]byte, error) { return sign.Sign(private, "x", nil) },
		"no subject": func() ([]byte, error) { return sign.Sign(private, "", three) },
		"unsorted":   func() ([]byte, error) { return sign.Sign(private, "x", []bundle.File{three[1], three[0]}) },
		"twice":      func() ([]byte, error) { return sign.Sign(private, "x", []bundle.File{three[1], three[1]}) },
		"P-224":      func() ([]byte, error) { return sign.Sign(p224, "x", three) },
		"no key":     func() ([]byte, error) { return sign.Sign(&ecdsa.PrivateKey{}, "x", three) },
		"too many": func() ([]byte, error) {
			var files []bundle.File
			for i := range 1000 {
				files = append(files, file(fmt.Sprintf("model/%04d.bin", i), ""))
			}
			return sign.Sign(private, "x", files)
		},
	} {
		if b, err := f(); b != nil || classOf(sign.Trust{}, err) != "format" {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
	}
}

// Under a known key no changed byte verifies; a hint that was changed is
// another key's.
func TestVerify_everyByte(t *testing.T) {
	private, public := newKey(t, "", elliptic.P256())
	signature, err := sign.Sign(private, "flows", three)
	if err != nil {
		t.Fatal(err)
	}
	hint := bytes.Index(signature, []byte(public.Fingerprint()))
	flips := []byte{0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff}
	if runtime.GOOS == "js" {
		flips = flips[:1] // ten times slower there, and the same code
	}
	tried, unknown := 0, 0
	for i := range signature {
		for _, flip := range flips {
			b := bytes.Clone(signature)
			b[i] ^= flip
			tried++
			switch got := classOf(sign.Verify(b, three, []sign.Key{public})); got {
			case "tampered", "format":
			case "unknown key":
				unknown++
				if i < hint || i >= hint+64 {
					t.Errorf("byte %d ^ %#x: %s", i, flip, got)
				}
			default:
				t.Fatalf("byte %d ^ %#x: %s", i, flip, got)
			}
		}
		if got := classOf(sign.Verify(signature[:i], three, []sign.Key{public})); got != "format" {
			t.Errorf("the first %d bytes: %s", i, got)
		}
	}
	if tried < len(flips)*1000 || unknown == 0 {
		t.Errorf("%d changes tried, %d of an unknown key", tried, unknown)
	}
	for _, more := range []string{" x", "{}", "\x00"} {
		if got := classOf(sign.Verify(append(bytes.Clone(signature), more...), three, []sign.Key{public})); got != "format" {
			t.Errorf("%q at the end: %s", more, got)
		}
	}
}

// signedAs returns a signature over any payload, made without package sign.
func signedAs(t testing.TB, private *ecdsa.PrivateKey, hint, payload string) string {
	t.Helper()
	sum := sha256.Sum256(fmt.Appendf(nil, "DSSEv1 28 application/vnd.in-toto+json %d %s", len(payload), payload))
	sig, err := ecdsa.SignASN1(rand.Reader, private, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf(`{"mediaType":"application/vnd.dev.sigstore.bundle.v0.3+json","verificationMaterial":{"publicKey":{"hint":%q}},"dsseEnvelope":{"payload":%q,"payloadType":"application/vnd.in-toto+json","signatures":[{"sig":%q}]}}`,
		hint, base64.StdEncoding.EncodeToString([]byte(payload)), base64.StdEncoding.EncodeToString(sig))
}

// statementOf returns a statement over files.
func statementOf(files []bundle.File) string {
	var list []string
	root := sha256.New()
	for _, f := range files {
		list = append(list, fmt.Sprintf(`{"name":%q,"algorithm":"sha256","digest":"%x"}`, f.Name, f.SHA256[:]))
		root.Write(f.SHA256[:])
	}
	return fmt.Sprintf(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"m","digest":{"sha256":"%x"}}],"predicateType":"https://model_signing/signature/v1.0","predicate":{"resources":[%s],"serialization":{"method":"files","hash_type":"sha256","allow_symlinks":false}}}`,
		root.Sum(nil), strings.Join(list, ","))
}

// A statement that is properly signed is still read strictly.
func TestVerify_statement(t *testing.T) {
	private, public := newKey(t, "", elliptic.P256())
	good := statementOf(three)
	card := fmt.Sprintf("%x", three[0].SHA256[:])
	tests := []struct {
		name, old, new string
		want           string
	}{
		{"as it is", "", "", "verified"},
		{"white space", ",", " ,\n", "verified"},
		{"ignored paths", `"method"`, `"ignore_paths":[".git"],"method"`, "verified"},
		{"unknown in a resource", `"algorithm"`, `"annotations":{"a":[1.5,null]},"algorithm"`, "verified"},
		{"symlinks were allowed", "false", "true", "verified"},
		{"unknown on top", `"_type"`, `"a":1,"_type"`, "format"},
		{"unknown in the predicate", `"resources"`, `"a":1,"resources"`, "format"},
		{"shards", `"method":"files"`, `"method":"shards","shard_size":1`, "format"},
		{"shards alone", `"method":"files"`, `"method":"shards"`, "format"},
		{"another digest, right root", `"digest":"` + card, fmt.Sprintf(`"digest":"%x`, three[1].SHA256[:]), "tampered"},
		{"more than there is, right root", `],"serialization"`, `,{"name":"zz","algorithm":"sha256","digest":"` + card + `"}],"serialization"`, "tampered"},
		{"less than there is, right root", `{"name":"CARD.md","algorithm":"sha256","digest":"` + card + `"},`, "", "tampered"},
		{"shard size", `"method":"files"`, `"method":"files","shard_size":1`, "format"},
		{"another hash", `"hash_type":"sha256"`, `"hash_type":"blake3"`, "format"},
		{"another algorithm", `"algorithm":"sha256"`, `"algorithm":"blake2b"`, "format"},
		{"upper-case digest", card, strings.ToUpper(card), "format"},
		{"short digest", card, card[:62], "format"},
		{"ignored paths no list", `"method"`, `"ignore_paths":".git","method"`, "format"},
		{"ignored path no text", `"method"`, `"ignore_paths":[1],"method"`, "format"},
		{"symlinks no boolean", "false", `"false"`, "format"},
		{"no symlinks", `,"allow_symlinks":false`, "", "format"},
		{"no resources", good[strings.Index(good, `{"name":"CARD`):strings.Index(good, `],"serial`)], "", "format"},
		{"member twice", `"_type"`, `"_type":"https://in-toto.io/Statement/v1","_type"`, "format"},
		{"name in another case", `"subject"`, `"Subject"`, "format"},
		{"two subjects", `"subject":[`, `"subject":[{"name":"m","digest":{"sha256":"` + card + `"}},`, "format"},
		{"empty subject", `"name":"m"`, `"name":""`, "format"},
		{"another subject digest", good[strings.Index(good, `"digest":{"sha256":"`) : strings.Index(good, `"digest":{"sha256":"`)+22], `"digest":{"sha256":"zz`, "format"},
		{"root of other files", fmt.Sprintf(`{"sha256":"%s`, good[strings.Index(good, `{"sha256":"`)+11:strings.Index(good, `{"sha256":"`)+75]), `{"sha256":"` + card, "tampered"},
		{"path climbs", "CARD.md", "../CARD.md", "tampered"},
		{"absolute path", "CARD.md", "/CARD.md", "tampered"},
		{"dotted path", "CARD.md", "./CARD.md", "tampered"},
		{"path not UTF-8", "CARD.md", "CARD\xff.md", "format"},
		{"order", "CARD.md", "zz", "format"},
		{"no name", "CARD.md", "", "format"},
		{"name no text", `"CARD.md"`, "7", "format"},
		{"file twice", `{"name":"CARD.md"`, `{"name":"CARD.md","algorithm":"sha256","digest":"` + card + `"},{"name":"CARD.md"`, "format"},
		{"v0.1", "https://model_signing/signature/v1.0", "https://model_signing/Digests/v0.1", "format"},
		{"statement 0.1", "Statement/v1", "Statement/v0.1", "format"},
		{"deep", `"algorithm"`, `"a":` + strings.Repeat("[", 20) + strings.Repeat("]", 20) + `,"algorithm"`, "format"},
		{"no object", good, "[]", "format"},
		{"nothing", good, " ", "format"},
		{"trailing", good, good + "{}", "format"},
	}
	for _, tt := range tests {
		payload := strings.ReplaceAll(good, tt.old, tt.new)
		if tt.old == "" {
			payload = good
		} else if payload == good {
			t.Fatalf("%s: nothing to replace", tt.name)
		}
		signature := signedAs(t, private, public.Fingerprint(), payload)
		if got := classOf(sign.Verify([]byte(signature), three, []sign.Key{public})); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
		// Without the key the same, but for what a signature alone can tell.
		want := strings.Replace(tt.want, "verified", "unknown key", 1)
		if got := classOf(sign.Verify([]byte(signature), three, nil)); got != want {
			t.Errorf("%s, key not known: %s, want %s", tt.name, got, want)
		}
	}
}

// The unsigned part has no room for anything that is not looked at.
func TestVerify_envelope(t *testing.T) {
	private, public := newKey(t, "", elliptic.P256())
	good := signedAs(t, private, public.Fingerprint(), statementOf(three))
	tests := []struct{ name, old, new, want string }{
		{"as it is", "", "", "verified"},
		{"empty keyid", `"sig"`, `"keyid":"","sig"`, "verified"},
		{"null keyid", `"sig"`, `"keyid":null,"sig"`, "verified"},
		{"empty log", `{"publicKey"`, `{"tlogEntries":[],"publicKey"`, "verified"},
		{"keyid", `"sig"`, `"keyid":"me","sig"`, "format"},
		{"log", `{"publicKey"`, `{"tlogEntries":[{}],"publicKey"`, "format"},
		{"log null", `{"publicKey"`, `{"tlogEntries":null,"publicKey"`, "format"},
		{"certificate", `{"publicKey"`, `{"certificate":{},"publicKey"`, "format"},
		{"only a certificate", `"publicKey":{"hint"`, `"certificate":{"rawBytes"`, "format"},
		{"raw key", `"hint"`, `"rawBytes":"","hint"`, "format"},
		{"hint no digest", public.Fingerprint(), public.Fingerprint()[:63], "format"},
		{"hint in upper case", public.Fingerprint(), strings.ToUpper(public.Fingerprint()), "format"},
		{"version 0.2", "v0.3+json", "v0.2+json", "format"},
		{"two signatures", `[{"sig"`, `[{"sig":"AA=="},{"sig"`, "format"},
		{"signature no base64", `"sig":"`, `"sig":"*`, "format"},
		{"line feed in base64", `"sig":"`, `"sig":"\n`, "format"},
		{"empty signature", good[strings.Index(good, `"sig":"`):], `"sig":""}]}}`, "format"},
		{"message signature too", `"dsseEnvelope"`, `"messageSignature":{},"dsseEnvelope"`, "format"},
	}
	for _, tt := range tests {
		b := strings.Replace(good, tt.old, tt.new, 1)
		if b == good && tt.old != "" {
			t.Fatalf("%s: nothing to replace", tt.name)
		}
		if got := classOf(sign.Verify([]byte(b), three, []sign.Key{public})); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	if got := classOf(sign.Verify([]byte(good+strings.Repeat(" ", sign.MaxSize)), three, []sign.Key{public})); got != "format" {
		t.Errorf("over the limit: %s", got)
	}
	// The type is part of what is signed, and so is the length.
	var v struct {
		Envelope struct{ Payload []byte } `json:"dsseEnvelope"`
	}
	if err := json.Unmarshal([]byte(good), &v); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(v.Envelope.Payload)
	bare, err := ecdsa.SignASN1(rand.Reader, private, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	b := good[:strings.Index(good, `"sig":"`)] + `"sig":"` + base64.StdEncoding.EncodeToString(bare) + `"}]}}`
	if got := classOf(sign.Verify([]byte(b), three, []sign.Key{public})); got != "tampered" {
		t.Errorf("signature over the bare payload: %s", got)
	}
}

// FuzzVerify looks for a signature that package sign calls verified although
// a plain reading of it says otherwise.
func FuzzVerify(f *testing.F) {
	keys := readKeys(f, "testdata/model_signing/key.pem")
	files := folder(f, "testdata/model_signing/files")
	signature := read(f, "testdata/model_signing/model.sig")
	f.Add(signature)
	for _, name := range []string{"key-simple-go.sig", "key.bundle.json", "missing-envelope.bundle.json"} {
		f.Add(read(f, "testdata/spec/"+name))
	}
	var original struct {
		Envelope struct{ Payload []byte } `json:"dsseEnvelope"`
	}
	if err := json.Unmarshal(signature, &original); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		trust, err := sign.Verify(b, files, keys)
		if class := classOf(trust, err); err != nil && class != "tampered" && class != "format" {
			t.Fatal(class)
		} else if err != nil {
			return
		}
		var got struct {
			Material struct {
				PublicKey struct{ Hint string } `json:"publicKey"`
			} `json:"verificationMaterial"`
			Envelope struct{ Payload []byte } `json:"dsseEnvelope"`
		}
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatalf("%s, but no JSON: %v", trust.State, err)
		}
		known := got.Material.PublicKey.Hint == keys[0].Fingerprint()
		if known != (trust.State == sign.Verified) || trust.Fingerprint != got.Material.PublicKey.Hint {
			t.Errorf("%+v, hint %q", trust, got.Material.PublicKey.Hint)
		}
		if known && !bytes.Equal(got.Envelope.Payload, original.Envelope.Payload) {
			t.Errorf("verified, but not what was signed: %q", got.Envelope.Payload)
		}
	})
}
